//! Any sequence of rotations, faults, requests and time: the engine does what a model of a few lines
//! says, by the list of the fetches that there were.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::time::Instant;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{Fetch, FetchFuture, FetchRequest, JwksUrl, JwtVerifier, RejectionKind};

use super::{pass, secs, unknown};

#[derive(Clone, Debug)]
enum Event {
    Rotate,
    RotateAndDrop,
    Fault(u8),
    Heal,
    Wait(u64),
    /// A token of one of the keys that there ever were.
    Token(usize),
    Unknown,
    Refresh,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Rotate),
        1 => Just(Event::RotateAndDrop),
        2 => (0..4_u8).prop_map(Event::Fault),
        3 => Just(Event::Heal),
        4 => prop::sample::select(vec![1, 3, 9, 11, 60, 500, 700, 4300]).prop_map(Event::Wait),
        8 => (0..4_usize).prop_map(Event::Token),
        3 => Just(Event::Unknown),
        1 => Just(Event::Refresh),
    ]
}

/// What a fetch brought: the numbers of the keys, or nothing.
#[derive(Clone, Debug)]
struct Fetched {
    began: Instant,
    ended: Option<Instant>,
    keys: Option<BTreeSet<usize>>,
}

#[derive(Clone, Debug)]
struct Logged {
    issuer: MockIssuer,
    published: Arc<Mutex<BTreeSet<usize>>>,
    log: Arc<Mutex<Vec<Fetched>>>,
}

impl Fetch for Logged {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let keys = self.published.lock().unwrap().clone();
        let log = Arc::clone(&self.log);
        let answer = self.issuer.fetch(request);
        Box::pin(async move {
            let began = Instant::now();
            log.lock().unwrap().push(Fetched { began, ended: None, keys: None });
            let answer = answer.await;
            let good = answer.as_ref().is_ok_and(|response| match response.status().as_u16() {
                200 => response.body().starts_with(b"{\"keys\":[{"),
                _ => false,
            });
            let mut log = log.lock().unwrap();
            let last = log.last_mut().unwrap();
            *last = Fetched { began, ended: Some(Instant::now()), keys: good.then_some(keys) };
            answer
        })
    }
}

/// The model: what must become of a token, by the fetches that there were.
fn verdict(log: &[Fetched], key: Option<usize>) -> Option<RejectionKind> {
    let now = Instant::now();
    let held = log.iter().rev().find(|fetched| fetched.keys.is_some());
    // Ten minutes fresh, an hour stale.
    let held = held.filter(|held| now < held.ended.unwrap() + secs(4200));
    let keys = held.and_then(|held| held.keys.as_ref());
    let knows = key.is_some_and(|key| keys.is_some_and(|keys| keys.contains(&key)));
    // One that is under way has not failed yet.
    let has_ended =
        |fetched: &&Fetched| fetched.ended.is_some() || now >= fetched.began + secs(9) / 2;
    let last = log.iter().rev().find(has_ended);
    let last_is_good = last.is_some_and(|last| last.keys.is_some());
    match (knows, last_is_good) {
        (true, _) => None,
        (false, true) => Some(RejectionKind::UnknownKey),
        (false, false) => Some(RejectionKind::Unavailable),
    }
}

/// Whether the model wants the key to be used without a fetch: it is fresh, or an attempt to replace it
/// has failed since.
fn is_known_at_once(log: &[Fetched], key: Option<usize>) -> bool {
    let Some(at) = log.iter().rposition(|fetched| fetched.keys.is_some()) else { return false };
    let stale_at = log[at].ended.unwrap() + secs(600);
    let has_failed =
        log[at + 1..].iter().any(|failed| failed.ended.is_some_and(|at| at >= stale_at));
    verdict(log, key).is_none() && (Instant::now() < stale_at || has_failed)
}

