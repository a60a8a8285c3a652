use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use tokio::runtime::{Builder, Handle};
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Algorithm, Fetch, FetchFuture, FetchRequest, JwksUrl, JwtVerifier, KeySource, RejectionKind,
    VerificationKey,
};

use super::{kind, pass, secs, unknown};

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_takes_no_fetch_with_him() {
    let issuer = MockIssuer::new();
    let keys = issuer.jwk_set().len();
    issuer.set_answer(MockAnswer::Drip(secs(2) / u32::try_from(keys).unwrap()));
    let verifier = issuer.verifier();
    let request = || {
        let (verifier, token) = (verifier.clone(), issuer.token().build());
        tokio::spawn(async move { kind(&verifier, &token).await })
    };
    let (first, second) = (request(), request());
    pass(1).await;
    // The one that began the fetch, mid-fetch.
    first.abort();
    assert_eq!(second.await.unwrap(), None);
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(issuer.key_fetches(), 1);

    // All of them: the fetch goes on, and the next one finds its keys.
    issuer.rotate();
    pass(11).await;
    let lonely = request();
    pass(1).await;
    lonely.abort();
    pass(5).await;
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    assert_eq!(issuer.key_fetches(), 2);

    // And the fetch that fails.
    issuer.rotate();
    issuer.set_answer(MockAnswer::Hang);
    pass(11).await;
    let (first, second) = (request(), request());
    pass(1).await;
    first.abort();
    assert_eq!(second.await.unwrap(), Some(RejectionKind::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn when_the_last_source_is_dropped_no_task_is_left() {
    for answer in [MockAnswer::Good, MockAnswer::Hang, MockAnswer::Status(500)] {
        let issuer = MockIssuer::new();
        issuer.set_answer(answer.clone());
        let verifier = issuer.verifier();
        let clone = verifier.clone();
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
        assert!(!verifier.key_status().is_ready());
        pass(1).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 1, "{answer:?}");
        drop(verifier);
        pass(1).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 1, "{answer:?}");
        drop(clone);
        pass(1).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "{answer:?}");
        let fetches = issuer.key_fetches();
        pass(3600).await;
        assert_eq!(issuer.key_fetches(), fetches);
    }
}

#[test]
fn it_is_built_without_a_runtime_and_outlives_several() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let unavailable = verifier.verify_now(&issuer.token().build()).unwrap_err();
    assert_eq!(unavailable.kind(), RejectionKind::Unavailable);
    assert!(!verifier.key_status().is_ready());

    for build in [Builder::new_current_thread, Builder::new_multi_thread] {
        let runtime = build().enable_all().build().unwrap();
        issuer.rotate();
        let token = issuer.token().build();
        // The cool-down is real here: the operator asks.
        runtime.block_on(verifier.refresh()).unwrap();
        assert_eq!(runtime.block_on(kind(&verifier, &token)), None);
    }
    // Without one, known keys are still known.
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    assert_eq!(verifier.key_status().changes(), 2);

    // One that goes away in the middle of a fetch.
    issuer.set_answer(MockAnswer::Hang);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let refresh = tokio::time::timeout(secs(1) / 20, verifier.refresh()).await;
        assert!(refresh.is_err());
    });
    drop(runtime);
    assert_eq!(verifier.key_status().last_error(), None);
    issuer.set_answer(MockAnswer::Good);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(verifier.refresh()).unwrap();
}

#[test]
fn without_a_runtime_a_look_up_that_must_fetch_ends_with_an_error() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let token = issuer.token().build();
    let mut waiting = std::pin::pin!(verifier.refresh());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = waiting.as_mut().poll(&mut context) else {
        panic!("it waits for nothing");
    };
    assert!(error.to_string().contains("runtime"), "{error}");
    assert!(verifier.verify_now(&token).is_err());
}

/// Panics at each odd fetch.
#[derive(Clone, Debug)]
struct Panicking(MockIssuer, Arc<AtomicUsize>);

impl Fetch for Panicking {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let answer = self.0.fetch(request);
        Box::pin(async move {
            assert!(number % 2 == 1, "a fault of the application's");
            answer.await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_panics_is_a_failed_fetch() {
    let issuer = MockIssuer::new();
    let fetcher = Panicking(issuer.clone(), Arc::default());
    let keys = JwksUrl::new_with(&issuer.jwks_url(), fetcher.clone()).unwrap();
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
    let token = issuer.token().build();
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
    assert_eq!(kind(&verifier, &token).await, None);
    // As any failed fetch: it does not storm.
    for _ in 0..1000 {
        kind(&verifier, &unknown(&issuer, "x")).await;
    }
    assert!(fetcher.1.load(Ordering::Relaxed) <= 4);
}

#[tokio::test(start_paused = true)]
async fn the_three_ways_to_start() {
    let issuer = MockIssuer::new();
    issuer.set_answer(MockAnswer::Status(500));
    let verifier = issuer.verifier();
    // Fail fast.
    let error = verifier.refresh().await.unwrap_err();
    assert!(error.to_string().contains("500"), "{error}");
    // Wait, so long at most.
    let start = tokio::time::Instant::now();
    let error = verifier.ready(secs(20)).await.unwrap_err();
    assert!(error.to_string().contains("500"), "{error}");
    assert_eq!(start.elapsed().as_secs(), 20);
    let waiting = tokio::spawn({
        let verifier = verifier.clone();
        async move { verifier.ready(secs(60)).await.is_ok() }
    });
    pass(20).await;
    issuer.set_answer(MockAnswer::Good);
    assert!(waiting.await.unwrap());
    assert!(verifier.ready(secs(0)).await.is_ok());
    // Lazily: a probe that asks is enough.
    let lazy = issuer.verifier();
    assert!(!lazy.key_status().is_ready());
    pass(1).await;
    assert!(lazy.key_status().is_ready());
    assert_eq!(lazy.key_status().fetches_ok(), 1);
}

#[tokio::test]
async fn keys_in_memory_are_ready() {
    let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap().with_kid("a");
    let set = tower_jwt_auth::JwkSet::from_keys([key.clone()]).unwrap();
    assert_eq!(set.status().kids(), ["a"]);
    let verifier = JwtVerifier::new("i", "a", Arc::new(key)).unwrap();
    assert!(verifier.key_status().is_ready());
    assert!(verifier.ready(secs(0)).await.is_ok() && verifier.refresh().await.is_ok());
    assert_eq!(verifier.key_status().next_refresh(), None);
}

#[test]
fn a_setter_makes_a_source_of_its_own() {
    #[derive(Debug)]
    struct Nothing;
    impl Fetch for Nothing {
        fn fetch(&self, _: FetchRequest) -> FetchFuture {
            Box::pin(async { Ok(Response::new(Bytes::new())) })
        }
    }
    let keys = JwksUrl::new("https://issuer.test/jwks?key=canary").unwrap();
    let other = keys.clone().with_fetcher(Arc::new(Nothing)).refuse_private_addresses().unwrap();
    let text = format!("{keys:?} {other:?} {:?}", keys.status());
    assert!(text.contains("https://issuer.test/jwks") && !text.contains("canary"), "{text}");
}
