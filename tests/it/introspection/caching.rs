//! Which answers are used again, and for how long.

use std::time::Duration;

use serde_json::Value;
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{
    ClientCertificates, Introspection, JwtAuthLayer, NumericDate, RejectionKind, SenderConstrained,
};

use super::{Endpoint, active, active_with, kind, ok, secs};
use crate::support::NOW;
use crate::support::requests::{bearer, reached, send, send_later};

fn clock() -> ManualClock {
    ManualClock::new(NumericDate::from_unix_seconds(NOW))
}

async fn pass(clock: &ManualClock, by: Duration) {
    tokio::time::advance(by).await;
    clock.advance(by);
}

/// How often the endpoint was asked for the tokens of one name.
fn count(endpoint: &Endpoint, token: &str) -> usize {
    endpoint.asked().iter().filter(|asked| asked.token() == token).count()
}

#[tokio::test(start_paused = true)]
async fn answer_is_used_for_thirty_seconds_and_a_revocation_is_seen_then() {
    let (endpoint, clock) = (Endpoint::usual(), clock());
    let verifier = endpoint.verifier().with_clock(clock.clone());
    assert_eq!(kind(&verifier, "good").await, None);
    endpoint.set(|_| ok(r#"{"active": false}"#));
    pass(&clock, secs(29)).await;
    assert_eq!((kind(&verifier, "good").await, endpoint.count()), (None, 1));
    pass(&clock, secs(1)).await;
    assert_eq!(kind(&verifier, "good").await, Some(RejectionKind::InactiveToken));
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn answer_is_never_used_after_exp_whatever_the_leeway() {
    let (endpoint, clock) = (Endpoint::json(active_with("exp", NOW + 10)), clock());
    let verifier = endpoint.verifier().with_clock(clock.clone());
    assert_eq!(kind(&verifier, "a").await, None);
    clock.advance(secs(9));
    assert_eq!((kind(&verifier, "a").await, endpoint.count()), (None, 1));
    clock.advance(secs(1));
    // Within the leeway, the endpoint decides.
    assert_eq!((kind(&verifier, "a").await, endpoint.count()), (None, 2));
    assert_eq!((kind(&verifier, "a").await, endpoint.count()), (None, 3));
    clock.advance(secs(30));
    assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::ExpiredToken));
}

#[tokio::test(start_paused = true)]
async fn clock_that_stands_still_does_not_make_an_answer_younger() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    assert_eq!(kind(&verifier, "good").await, None);
    tokio::time::advance(secs(31)).await;
    assert_eq!((kind(&verifier, "good").await, endpoint.count()), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn age_of_an_answer_counts_from_the_request() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(4));
    let verifier = endpoint.verifier().with_cache_age(secs(6)).unwrap();
    assert_eq!(kind(&verifier, "good").await, None);
    tokio::time::advance(secs(2)).await;
    assert_eq!((kind(&verifier, "good").await, endpoint.count()), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn age_is_configurable_and_zero_turns_the_caches_off() {
    let (endpoint, clock) = (Endpoint::usual(), clock());
    let verifier = endpoint.verifier().with_clock(clock.clone());
    let short = verifier.clone().with_cache_age(Duration::from_millis(1500)).unwrap();
    assert_eq!(kind(&short, "good").await, None);
    pass(&clock, secs(1)).await;
    assert_eq!((kind(&short, "good").await, endpoint.count()), (None, 1));
    pass(&clock, Duration::from_millis(500)).await;
    assert_eq!((kind(&short, "good").await, endpoint.count()), (None, 2));

    let endpoint = Endpoint::usual();
    let off = endpoint.verifier().with_cache_age(Duration::ZERO).unwrap();
    for _ in 0..3 {
        assert_eq!(kind(&off, "good").await, None);
        assert_eq!(kind(&off, "bad").await, Some(RejectionKind::InactiveToken));
    }
    assert_eq!((count(&endpoint, "good"), count(&endpoint, "bad")), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn refused_token_is_asked_about_again_after_five_seconds() {
    for (answer, expected) in [
        (r#"{"active": false}"#.to_owned(), RejectionKind::InactiveToken),
        (active_with("aud", "other").to_string(), RejectionKind::WrongAudience),
        (active_with("cnf", Value::from("x")).to_string(), RejectionKind::Unavailable),
    ] {
        let endpoint = Endpoint::new(move |_| ok(answer.clone()));
        let verifier = endpoint.verifier();
        for _ in 0..10 {
            assert_eq!(kind(&verifier, "a").await, Some(expected));
        }
        // That nothing is known is not kept.
        let is_kept = expected != RejectionKind::Unavailable;
        assert_eq!(endpoint.count(), if is_kept { 1 } else { 10 }, "{expected:?}");
        endpoint.set_json(active());
        tokio::time::advance(secs(5)).await;
        assert_eq!(kind(&verifier, "a").await, None);
    }
    let endpoint = Endpoint::usual();
    let short = endpoint.verifier().with_cache_age(secs(1)).unwrap();
    kind(&short, "bad").await;
    tokio::time::advance(secs(1)).await;
    kind(&short, "bad").await;
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test]
async fn flood_of_bad_tokens_evicts_no_good_one_and_is_bounded_itself() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier().with_cache_capacity(100).unwrap();
    for good in 0..20 {
        assert_eq!(kind(&verifier, &format!("{good}.good")).await, None);
    }
    for bad in 0..5000 {
        assert_eq!(
            kind(&verifier, &format!("{bad}.bad")).await,
            Some(RejectionKind::InactiveToken)
        );
    }
    let before = endpoint.count();
    for good in 0..20 {
        assert_eq!(kind(&verifier, &format!("{good}.good")).await, None);
    }
    assert_eq!(endpoint.count(), before);
    // A repeated one is refused from the cache, which keeps few of them.
    kind(&verifier, "4999.bad").await;
    assert_eq!(endpoint.count(), before);
    for bad in 0..5000 {
        kind(&verifier, &format!("{bad}.bad")).await;
    }
    let asked_again = endpoint.count() - before;
    assert!(asked_again > 3900, "{asked_again}");
}

#[tokio::test]
async fn long_answers_count_for_the_capacity() {
    let endpoint = Endpoint::json(active_with("note", "a".repeat(20_000)));
    let verifier = endpoint.verifier().with_cache_capacity(100).unwrap();
    for _ in 0..2 {
        for token in 0..60 {
            assert_eq!(kind(&verifier, &format!("{token}.long")).await, None);
        }
    }
    // 500 KiB hold a few of them, whose texts alone take 1.2 MB.
    assert!(endpoint.count() > 100, "{}", endpoint.count());
    kind(&verifier, "59.long").await;
    let before = endpoint.count();
    kind(&verifier, "59.long").await;
    assert_eq!(endpoint.count(), before);
}

#[tokio::test(start_paused = true)]
async fn newer_inactive_answer_holds_for_every_caller() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    let plain = JwtAuthLayer::new(verifier.clone());
    let certificates = ClientCertificates::from_extensions();
    let constrained =
        JwtAuthLayer::new(SenderConstrained::client_certificates(verifier, certificates));
    for (first, second) in [(&plain, &constrained), (&constrained, &plain)] {
        endpoint.set_json(active());
        assert!(reached(&send_later(first, bearer("good")).await).is_some());
        tokio::time::advance(secs(20)).await;
        assert!(reached(&send_later(second, bearer("good")).await).is_some());
        endpoint.set(|_| ok(r#"{"active": false}"#));
        tokio::time::advance(secs(10)).await;
        for layer in [first, second] {
            assert!(reached(&send_later(layer, bearer("good")).await).is_none());
        }
        tokio::time::advance(secs(60)).await;
    }
}

#[tokio::test]
async fn setter_forgets_what_was_accepted_and_a_clone_does_not() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    assert_eq!(kind(&verifier, "good").await, None);
    assert_eq!((kind(&verifier.clone(), "good").await, endpoint.count()), (None, 1));
    let strict = verifier.clone().add_required_claim("jti");
    assert_eq!(kind(&strict, "good").await, Some(RejectionKind::MissingClaim));
    let other = Introspection::with_claims::<Value>(verifier);
    assert!(other.verify("good").await.is_ok());
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test]
async fn token_from_the_cache_is_accepted_at_once_by_the_layer() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    let layer = JwtAuthLayer::new(verifier.clone());
    assert_eq!(kind(&verifier, "good").await, None);
    let response = send(&layer, bearer("good"));
    assert!(reached(&response).is_some());
    // Another text is another token, however similar.
    for other in ["Good", "good=", "goo", "agood"] {
        verifier.verify(other).await.ok();
    }
    assert_eq!(endpoint.count(), 5);
}
