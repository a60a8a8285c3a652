//! Unknown `kid`s: what they may ask for, and who waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{JwtVerifier, KeySourceError, RejectionKind};

use super::{Scripted, answer, fetched, kind, pass, retry_after, secs, unknown};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::Unavailable);
const UNKNOWN: Option<RejectionKind> = Some(RejectionKind::UnknownKey);

fn spawn(verifier: &JwtVerifier, token: String) -> JoinHandle<Option<RejectionKind>> {
    let verifier = verifier.clone();
    tokio::spawn(async move { kind(&verifier, &token).await })
}

/// All that was spawned has had its turn; no time has passed.
async fn started() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// Uses the three fetches up.
async fn empty_the_bucket(issuer: &MockIssuer, verifier: &JwtVerifier) {
    for n in 0..3 {
        assert_eq!(kind(verifier, &unknown(issuer, &format!("bad-{n}"))).await, UNKNOWN);
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_random_kids_make_three_fetches_in_ten_seconds() {
    for starts_cold in [true, false] {
        let issuer = MockIssuer::new();
        let verifier = issuer.verifier();
        let before = match starts_cold {
            true => 0,
            false => {
                verifier.refresh().await.unwrap();
                1
            }
        };
        let start = Instant::now();
        let (mut flood, mut in_ten_seconds) = (Vec::new(), 0);
        for n in 0..10_000 {
            flood.push(spawn(&verifier, unknown(&issuer, &format!("random-{n}"))));
            tokio::time::sleep(secs(1) / 1_100).await;
            if n > 0 {
                // The clients that are good do not notice.
                let now = Instant::now();
                assert!(verifier.verify_now(&issuer.token().build()).is_ok());
                assert_eq!(now.elapsed(), secs(0));
            }
            if start.elapsed() < secs(10) {
                in_ten_seconds = issuer.key_fetches() - before;
            }
        }
        assert!((secs(10)..secs(25)).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(in_ten_seconds, 3, "cold: {starts_cold}");
        for refused in flood {
            assert_eq!(refused.await.unwrap(), UNKNOWN);
        }
        let fetches = issuer.key_fetches();
        println!("10000 unknown kids in {:?}: {fetches} fetches", start.elapsed());

        for n in 0..100 {
            spawn(&verifier, unknown(&issuer, &format!("later-{n}")));
            pass(1).await;
        }
        assert!((9..=11).contains(&(issuer.key_fetches() - fetches)));
    }
}

/// A rotation without notice under load, while junk comes in as well.
#[tokio::test(start_paused = true)]
async fn no_token_of_a_new_key_is_refused_after_a_rotation_without_notice() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    for rotation in 0..5 {
        for n in 0..2 {
            let bad = unknown(&issuer, &format!("bad-{rotation}-{n}"));
            assert_eq!(kind(&verifier, &bad).await, UNKNOWN);
        }
        issuer.rotate_and_drop();
        let good: Vec<_> = (0..60).map(|_| spawn(&verifier, issuer.token().build())).collect();
        for verified in good {
            assert_eq!(verified.await.unwrap(), None);
        }
        pass(30).await;
    }
    // Three for each rotation: two for junk, and one for sixty good tokens together.
    assert_eq!(issuer.key_fetches(), 1 + 5 * 3);
    assert_eq!(issuer.most_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_new_key_wait_for_the_next_fetch_together_with_junk() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    empty_the_bucket(&issuer, &verifier).await;
    pass(5).await;
    issuer.rotate();
    let start = Instant::now();
    let bad: Vec<_> =
        (0..20).map(|n| spawn(&verifier, unknown(&issuer, &format!("worse-{n}")))).collect();
    let good: Vec<_> = (0..40).map(|_| spawn(&verifier, issuer.token().build())).collect();
    for verified in good {
        assert_eq!(verified.await.unwrap(), None);
    }
    for refused in bad {
        assert_eq!(refused.await.unwrap(), UNKNOWN);
    }
    assert!((secs(4)..secs(6)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(issuer.key_fetches(), 5);
}

#[tokio::test(start_paused = true)]
async fn at_most_64_requests_wait_for_an_unknown_kid() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Hang);
    let start = Instant::now();
    let waiting: Vec<_> =
        (0..64).map(|n| spawn(&verifier, unknown(&issuer, &n.to_string()))).collect();
    started().await;
    for n in 64..1000 {
        assert_eq!(kind(&verifier, &unknown(&issuer, &n.to_string())).await, UNKNOWN);
    }
    assert_eq!(start.elapsed(), secs(0));
    for refused in waiting {
        assert_eq!(refused.await.unwrap(), UNAVAILABLE);
    }
    assert!((secs(4)..secs(6)).contains(&start.elapsed()));
    // The places are free again, also those of requests that went away.
    issuer.set_answer(MockAnswer::Good);
    pass(60).await;
    for _ in 0..3 {
        issuer.set_answer(MockAnswer::Hang);
        let gone: Vec<_> =
            (0..64).map(|n| spawn(&verifier, unknown(&issuer, &n.to_string()))).collect();
        started().await;
        gone.iter().for_each(JoinHandle::abort);
        pass(6).await;
        issuer.set_answer(MockAnswer::Good);
        pass(60).await;
    }
    issuer.rotate();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
}

/// An untrusted client causes no 5xx, however slow the issuer is.
#[tokio::test(start_paused = true)]
async fn an_unknown_kid_that_waited_for_as_long_as_it_may_is_401() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    let bytes = u32::try_from(issuer.jwk_set().len()).unwrap();
    issuer.set_answer(MockAnswer::Drip(secs(9) / 2 / bytes));
    let first = spawn(&verifier, unknown(&issuer, "first"));
    pass(1).await;
    // It waits for the fetch under way, and then for one of its own.
    let start = Instant::now();
    assert_eq!(kind(&verifier, &unknown(&issuer, "second")).await, UNKNOWN);
    assert_eq!(start.elapsed(), secs(7));
    assert_eq!(first.await.unwrap(), UNKNOWN);
}

#[tokio::test(start_paused = true)]
async fn verify_now_asks_for_no_fetch_by_an_unknown_kid() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let now = |token: &str| verifier.verify_now(token).err().map(|rejection| rejection.kind());
    // The first fetch starts as ever.
    assert_eq!(now(&issuer.token().build()), UNAVAILABLE);
    pass(1).await;
    assert_eq!(issuer.key_fetches(), 1);
    for n in 0..100 {
        // A fetch would tell whether there is such a key.
        assert_eq!(now(&unknown(&issuer, &n.to_string())), UNAVAILABLE);
        pass(1).await;
    }
    assert_eq!(issuer.key_fetches(), 1);
    // All three are left.
    for _ in 0..3 {
        issuer.rotate();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    }
    assert_eq!(now(&unknown(&issuer, "x")), UNKNOWN);
    assert_eq!(issuer.key_fetches(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_is_due_uses_up_none_of_an_unknown_kid() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    // Nobody uses the source for a day: nothing is fetched ahead any longer.
    pass(24 * 3600).await;
    let before = issuer.key_fetches();
    assert!(before <= 10, "{before} fetches for nobody");
    assert_eq!(kind(&verifier, &unknown(&issuer, "x")).await, UNKNOWN);
    for _ in 0..3 {
        issuer.rotate();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    }
    assert_eq!(issuer.key_fetches(), before + 4);
}

/// The issuer asks us to come again after so many seconds; `None`: it is well.
#[tokio::test(start_paused = true)]
async fn retry_after_of_the_issuer_is_heeded() {
    let issuer = MockIssuer::new();
    let asks = Arc::new(Mutex::new(None));
    let (set, asked, fetches) = (issuer.jwk_set(), Arc::clone(&asks), Arc::default());
    let counter: Arc<AtomicUsize> = Arc::clone(&fetches);
    let fetch = Scripted::new(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        let asked = asked.lock().unwrap().map(secs);
        let set = set.clone();
        Box::pin(async move {
            match asked {
                None => answer(200, &[], set).await,
                Some(time) => Err(KeySourceError::new("too many requests").with_retry_after(time)),
            }
        })
    });
    let verifier = fetched(&issuer, fetch);
    let fetches = || fetches.load(Ordering::Relaxed);
    let refused = async |token: String| {
        let refused = verifier.verify(&token).await.unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::Unavailable);
        retry_after(&refused)
    };

    // Before there is a set: 20 seconds at most.
    *asks.lock().unwrap() = Some(12);
    assert!((12..=13).contains(&refused(issuer.token().build()).await));
    pass(11).await;
    assert!((1..=2).contains(&refused(issuer.token().build()).await));
    assert_eq!(fetches(), 1);
    *asks.lock().unwrap() = Some(3600);
    pass(2).await;
    assert_eq!(fetches(), 2);
    pass(18).await;
    assert_eq!(fetches(), 2);
    *asks.lock().unwrap() = None;
    pass(3).await;
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    assert_eq!(fetches(), 3);

    // After that: 5 minutes, whoever asks; and the keys serve on.
    *asks.lock().unwrap() = Some(3600);
    let waits = refused(unknown(&issuer, "x")).await;
    assert!((299..=301).contains(&waits), "{waits}");
    assert_eq!(fetches(), 4);
    for _ in 0..29 {
        pass(10).await;
        refused(unknown(&issuer, "x")).await;
        assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    }
    assert_eq!(fetches(), 4);
    pass(11).await;
    assert_eq!(fetches(), 5);
}
