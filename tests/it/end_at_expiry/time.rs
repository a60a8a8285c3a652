//! By which clock, with which leeway, and for how long.

use std::time::Duration;

use futures_util::stream;
use http::request::Parts;
use tokio::time::{Instant, timeout};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{
    Accepted, Algorithm, EndAtExpiryLayer, FixedClock, JwtAuthLayer, NumericDate, PresentedToken,
    RegisteredClaims, Verification, VerifyToken,
};

use super::{LIFETIME, TimerClock, Written, next, request, response_of};
use crate::support::{NOW, key};

const GRPC: &str = "application/grpc";

#[tokio::test(start_paused = true)]
async fn leeway_is_the_one_of_the_verifier() {
    for leeway in [0, 7, 300] {
        let clock = TimerClock::new();
        let verifier = key(Algorithm::EdDSA).verifier().with_clock(clock);
        let verifier = verifier.with_leeway(Duration::from_secs(leeway)).unwrap();
        let inner = service_fn(async |_| {
            let body: Written = super::stream(stream::pending());
            Ok::<_, BoxError>(http::Response::new(body))
        });
        let service = JwtAuthLayer::new(verifier).layer(EndAtExpiryLayer::new().layer(inner));
        let mut body = service.oneshot(request(String::new())).await.unwrap().into_body();
        assert_eq!(next(&mut body).await, "expired");
        assert_eq!(clock.seconds(), LIFETIME + leeway);
    }
}

/// As after a suspended machine: the clock is far ahead of the timer.
#[tokio::test(start_paused = true)]
async fn clock_that_jumps_is_noticed_within_a_minute() {
    let clock = ManualClock::new(NumericDate::from_unix_seconds(NOW));
    let mut body = response_of(clock.clone(), GRPC, stream::pending()).await.into_body();
    let begun = Instant::now();
    assert!(timeout(Duration::from_secs(1), next(&mut body)).await.is_err());
    clock.advance(Duration::from_secs(3600));
    assert_eq!(next(&mut body).await, "status 16 the token has expired");
    assert!(begun.elapsed() <= Duration::from_secs(61), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn clock_that_stands_still_ends_nothing() {
    let clock = FixedClock(NumericDate::from_unix_seconds(NOW));
    let mut body = response_of(clock, GRPC, stream::pending()).await.into_body();
    assert!(timeout(Duration::from_secs(86_400), next(&mut body)).await.is_err());
}

/// A verifier of tokens that are not JWTs, with this expiry.
struct Opaque(NumericDate);

impl VerifyToken<RegisteredClaims> for Opaque {
    fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<RegisteredClaims> {
        let accepted = Accepted::new(RegisteredClaims::default());
        Verification::ready(Ok(accepted.with_expires_at(self.0)))
    }
}

#[tokio::test(start_paused = true)]
async fn expiry_of_a_custom_verifier_counts_by_the_system_clock() {
    for (expires_at, ends) in [(NOW, true), (i64::MAX, false)] {
        let verifier = Opaque(NumericDate::from_unix_seconds(expires_at));
        let inner = service_fn(async |_| {
            let body: Written = super::stream(stream::pending());
            Ok::<_, BoxError>(http::Response::new(body))
        });
        let service = JwtAuthLayer::new(verifier).layer(EndAtExpiryLayer::new().layer(inner));
        let mut body = service.oneshot(request(String::new())).await.unwrap().into_body();
        let end = timeout(Duration::from_secs(86_400), next(&mut body)).await;
        assert_eq!(end.ok().as_deref(), ends.then_some("expired"));
    }
}
