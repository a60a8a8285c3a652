use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, JwkSet, KeySource, OidcDiscovery, RejectionKind, VerificationKey,
};

use super::{of_initial_keys, published, verifier};
use crate::key_engine::{kind, pass, retry_after, secs, unknown};

#[tokio::test(start_paused = true)]
async fn initial_keys_verify_tokens_while_the_issuer_is_down_and_an_unknown_kid_is_503() {
    let issuer = MockIssuer::new();
    let verifier = of_initial_keys(&issuer);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    let rejection = verifier.verify(&unknown(&issuer, "another")).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    assert!((1..=2).contains(&retry_after(&rejection)));

    // Then the issuer is back.
    issuer.set_answer(MockAnswer::Good);
    pass(2).await;
    assert!(!verifier.key_status().is_unconfirmed());
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    let unknown = kind(&verifier, &unknown(&issuer, "another")).await;
    assert_eq!(unknown, Some(RejectionKind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn first_fetch_starts_with_the_first_use_and_replaces_the_initial_keys_as_a_whole() {
    let issuer = MockIssuer::new();
    let old = issuer.token().build();
    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    let verifier = verifier(&issuer, keys);
    issuer.rotate_and_drop();
    // The withdrawn key is refused at once: the look-up waits for the fetch.
    assert_eq!(kind(&verifier, &old).await, Some(RejectionKind::UnknownKey));
    assert_eq!(issuer.key_fetches(), 1);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert_eq!(verifier.key_status().keys(), 1);
}

#[tokio::test(start_paused = true)]
async fn initial_keys_are_ready_stale_and_unconfirmed_until_a_fetch_succeeds() {
    let issuer = MockIssuer::new();
    let verifier = of_initial_keys(&issuer);
    for seconds in [0, 3] {
        pass(seconds).await;
        let status = verifier.key_status();
        assert!(status.is_ready() && status.is_stale() && status.is_unconfirmed());
        assert_eq!((status.keys(), status.kids().len(), status.changes()), (1, 1, 0));
        assert_eq!(status.age(), None);
        // The first call has started the first fetch.
        assert_eq!(status.fetches_failed() > 0, seconds > 0);
    }
    issuer.set_answer(MockAnswer::Good);
    verifier.refresh().await.unwrap();
    let status = verifier.key_status();
    assert!(status.is_ready() && !status.is_stale() && !status.is_unconfirmed());
    assert!(status.age().unwrap() < secs(60) && status.changes() == 1);
}

#[tokio::test(start_paused = true)]
async fn initial_keys_end_an_hour_after_the_source_was_created() {
    let issuer = MockIssuer::new();
    let verifier = of_initial_keys(&issuer);
    let token = issuer.token().build();
    pass(3590).await;
    assert_eq!(kind(&verifier, &token).await, None);
    pass(20).await;
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
    let status = verifier.key_status();
    assert!(!status.is_ready() && status.is_unconfirmed());
}

#[tokio::test(start_paused = true)]
async fn hanging_issuer_costs_one_wait_of_five_seconds() {
    let issuer = MockIssuer::new();
    let verifier = of_initial_keys(&issuer);
    issuer.set_answer(MockAnswer::Hang);
    let token = issuer.token().build();
    let start = tokio::time::Instant::now();
    assert_eq!(kind(&verifier, &token).await, None);
    assert!((secs(4)..=secs(5)).contains(&start.elapsed()), "{:?}", start.elapsed());
    let start = tokio::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(kind(&verifier, &token).await, None);
    }
    assert_eq!(start.elapsed(), secs(0));
}

#[tokio::test(start_paused = true)]
async fn ready_waits_for_the_first_fetch_and_ends_when_it_fails() {
    let issuer = MockIssuer::new();
    let verifier = of_initial_keys(&issuer);
    issuer.set_answer(MockAnswer::Hang);
    let start = tokio::time::Instant::now();
    verifier.ready(secs(30)).await.unwrap();
    assert!((secs(4)..=secs(5)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(issuer.key_fetches(), 1);
    // From now on nothing waits.
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());

    let issuer = MockIssuer::new();
    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    let verifier = super::verifier(&issuer, keys);
    verifier.ready(secs(30)).await.unwrap();
    assert!(!verifier.key_status().is_unconfirmed());
}

#[tokio::test(start_paused = true)]
async fn many_requests_with_a_new_kid_wait_for_the_first_fetch_and_none_is_refused() {
    let issuer = MockIssuer::new();
    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    let verifier = verifier(&issuer, keys);
    issuer.rotate();
    issuer.set_answer(MockAnswer::Drip(secs(1) / 1000));
    let token = issuer.token().build();
    let requests = (0..200).map(|_| {
        let (verifier, token) = (verifier.clone(), token.clone());
        tokio::spawn(async move { kind(&verifier, &token).await })
    });
    let requests: Vec<_> = requests.collect();
    let (mut passed, mut unavailable) = (0, 0);
    for request in requests {
        match request.await.unwrap() {
            None => passed += 1,
            Some(RejectionKind::Unavailable) => unavailable += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((passed, unavailable), (200, 0));
    assert_eq!(issuer.key_fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn source_without_a_usable_answer_keeps_its_initial_keys_for_every_fault() {
    for (name, answer) in crate::key_engine::bad_answers(&MockIssuer::new()) {
        let issuer = MockIssuer::new();
        let verifier = of_initial_keys(&issuer);
        issuer.set_answer(answer);
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{name}");
        assert!(verifier.key_status().is_unconfirmed(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_begins_with_initial_keys_too_and_other_setters_keep_them() {
    let issuer = MockIssuer::new();
    let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    let keys = keys.with_initial_keys(published(&issuer)).unwrap();
    let keys = keys.with_fetcher(issuer.clone()).refuse_private_addresses().unwrap();
    issuer.set_metadata_answer(MockAnswer::Status(500));
    let verifier = verifier(&issuer, keys);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert!(verifier.key_status().is_unconfirmed());

    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    let keys = keys.with_fetcher(issuer.clone()).refuse_private_addresses().unwrap();
    assert!(keys.status().is_ready());
    assert!(keys.with_key_use("jwt-svid").unwrap().status().is_ready());
}

#[test]
fn initial_keys_that_a_source_of_fetched_keys_never_has_are_an_error() {
    let issuer = MockIssuer::new();
    let secret = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let secrets = JwkSet::from_keys([secret]).unwrap();
    let error = issuer.keys().with_initial_keys(secrets).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::KeySet);
    assert!(error.to_string().contains("secret"), "{error}");

    let mut twice: serde_json::Value = serde_json::from_str(&issuer.jwk_set()).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&MockIssuer::new().jwk_set()).unwrap();
    let mut other = other["keys"][0].take();
    other["kid"] = twice["keys"][0]["kid"].clone();
    twice["keys"].as_array_mut().unwrap().push(other);
    let empty = JwkSet::from_json(&twice.to_string()).unwrap();
    let error = issuer.keys().with_initial_keys(empty).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::KeySet);
}
