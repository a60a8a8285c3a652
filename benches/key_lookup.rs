//! How long a request with a known key takes while the issuer answers, and while it hangs: both
//! distributions, in one run.
//!
//!     cargo bench --bench key_lookup --features jwks-url,test-util
//!
//! Two verifiers hold the keys of two issuers. One issuer answers; the other one hangs, with a fetch
//! under way all the time and 1,000 requests with an unknown `kid` that wait for it. The same good
//! token's look-up (the key source alone) and verification (all of it, EdDSA) are timed one by one, the
//! verifiers taking turns, so that noise falls on both alike. `--samples N` sets how many (default
//! 100,000 each). The last line is a request with an unknown `kid` at the hanging issuer, for contrast.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    JwksUrl, JwtVerifier, KeyLookup, KeyQuery, KeySource, KeyStatus, KeyTask, RejectionKind,
};

/// How many requests with an unknown `kid` wait at the issuer that hangs.
const STRANGERS: usize = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let samples = arguments
        .iter()
        .position(|argument| argument == "--samples")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(100_000);

    let mut quiet = Measured::new().await;
    let mut hung = Measured::new().await;
    hung.hang().await;
    // This thread measures; the worker thread has all else.
    let (mut quiet, mut hung) = tokio::task::spawn_blocking(move || {
        for turn in 0..samples {
            let both =
                if turn % 2 == 0 { [&mut quiet, &mut hung] } else { [&mut hung, &mut quiet] };
            both.into_iter().for_each(Measured::sample);
        }
        (quiet, hung)
    })
    .await
    .expect("the measuring thread ends");
    assert!(hung.issuer.key_fetches() > 1, "a fetch hangs");

    println!("| known `kid` | issuer | p50 us | p90 us | p99 us | p99.9 us | largest us |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    print("look-up", "answers", &mut quiet.look_ups());
    print("look-up", "hangs", &mut hung.look_ups());
    print("verification", "answers", &mut quiet.verifications);
    print("verification", "hangs", &mut hung.verifications);
    println!();
    println!("unknown `kid`, issuer hangs: {:.1} s to the refusal", hung.stranger().await);
}

/// A verifier, its issuer, and what was measured of it.
struct Measured {
    issuer: MockIssuer,
    verifier: JwtVerifier,
    token: String,
    keys: Timed,
    verifications: Vec<Duration>,
}

impl Measured {
    async fn new() -> Self {
        let issuer = MockIssuer::new();
        let keys = Timed { keys: issuer.keys(), taken: Arc::default() };
        let verifier = JwtVerifier::new(issuer.issuer(), AUDIENCE, keys.clone());
        let verifier = verifier.expect("a good configuration");
        verifier.ready(Duration::from_secs(5)).await.expect("the issuer answers");
        let token = issuer.token().claim("aud", AUDIENCE).build();
        Self { issuer, verifier, token, keys, verifications: Vec::new() }
    }

    /// From now on the issuer hangs, a fetch is always under way, and strangers wait for it.
    async fn hang(&self) {
        self.issuer.set_answer(MockAnswer::Hang);
        let operator = self.verifier.clone();
        tokio::spawn(async move {
            loop {
                let _ = operator.refresh().await;
            }
        });
        for n in 0..STRANGERS {
            let (verifier, token) = (self.verifier.clone(), self.unknown(&n.to_string()));
            tokio::spawn(async move {
                loop {
                    let refused = verifier.verify(&token).await.is_err();
                    assert!(refused, "nobody knows this key");
                }
            });
        }
        // Until all of them wait.
        let _ = tokio::time::timeout(Duration::from_millis(500), pending::<()>()).await;
        self.keys.taken().clear();
    }

    fn sample(&mut self) {
        let start = now();
        let verified = self.verifier.verify_now(&self.token);
        self.verifications.push(start.elapsed());
        assert!(verified.is_ok(), "the key is known");
    }

    fn look_ups(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.keys.taken())
    }

    fn unknown(&self, kid: &str) -> String {
        self.issuer.token().claim("aud", AUDIENCE).header("kid", kid).build()
    }

    /// The seconds that a request with an unknown `kid` takes.
    async fn stranger(&self) -> f64 {
        let start = now();
        let refused = self.verifier.verify(&self.unknown("stranger")).await;
        assert_eq!(refused.map_err(|r| r.kind()).err(), Some(RejectionKind::Unavailable));
        start.elapsed().as_secs_f64()
    }
}

const AUDIENCE: &str = "https://api.example";

/// A key source that times the look-ups it answers at once, but for those of strangers.
#[derive(Clone, Debug)]
struct Timed {
    keys: JwksUrl,
    taken: Arc<Mutex<Vec<Duration>>>,
}

impl Timed {
    fn taken(&self) -> std::sync::MutexGuard<'_, Vec<Duration>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for Timed {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let start = now();
        let lookup = self.keys.find_key(query);
        let taken = start.elapsed();
        let is_strange = query.kid().is_some_and(|kid| kid.parse::<usize>().is_ok());
        if lookup.is_ready() && !is_strange {
            self.taken().push(taken);
        }
        lookup
    }

    fn status(&self) -> KeyStatus {
        self.keys.status()
    }

    fn refresh(&self) -> KeyTask {
        self.keys.refresh()
    }

    fn until_ready(&self) -> KeyTask {
        self.keys.until_ready()
    }
}

fn print(what: &str, issuer: &str, taken: &mut [Duration]) {
    taken.sort_unstable();
    let at = |part: f64| {
        let index = (taken.len() as f64 * part) as usize;
        taken[index.min(taken.len() - 1)].as_nanos() as f64 / 1000.0
    };
    println!(
        "| {what} | {issuer} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} |",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}
