//! Keys that rotate while tokens are issued and verified: nothing good is refused.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_jwt_auth::{
    Clock as _, Fetch, FetchFuture, FetchRequest, JwkSetService, JwksUrl, JwtVerifier, KeyRing,
    NewAccessToken, TokenIssuer,
};

use super::{Clock, es256};
use crate::support::{AUDIENCE, ISSUER, NOW};

const MINUTE: u64 = 60;

/// Fetches the set from the routes of the issuer.
#[derive(Clone, Debug)]
struct Routes {
    app: axum::Router,
    fetches: Arc<AtomicUsize>,
}

impl Fetch for Routes {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let path = request.url().trim_start_matches("https://issuer.example").to_owned();
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let app = self.app.clone();
        Box::pin(async move {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let (head, body) = app.oneshot(request).await.unwrap().into_parts();
            Ok(http::Response::from_parts(head, body.collect().await.unwrap().to_bytes()))
        })
    }
}

/// A key signs for an hour, and is published 20 minutes before; tokens live for 10 minutes.
fn ring(clock: &Clock) -> KeyRing {
    let minutes = |minutes| Duration::from_secs(minutes * MINUTE);
    KeyRing::new(es256())
        .unwrap()
        .with_clock(clock.clone())
        .with_max_token_lifetime(minutes(10))
        .unwrap()
        .with_rotation(minutes(60), minutes(20))
        .unwrap()
}

fn issuer(ring: &KeyRing, clock: &Clock) -> TokenIssuer {
    let issuer = TokenIssuer::new(ISSUER, ring.clone()).unwrap();
    issuer.with_audience(AUDIENCE).unwrap().with_clock(clock.clone())
}

#[tokio::test(start_paused = true)]
async fn verifiers_refuse_nothing_good_while_keys_rotate_ten_times() {
    const STEP: u64 = 2 * MINUTE;

    let clock = Clock::at(NOW);
    let ring = ring(&clock);
    let issuer = issuer(&ring, &clock);
    let service = JwkSetService::<Body>::new(ring.clone());
    let app = axum::Router::new().route_service("/jwks.json", service);
    let routes = Routes { app, fetches: Arc::default() };
    let url = JwksUrl::new_with("https://issuer.example/jwks.json", routes.clone()).unwrap();
    // Without leeway: a token is good until its `exp`.
    let strict = |verifier: JwtVerifier| {
        verifier.with_clock(clock.clone()).with_leeway(Duration::ZERO).unwrap()
    };
    let in_process = strict(JwtVerifier::new(ISSUER, AUDIENCE, ring.clone()).unwrap());
    let elsewhere = strict(JwtVerifier::new(ISSUER, AUDIENCE, url).unwrap());
    #[cfg(feature = "token-cache")]
    let in_process = in_process.with_token_cache(64).unwrap();

    let (mut rotations, mut verified, mut steps) = (0, 0, 0);
    let mut live = VecDeque::new();
    while rotations < 10 || steps % 30 != 0 {
        rotations += usize::from(ring.rotate_if_due().unwrap());
        for _ in 0..3 {
            let token = issuer.issue_access_token(&NewAccessToken::new("alice", "app")).unwrap();
            live.push_back((clock.now().unix_seconds() + 600, token));
        }
        live.retain(|(exp, _)| clock.now().unix_seconds() < *exp);
        for (_, token) in &live {
            in_process.verify(token).await.unwrap();
            elsewhere.verify(token).await.unwrap();
            verified += 2;
        }
        steps += 1;
        clock.set(clock.now().unix_seconds() + i64::try_from(STEP).unwrap());
        tokio::time::advance(Duration::from_secs(STEP)).await;
    }
    assert!(verified > 5_000, "{verified}");
    // The sets were fetched by their age alone: no key was unknown when it began to sign.
    let most = steps * STEP / (432) + 1;
    let fetches = u64::try_from(routes.fetches.load(Ordering::Relaxed)).unwrap();
    assert!(fetches <= most, "{fetches} fetches, {most} by age");
    assert!(ring.keys().len() <= 3);
}

#[test]
fn threads_issue_and_verify_while_keys_rotate() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock);
    let issuer = issuer(&ring, &clock);
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, ring.clone()).unwrap();
    let verifier = verifier.with_clock(clock.clone());
    let is_over = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    let verified: [AtomicUsize; 2] = Default::default();
    std::thread::scope(|scope| {
        for verified in &verified {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let contents = NewAccessToken::new("alice", "app");
                    let token = issuer.issue_access_token(&contents).unwrap();
                    if let Err(rejection) = verifier.verify_now(&token) {
                        failures.lock().unwrap().push(rejection);
                        is_over.store(true, Ordering::Relaxed);
                    }
                    verified.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut rotations = 0;
        while rotations < 10 && !is_over.load(Ordering::Relaxed) {
            rotations += usize::from(ring.rotate_if_due().unwrap());
            clock.set(clock.now().unix_seconds() + 300);
            // Each thread verifies what it issued before.
            for verified in &verified {
                let before = verified.load(Ordering::Relaxed);
                while verified.load(Ordering::Relaxed) < before + 2
                    && !is_over.load(Ordering::Relaxed)
                {
                    std::thread::yield_now();
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert_eq!((rotations, &*format!("{:?}", failures.lock().unwrap())), (10, "[]"));
    });
}