async fn run(events: Vec<Event>) {
    let issuer = MockIssuer::new();
    let fetcher = Logged {
        issuer: issuer.clone(),
        published: Arc::new(Mutex::new(BTreeSet::from([0]))),
        log: Arc::default(),
    };
    let keys = JwksUrl::new_with(&issuer.jwks_url(), fetcher.clone()).unwrap();
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
    let start = Instant::now();
    let mut tokens = vec![issuer.token().build()];
    let mut is_healthy = true;
    // Fetches that began because of a token, and those of the operator.
    let (mut asked, mut demanded) = (Vec::<Instant>::new(), Vec::new());

    for event in events {
        let log = |from: usize| fetcher.log.lock().unwrap()[from..].to_vec();
        let before = log(0);
        match event {
            Event::Rotate | Event::RotateAndDrop => {
                let mut published = fetcher.published.lock().unwrap();
                match event {
                    Event::Rotate => issuer.rotate(),
                    _ => {
                        issuer.rotate_and_drop();
                        published.clear();
                    }
                }
                published.insert(tokens.len());
                tokens.push(issuer.token().build());
            }
            Event::Fault(fault) => {
                is_healthy = false;
                issuer.set_answer(match fault {
                    0 => MockAnswer::Status(500),
                    1 => MockAnswer::Body("application/json", "{\"keys\":[]}".into()),
                    2 => MockAnswer::Refuse,
                    _ => MockAnswer::Hang,
                });
            }
            Event::Heal => {
                is_healthy = true;
                issuer.set_answer(MockAnswer::Good);
            }
            Event::Wait(seconds) => pass(seconds).await,
            Event::Refresh => {
                demanded.push(Instant::now());
                let healthy_before = before.last().is_none_or(|last| last.ended.is_some());
                let result = verifier.refresh().await;
                if healthy_before {
                    assert_eq!(result.is_ok(), is_healthy);
                }
            }
            Event::Token(_) | Event::Unknown => {
                let key = match event {
                    Event::Token(back) => Some(tokens.len().saturating_sub(1 + back)),
                    _ => None,
                };
                let token = match key {
                    Some(key) => tokens[key].clone(),
                    None => unknown(&issuer, "unknown"),
                };
                let was_known = is_known_at_once(&before, key);
                let came = Instant::now();
                let kind = verifier.verify(&token).await.err().map(|refused| refused.kind());
                let after = log(0);
                assert_eq!(kind, verdict(&after, key), "{event:?} {key:?} after {after:?}");
                assert!(came.elapsed() < secs(8));
                if was_known {
                    assert_eq!((came.elapsed(), after.len()), (secs(0), before.len()));
                }
                // At once for the first after a quiet time.
                let is_quiet = asked.last().is_none_or(|at| came >= *at + secs(10));
                let has_begun = before.last().is_some_and(|last| last.ended.is_none());
                let is_published =
                    key.is_some_and(|key| fetcher.published.lock().unwrap().contains(&key));
                if is_quiet && is_published && is_healthy && !has_begun {
                    assert_eq!(kind, None, "the first rotation after a quiet time");
                }
                asked.extend(after[before.len()..].iter().map(|fetched| fetched.began));
            }
        }
    }

    let log = fetcher.log.lock().unwrap().clone();
    assert!(log.windows(2).all(|pair| pair[0].ended.is_none_or(|end| end <= pair[1].began)));
    assert_eq!(issuer.most_at_once().max(1), 1);
    // For unknown `kid`s: three at once, and one more in ten seconds. By itself: a good set is good
    // for 432 seconds at least, and a retry comes after half a second at the earliest.
    let elapsed = start.elapsed().as_secs();
    let failed = log.iter().filter(|fetched| fetched.keys.is_none()).count() as u64;
    let by_itself = 1 + elapsed / 432 + failed;
    let at_most = by_itself + 3 + elapsed / 10 + demanded.len() as u64;
    assert!(log.len() as u64 <= at_most, "{} fetches, {at_most} allowed", log.len());
    for pair in log.windows(8) {
        // The operator may ask as often as he likes.
        let is_of_engine = !demanded.iter().any(|at| (pair[0].began..=pair[7].began).contains(at));
        let took = pair[7].began - pair[0].began;
        assert!(!is_of_engine || took >= secs(2), "a storm: {pair:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_engine_agrees_with_its_model(
        events in prop::collection::vec(event(), 1..60),
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run(events));
    }
}
