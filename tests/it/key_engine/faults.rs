use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::json;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{Algorithm, JwtVerifier, KeySource, RejectionKind};

use super::{Spy, bad_answers, kind, pass, retry_after, secs, unknown};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::Unavailable);
const UNKNOWN: Option<RejectionKind> = Some(RejectionKind::UnknownKey);

#[tokio::test(start_paused = true)]
async fn a_bad_first_answer_is_503_and_is_overcome() {
    for (name, answer) in bad_answers(&MockIssuer::new()) {
        let issuer = MockIssuer::new();
        issuer.set_answer(answer);
        let verifier = issuer.verifier();
        let start = tokio::time::Instant::now();
        let rejection = verifier.verify(&issuer.token().build()).await.unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::Unavailable, "{name}");
        assert!((1..=15).contains(&retry_after(&rejection)), "{name}");
        assert!(start.elapsed() < secs(8), "{name}");
        let status = verifier.key_status();
        assert!(!status.is_ready() && status.last_error().is_some(), "{name}");
        assert_eq!((status.changes(), status.keys()), (0, 0), "{name}");

        issuer.set_answer(MockAnswer::Good);
        pass(16).await;
        assert!(verifier.verify_now(&issuer.token().build()).is_ok(), "{name}");
        assert!(verifier.key_status().last_error().is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_later_answer_leaves_the_old_set() {
    for (name, answer) in bad_answers(&MockIssuer::new()) {
        let issuer = MockIssuer::new();
        let verifier = issuer.verifier();
        verifier.refresh().await.unwrap();
        issuer.set_answer(answer);
        let error = verifier.refresh().await.unwrap_err().to_string();
        assert!(error.contains("https://issuer.test/jwks"), "{name}: {error}");
        assert!(verifier.verify_now(&issuer.token().build()).is_ok(), "{name}");
        let status = verifier.key_status();
        assert!(status.is_ready() && !status.is_stale(), "{name}");
        assert_eq!((status.changes(), status.fetches_failed()), (1, 1), "{name}");
        // Nobody can tell whether this one is new.
        assert_eq!(kind(&verifier, &unknown(&issuer, "x")).await, UNAVAILABLE, "{name}");
        assert_eq!(kind(&verifier, &unknown(&issuer, "y")).await, UNAVAILABLE, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn symmetric_and_private_keys_are_refused_and_reported() {
    let issuer = MockIssuer::new();
    let good: serde_json::Value = serde_json::from_str(&issuer.jwk_set()).unwrap();
    let secret = crate::support::key(Algorithm::HS256);
    let private = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "private", "d": "AAAA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let odd = json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "odd", "pub": "AAAA"});
    let set = json!({"keys": [good["keys"][0], secret.jwk(), private, odd]}).to_string();
    issuer.set_answer(MockAnswer::Body("application/jwk-set+json", set.into()));
    let verifier = issuer.verifier();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);

    let claims =
        json!({"iss": issuer.issuer(), "aud": "https://api.test", "exp": 4_102_444_800_u64});
    assert_eq!(kind(&verifier, &secret.token(&claims)).await, UNKNOWN);
    let status = verifier.key_status();
    assert_eq!(status.keys(), 1);
    let reasons: Vec<_> = status.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].contains("symmetric") && reasons[1].contains("private"), "{reasons:?}");
    assert!(reasons[2].contains("\"odd\""), "{reasons:?}");

    // Of nothing but secrets there is no set.
    let set = json!({"keys": [secret.jwk()]}).to_string();
    issuer.set_answer(MockAnswer::Body("application/json", set.into()));
    assert!(verifier.refresh().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_set_of_a_hundred_keys_and_one_without_a_type_are_good() {
    let issuer = MockIssuer::new();
    for _ in 1..100 {
        issuer.rotate();
    }
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.key_status().keys(), 100);
    assert_eq!(verifier.key_status().kids().len(), 100);

    issuer.rotate_and_drop();
    issuer.set_answer(MockAnswer::Body("", Bytes::from(issuer.jwk_set())));
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.key_status().keys(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_known_key_is_answered_at_once_while_the_issuer_hangs() {
    let issuer = MockIssuer::new();
    let spy = Spy::new(issuer.keys());
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", spy.clone()).unwrap();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Hang);
    let hanging = tokio::spawn({
        let (verifier, token) = (verifier.clone(), unknown(&issuer, "x"));
        async move { kind(&verifier, &token).await }
    });
    pass(1).await;
    let now = tokio::time::Instant::now();
    for _ in 0..1000 {
        assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    }
    assert_eq!(now.elapsed(), secs(0));
    assert_eq!(spy.ready.load(Ordering::Relaxed), 1000);
    assert_eq!(spy.pending.load(Ordering::Relaxed), 1);
    assert_eq!(hanging.await.unwrap(), UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn stale_keys_serve_for_an_hour_and_then_it_is_503() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let token = || issuer.token().build();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Refuse);
    for _ in 0..69 {
        pass(60).await;
        assert!(verifier.verify_now(&token()).is_ok());
    }
    let status = verifier.key_status();
    assert!(status.is_ready() && status.is_stale() && status.age() > Some(secs(4000)));
    pass(61).await;
    let rejection = verifier.verify(&token()).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    assert!((1..=15).contains(&retry_after(&rejection)));
    assert!(!verifier.key_status().is_ready());

    issuer.set_answer(MockAnswer::Good);
    pass(16).await;
    assert!(verifier.verify_now(&token()).is_ok());
    // The same set as before the outage.
    assert_eq!(verifier.key_status().changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_of_a_set_is_not_used_longer_than_the_set() {
    let issuer = MockIssuer::new();
    let keys = issuer.keys();
    assert_eq!(keys.generation(), None);
    keys.refresh().await.unwrap();
    let first = keys.generation();
    assert!(first.is_some());
    issuer.rotate();
    keys.refresh().await.unwrap();
    let second = keys.generation();
    assert!(second.is_some() && second != first);
    // The same set again.
    keys.refresh().await.unwrap();
    assert_eq!(keys.generation(), second);
    issuer.set_answer(MockAnswer::Refuse);
    pass(2 * 3600).await;
    assert_eq!(keys.generation(), None);
    issuer.set_answer(MockAnswer::Good);
    keys.refresh().await.unwrap();
    assert_eq!(keys.generation(), second);
}

#[tokio::test(start_paused = true)]
async fn stale_if_error_of_the_issuer_is_honoured() {
    let issuer = MockIssuer::new();
    issuer.set_header("cache-control", "max-age=300, stale-if-error=120");
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Status(503));
    pass(419).await;
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    pass(2).await;
    assert_eq!(kind(&verifier, &issuer.token().build()).await, UNAVAILABLE);
}
