use tokio::time::Instant;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{KeySourceError, RejectionKind};

use super::{Scripted, answer, fetched, kind, pass, secs, unknown};

#[tokio::test(start_paused = true)]
async fn a_set_is_refreshed_ahead_of_its_end() {
    for (cache_control, fresh) in [
        ("", 600),
        ("max-age=3600", 3600),
        ("max-age=1", 60),
        ("no-store", 60),
        ("max-age=31536000", 86_400),
    ] {
        let issuer = MockIssuer::new();
        issuer.set_header("cache-control", cache_control);
        let verifier = issuer.verifier();
        verifier.refresh().await.unwrap();
        // It is due between 72 % and 80 %.
        pass(fresh * 71 / 100).await;
        assert_eq!(issuer.key_fetches(), 1, "{cache_control}");
        pass(fresh * 82 / 100 - fresh * 71 / 100).await;
        assert_eq!(issuer.key_fetches(), 2, "{cache_control}");
        assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_of_an_answer_counts() {
    let issuer = MockIssuer::new();
    issuer.set_header("cache-control", "max-age=3600");
    issuer.set_header("age", "3000");
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    let next = verifier.key_status().next_refresh().unwrap();
    assert!((secs(430)..=secs(480)).contains(&next), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_set_again_renews_it_and_changes_nothing() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    pass(400).await;
    assert!(verifier.key_status().age() >= Some(secs(400)));
    verifier.refresh().await.unwrap();
    let status = verifier.key_status();
    assert!(status.age() < Some(secs(1)));
    assert_eq!((status.changes(), status.fetches_ok(), status.keys()), (1, 2, 1));
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    issuer.rotate();
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.key_status().changes(), 2);
}

#[tokio::test(start_paused = true)]
async fn retries_back_off_in_the_background_and_do_not_storm() {
    let issuer = MockIssuer::new();
    issuer.set_answer(MockAnswer::Status(500));
    let verifier = issuer.verifier();
    let start = Instant::now();
    // 20 requests in each second.
    for _ in 0..300 {
        let token = issuer.token().build();
        assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
        tokio::time::sleep(secs(1) / 20).await;
    }
    assert!(start.elapsed() < secs(17));
    let fetches = issuer.key_fetches();
    assert!((4..=9).contains(&fetches), "{fetches}");

    // Less than the hour after which they end where nobody uses the keys.
    pass(3540).await;
    let later = issuer.key_fetches() - fetches;
    assert!((230..=500).contains(&later), "{later}");
    issuer.set_answer(MockAnswer::Good);
    pass(16).await;
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_does_not_lift_the_bound() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Body("application/json", "{\"keys\":[]}".into()));
    pass(60).await;
    let start = Instant::now();
    let mut n = 0;
    while start.elapsed() < secs(9) {
        n += 1;
        let refused = kind(&verifier, &unknown(&issuer, &n.to_string())).await;
        assert_eq!(refused, Some(RejectionKind::Unavailable));
        assert!(verifier.verify_now(&issuer.token().build()).is_ok());
        tokio::time::sleep(secs(1) / 100).await;
    }
    // One for the asking; the others are the retries of the background.
    let fetches = issuer.key_fetches() - 1;
    assert!((2..=6).contains(&fetches), "{fetches}");
}

#[tokio::test(start_paused = true)]
async fn the_kid_is_never_sent_and_a_stranger_one_is_only_compared() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    for kid in [
        "../../etc/passwd",
        "' OR 1=1",
        "\u{0}\r\n",
        "https://attacker.test/",
        "",
        &"k".repeat(2500),
    ] {
        let refused = kind(&verifier, &unknown(&issuer, kid)).await;
        assert_eq!(refused, Some(RejectionKind::UnknownKey), "{kid}");
        pass(11).await;
    }
    // The first one waited for the first fetch.
    assert_eq!(issuer.requests(), ["/jwks"; 6]);
    assert!(!format!("{verifier:?} {:?}", verifier.key_status()).contains("etc/passwd"));
}

#[tokio::test(start_paused = true)]
async fn a_jku_makes_no_request() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    let token = issuer.token().header("jku", "https://attacker.test/jwks");
    assert_eq!(kind(&verifier, &token.clone().build()).await, None);
    let strange = token.header("x5u", "https://attacker.test/x").forged().build();
    assert_eq!(kind(&verifier, &strange).await, Some(RejectionKind::InvalidSignature));
    assert_eq!(issuer.requests(), ["/jwks"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_set_would_not_change_asks_for_none() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    // Its `kid` is known, its algorithm is not the key's.
    let token = issuer.token().header("alg", "RS256").build();
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::UnknownKey));
    assert_eq!(issuer.key_fetches(), 1);
    // Which of two keys is meant cannot be told.
    issuer.rotate();
    verifier.refresh().await.unwrap();
    let token = issuer.token().without_header("kid").build();
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::UnknownKey));
    assert_eq!(issuer.key_fetches(), 2);
    // No key of that algorithm: a newer set may have one.
    let token = issuer.token().without_header("kid").header("alg", "RS256").build();
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::UnknownKey));
    assert_eq!(issuer.key_fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_answers_for_its_own_fetch() {
    let issuer = MockIssuer::new();
    let set = issuer.jwk_set();
    let fetch = Scripted::new(move |n, _| {
        let set = set.clone();
        Box::pin(async move {
            match n {
                1 => {
                    tokio::time::sleep(secs(1)).await;
                    answer(200, &[], set).await
                }
                _ => Err(KeySourceError::new("the second one fails")),
            }
        })
    });
    let verifier = fetched(&issuer, fetch);
    let first = tokio::spawn({
        let verifier = verifier.clone();
        async move { verifier.refresh().await.map_err(|e| e.to_string()) }
    });
    tokio::time::sleep(secs(1) / 2).await;
    let second = verifier.refresh().await.map_err(|e| e.to_string());
    let first = first.await.unwrap();
    assert!(second.is_err());
    assert!(first.is_ok(), "the first fetch succeeded");
}
