//! By which clock, with which leeway, and for how long.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::stream;
use http::request::Parts;
use tokio::time::{Instant, timeout};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{
    Accepted, Algorithm, Clock, EndAtExpiryLayer, ExpiringBody, FixedClock, JwtAuthLayer,
    JwtVerifier, NumericDate, PresentedToken, RegisteredClaims, Verification, VerifyToken,
};

use super::{LIFETIME, TimerClock, Written, next, request_of, response_of};
use crate::support::{NOW, key};

const GRPC: &str = "application/grpc";

/// The body of a stream that never ends.
async fn endless(
    verifier: impl VerifyToken<RegisteredClaims>,
    content_type: &'static str,
) -> ExpiringBody<Written> {
    let inner = service_fn(move |_| async move {
        let body: Written = super::stream(stream::pending());
        let response = http::Response::builder().header("content-type", content_type);
        Ok::<_, BoxError>(response.body(body).unwrap())
    });
    let service = JwtAuthLayer::new(verifier).layer(EndAtExpiryLayer::new().layer(inner));
    service.oneshot(request_of(content_type, String::new())).await.unwrap().into_body()
}

fn verifier(clock: impl Clock, leeway: u64) -> JwtVerifier {
    let verifier = key(Algorithm::EdDSA).verifier().with_clock(clock);
    verifier.with_leeway(Duration::from_secs(leeway)).unwrap()
}

/// The `iat` of the tokens is 60 s before the start.
#[tokio::test(start_paused = true)]
async fn stream_ends_at_the_maximum_age_of_the_token() {
    for (max_age, leeway, end, reason) in [
        (100, 0, 40, "the token is too old"),
        (100, 7, 47, "the token is too old"),
        (60 + LIFETIME, 7, LIFETIME + 7, "the token has expired"),
        (3600, 7, LIFETIME + 7, "the token has expired"),
    ] {
        let clock = TimerClock::new();
        let max_age = Duration::from_secs(max_age);
        let verifier = || verifier(clock, leeway).with_max_age(max_age).unwrap();
        let mut body = endless(verifier(), GRPC).await;
        assert_eq!(next(&mut body).await, format!("status 16 {reason}"));
        assert_eq!(clock.seconds(), end);
        let token = key(Algorithm::EdDSA)
            .token(&crate::support::claims_with("exp", NOW + i64::try_from(LIFETIME).unwrap()));
        assert_eq!(verifier().verify_now(&token).unwrap_err().to_string(), reason);
    }
    let clock = TimerClock::new();
    let verifier = verifier(clock, 0).with_max_age(Duration::from_secs(100)).unwrap();
    assert_eq!(next(&mut endless(verifier, "text/plain").await).await, "TooOld");
}

/// Sets the end of the tokens of another verifier.
struct Until(JwtVerifier, i64);

impl VerifyToken<RegisteredClaims> for Until {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        let at = NumericDate::from_unix_seconds(self.1);
        self.0.verify_token(token, head).map(move |accepted| accepted.with_expires_at(at))
    }
}

#[tokio::test(start_paused = true)]
async fn expiry_that_a_custom_verifier_sets_for_a_jwt_has_no_leeway() {
    for seconds in [40, LIFETIME, 4000] {
        let clock = TimerClock::new();
        let until = Until(verifier(clock, 30), NOW + i64::try_from(seconds).unwrap());
        assert_eq!(next(&mut endless(until, "text/plain").await).await, "expired");
        assert_eq!(clock.seconds(), seconds);
    }
}

/// A clock that goes on with each look at it, by more than a timer waits for.
#[derive(Debug)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> NumericDate {
        NumericDate::from_unix_seconds(self.0.fetch_add(60, Ordering::Relaxed))
    }
}

#[tokio::test(start_paused = true)]
async fn clock_that_passes_the_end_between_two_looks_delays_nothing() {
    // The first look is that of the verifier.
    let clock = Jumping(AtomicI64::new(NOW));
    let mut body = endless(verifier(clock, 1), GRPC).await;
    let begun = Instant::now();
    assert_eq!(next(&mut body).await, "status 16 the token has expired");
    assert!(begun.elapsed() < Duration::from_secs(42), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn leeway_is_the_one_of_the_verifier() {
    for leeway in [0, 7, 300] {
        let clock = TimerClock::new();
        let mut body = endless(verifier(clock, leeway), "text/plain").await;
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
        let mut body = endless(verifier, "text/plain").await;
        let end = timeout(Duration::from_secs(86_400), next(&mut body)).await;
        assert_eq!(end.ok().as_deref(), ends.then_some("expired"));
    }
}
