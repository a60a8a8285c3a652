use tower_jwt_auth::RejectionKind;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};

use super::{kind, pass, secs, unknown};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::Unavailable);
const UNKNOWN: Option<RejectionKind> = Some(RejectionKind::UnknownKey);

#[tokio::test(start_paused = true)]
async fn the_first_rotation_after_a_quiet_time_waits_for_nothing() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    for _ in 0..20 {
        issuer.rotate();
        let start = tokio::time::Instant::now();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
        assert!(start.elapsed() < secs(1));
        pass(10).await;
    }
    assert_eq!(issuer.key_fetches(), 21);
}

#[tokio::test(start_paused = true)]
async fn three_rotations_at_once_are_seen_and_a_fourth_one_within_ten_seconds() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    for _ in 0..3 {
        issuer.rotate();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    }
    assert_eq!(issuer.key_fetches(), 4);
    // The next fetch is allowed later than a request may wait: unknown, and at once.
    issuer.rotate();
    let start = tokio::time::Instant::now();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, UNKNOWN);
    assert_eq!(start.elapsed(), secs(0));
    // Now a request waits for it.
    pass(4).await;
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert!((secs(9)..secs(11)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(issuer.key_fetches(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_during_a_background_fetch_is_seen_by_the_next() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    // The answer has left the issuer, and takes two seconds.
    issuer.set_answer(MockAnswer::Drip(secs(2) / u32::try_from(issuer.jwk_set().len()).unwrap()));
    let background = tokio::spawn({
        let verifier = verifier.clone();
        async move { verifier.refresh().await.is_ok() }
    });
    pass(1).await;
    issuer.set_answer(MockAnswer::Good);
    issuer.rotate();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert!(background.await.unwrap());
    assert_eq!(issuer.key_fetches(), 3);
    assert_eq!(issuer.most_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_left_the_set_is_refused_from_that_fetch_on() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let old = issuer.token().build();
    assert_eq!(kind(&verifier, &old).await, None);
    issuer.rotate_and_drop();
    assert_eq!(kind(&verifier, &old).await, None);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert_eq!(kind(&verifier, &old).await, UNKNOWN);
    assert_eq!(verifier.key_status().kids().len(), 1);

    // And without anybody who asks, by the fetch in the background.
    let old = issuer.token().build();
    issuer.rotate_and_drop();
    pass(480).await;
    assert_eq!(kind(&verifier, &old).await, UNKNOWN);
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn while_the_last_fetch_failed_an_unknown_kid_is_503_also_when_it_may_ask_for_no_fetch() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    for _ in 0..3 {
        assert_eq!(kind(&verifier, &unknown(&issuer, "x")).await, UNKNOWN);
    }
    issuer.set_answer(MockAnswer::Status(500));
    // No further fetch is allowed, and the last one succeeded.
    assert_eq!(kind(&verifier, &unknown(&issuer, "x")).await, UNKNOWN);
    pass(11).await;
    for _ in 0..100 {
        assert_eq!(kind(&verifier, &unknown(&issuer, "x")).await, UNAVAILABLE);
        tokio::time::sleep(secs(1) / 10).await;
    }
    issuer.set_answer(MockAnswer::Good);
    pass(16).await;
    assert_eq!(kind(&verifier, &unknown(&issuer, "x")).await, UNKNOWN);
}

#[tokio::test(start_paused = true)]
async fn a_background_fetch_that_fails_does_not_use_up_that_of_an_unknown_kid() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Status(500));
    pass(700).await;
    issuer.set_answer(MockAnswer::Good);
    issuer.rotate();
    let start = tokio::time::Instant::now();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert!(start.elapsed() < secs(1));
}
