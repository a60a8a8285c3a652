//! Keys past their time: one attempt to renew them comes first.

use tokio::time::Instant;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{JwtVerifier, KeySource, RejectionKind};

use super::{Spy, kind, pass, secs};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::Unavailable);
const UNKNOWN: Option<RejectionKind> = Some(RejectionKind::UnknownKey);

/// A day without a request: nothing has been fetched for hours, and the set may be used no longer.
const IDLE: u64 = 24 * 3600;

/// A verifier whose keys are stale, and that nothing refreshes: its runtime stood still.
fn with_stale_keys(issuer: &MockIssuer) -> JwtVerifier {
    let verifier = issuer.verifier();
    // The tasks of the source go with the runtime of this thread.
    let fetched = std::thread::spawn({
        let verifier = verifier.clone();
        move || {
            let first = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            first.block_on(verifier.refresh()).map_err(|error| error.to_string())
        }
    });
    fetched.join().unwrap().unwrap();
    verifier
}

#[tokio::test(start_paused = true)]
async fn a_key_that_left_the_set_is_not_used_past_its_time_without_an_attempt() {
    let issuer = MockIssuer::new();
    issuer.set_header("cache-control", "max-age=60");
    let verifier = with_stale_keys(&issuer);
    let old = issuer.token().build();
    assert_eq!(kind(&verifier, &old).await, None);
    issuer.rotate_and_drop();
    pass(62).await;
    assert_eq!(issuer.key_fetches(), 1);
    assert_eq!(kind(&verifier, &old).await, UNKNOWN);
    assert_eq!(issuer.key_fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_issuer_costs_one_wait_for_stale_keys() {
    let issuer = MockIssuer::new();
    let verifier = with_stale_keys(&issuer);
    pass(700).await;
    issuer.set_answer(MockAnswer::Hang);
    let token = issuer.token().build();
    assert!(verifier.key_status().is_stale());
    let start = Instant::now();
    let together: Vec<_> = (0..10)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { kind(&verifier, &token).await })
        })
        .collect();
    for verified in together {
        assert_eq!(verified.await.unwrap(), None);
    }
    assert!((secs(4)..secs(6)).contains(&start.elapsed()));
    // From now on they are used at once; the retries run beside the requests.
    for _ in 0..600 {
        let now = Instant::now();
        assert_eq!(kind(&verifier, &token).await, None);
        assert_eq!(now.elapsed(), secs(0));
        pass(1).await;
    }
    assert!(issuer.key_fetches() > 20, "{}", issuer.key_fetches());
    issuer.set_answer(MockAnswer::Good);
    pass(21).await;
    assert!(!verifier.key_status().is_stale());
    assert_eq!(kind(&verifier, &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn verify_now_uses_stale_keys_and_starts_the_fetch_that_is_due() {
    let issuer = MockIssuer::new();
    let verifier = with_stale_keys(&issuer);
    pass(700).await;
    let now = Instant::now();
    let token = issuer.token().build();
    issuer.rotate_and_drop();
    assert!(verifier.verify_now(&token).is_ok());
    assert_eq!(now.elapsed(), secs(0));
    pass(1).await;
    assert_eq!(issuer.key_fetches(), 2);
    assert!(verifier.verify_now(&token).is_err());
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_of_stale_keys_before_an_attempt_to_renew_them() {
    let issuer = MockIssuer::new();
    let keys = issuer.keys();
    let spy = Spy::new(keys.clone());
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", spy).unwrap();
    verifier.refresh().await.unwrap();
    let generation = keys.generation();
    pass(IDLE).await;
    // Too old to be used.
    assert_eq!(keys.generation(), None);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert_eq!(keys.generation(), generation);
    // Asking for it keeps the set fresh, as a look-up does.
    let fetches = issuer.key_fetches();
    for _ in 0..100 {
        pass(100).await;
        assert_eq!(keys.generation(), generation);
    }
    assert!((20..=24).contains(&(issuer.key_fetches() - fetches)));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_used_is_refreshed_ahead_and_one_that_is_not_is_left_alone() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let token = || issuer.token().build();
    for _ in 0..100 {
        let start = Instant::now();
        assert_eq!(kind(&verifier, &token()).await, None);
        assert!(start.elapsed() < secs(1));
        pass(300).await;
    }
    let used = issuer.key_fetches();
    assert!((60..=75).contains(&used), "{used}");
    pass(IDLE).await;
    let idle = issuer.key_fetches() - used;
    assert!(idle <= 10, "{idle}");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    // The next one waits for one fetch.
    assert_eq!(kind(&verifier, &token()).await, None);
    assert_eq!(issuer.key_fetches(), used + idle + 1);
    issuer.set_answer(MockAnswer::Hang);
    pass(IDLE).await;
    assert_eq!(kind(&verifier, &token()).await, UNAVAILABLE);
}
