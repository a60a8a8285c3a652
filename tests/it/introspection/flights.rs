//! One request at a time for one token, and a bound on all of them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use tower_jwt_auth::{
    ConfigErrorKind, Fetch, FetchFuture, FetchRequest, Introspection, RejectionKind,
};

use super::{Endpoint, URL, client, kind, outcome, secs, status};
use crate::support::{AUDIENCE, ISSUER, now};

fn poll_once(future: std::pin::Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test(start_paused = true)]
async fn requests_with_one_token_share_one_request() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(1));
    let verifier = endpoint.verifier();
    let all = join_all((0..500).map(|_| kind(&verifier, "good"))).await;
    assert!(all.iter().all(Option::is_none));
    assert_eq!(endpoint.count(), 1);
    let bad = join_all((0..500).map(|_| kind(&verifier, "bad"))).await;
    assert!(bad.iter().all(|kind| *kind == Some(RejectionKind::InactiveToken)));
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_with_one_token_share_one_request_also_without_a_cache_and_its_failure() {
    let endpoint = Endpoint::new(|_| status(500));
    endpoint.set_delay(secs(1));
    let verifier = endpoint.verifier().with_cache_age(secs(0)).unwrap();
    let all = join_all((0..50).map(|_| kind(&verifier, "a"))).await;
    assert!(all.iter().all(|kind| *kind == Some(RejectionKind::Unavailable)));
    assert_eq!(endpoint.count(), 1);
    // The next one is asked again.
    kind(&verifier, "a").await;
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn request_goes_on_when_the_one_that_began_it_is_cancelled() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(2));
    let verifier = endpoint.verifier();
    let mut first = Box::pin(outcome(&verifier, "good"));
    assert!(!poll_once(first.as_mut()));
    let second = tokio::spawn({
        let verifier = verifier.clone();
        async move { kind(&verifier, "good").await }
    });
    tokio::time::sleep(secs(1)).await;
    drop(first);
    assert_eq!(second.await.unwrap(), None);
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn request_ends_when_nobody_waits_for_it_and_its_slot_is_free() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(2));
    let verifier = endpoint.verifier().with_max_concurrent_requests(1).unwrap();
    for _ in 0..10 {
        let mut cancelled = Box::pin(outcome(&verifier, "good"));
        assert!(!poll_once(cancelled.as_mut()));
    }
    // It was cancelled at once, so each one began anew.
    assert_eq!(endpoint.count(), 10);
    assert_eq!(kind(&verifier, "good").await, None);
    assert_eq!((endpoint.count(), endpoint.most_at_once()), (11, 1));
}

#[tokio::test(start_paused = true)]
async fn verification_that_is_dropped_before_it_was_polled_leaves_nothing_behind() {
    use tower_jwt_auth::{PresentedToken, VerifyToken};

    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    let token = PresentedToken::bearer("good").unwrap();
    let (head, ()) = http::Request::new(()).into_parts();
    for _ in 0..5000 {
        drop(verifier.verify_token(&token, &head));
    }
    assert_eq!(endpoint.count(), 0);
    assert_eq!(kind(&verifier, "good").await, None);
}

#[tokio::test(start_paused = true)]
async fn endpoint_gets_a_bounded_number_of_requests_at_once() {
    for slots in [32, 3] {
        let endpoint = Endpoint::usual();
        endpoint.set_delay(Duration::from_millis(10));
        let mut verifier = endpoint.verifier();
        if slots != 32 {
            verifier = verifier.with_max_concurrent_requests(slots).unwrap();
        }
        let tokens: Vec<String> = (0..200).map(|n| format!("{n}.good")).collect();
        let all = join_all(tokens.iter().map(|token| kind(&verifier, token))).await;
        assert!(all.iter().all(Option::is_none));
        assert_eq!((endpoint.most_at_once(), endpoint.count()), (slots, 200));
    }
    for requests in [0, 1025] {
        let error = Endpoint::usual().verifier().with_max_concurrent_requests(requests);
        assert_eq!(error.unwrap_err().kind(), ConfigErrorKind::Capacity);
    }
}

#[tokio::test(start_paused = true)]
async fn token_that_gets_no_turn_in_time_is_unavailable() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(3));
    let verifier = endpoint.verifier().with_max_concurrent_requests(1).unwrap();
    let all = join_all(["1.good", "2.good", "3.good"].map(|token| kind(&verifier, token))).await;
    assert_eq!(all, [None, Some(RejectionKind::Unavailable), Some(RejectionKind::Unavailable)]);
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_is_overloaded_for_long_still_works_at_its_capacity() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(1));
    let verifier = endpoint.verifier().with_max_concurrent_requests(10).unwrap();
    // Three times as many tokens as it can answer.
    let begin = tokio::time::Instant::now();
    let all = join_all((0..1800_u64).map(|n| {
        let verifier = &verifier;
        async move {
            tokio::time::sleep_until(begin + Duration::from_millis(n * 33)).await;
            let refused = kind(verifier, &format!("{n}.good")).await;
            assert!(matches!(refused, None | Some(RejectionKind::Unavailable)), "{refused:?}");
            refused.is_none()
        }
    }))
    .await;
    let accepted = all.iter().filter(|is_accepted| **is_accepted).count();
    // 10 in each second of a minute.
    assert!(accepted > 560, "{accepted}");
}

#[tokio::test(start_paused = true)]
async fn token_that_was_accepted_lately_waits_before_new_ones() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    assert_eq!(kind(&verifier, "known.good").await, None);
    // Its answer is too old then.
    tokio::time::advance(secs(31)).await;
    endpoint.set_delay(secs(1));
    let tokens: Vec<String> = (0..1024).map(|n| format!("{n}.bad")).collect();
    let flood = tokio::spawn({
        let verifier = verifier.clone();
        async move { join_all(tokens.iter().map(|token| kind(&verifier, token))).await }
    });
    tokio::task::yield_now().await;
    let begin = tokio::time::Instant::now();
    // There is a place for it, and it is the next one.
    assert_eq!(kind(&verifier, "new.good").await, Some(RejectionKind::Unavailable));
    assert_eq!(kind(&verifier, "known.good").await, None);
    assert!(begin.elapsed() <= Duration::from_millis(2100), "{:?}", begin.elapsed());
    flood.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn flood_of_tokens_is_refused_at_once_and_known_tokens_still_pass() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    assert_eq!(kind(&verifier, "good").await, None);
    endpoint.set_delay(secs(4));
    let tokens: Vec<String> = (0..1024).map(|n| format!("{n}.bad")).collect();
    let mut flood: Vec<_> = tokens.iter().map(|it| Box::pin(outcome(&verifier, it))).collect();
    for request in &mut flood {
        assert!(!poll_once(request.as_mut()));
    }
    let mut one_more = pin!(verifier.verify("one-more.good"));
    let waker = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Err(refused)) = one_more.as_mut().poll(waker) else { panic!("it waits") };
    assert_eq!(refused.kind(), RejectionKind::Unavailable);
    assert_eq!(refused.retry_after(), Some(secs(1)));
    assert_eq!(kind(&verifier, "good").await, None);
    // One of them can still be joined.
    assert!(!poll_once(Box::pin(outcome(&verifier, "0.bad")).as_mut()));
    drop(flood);
    endpoint.set_delay(secs(0));
    assert_eq!(kind(&verifier, "one-more.good").await, None);
}

/// Panics for each request.
#[derive(Debug)]
struct Panics;

impl Fetch for Panics {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        Box::pin(async { panic!("as in a test") })
    }
}

#[tokio::test]
async fn panic_of_the_fetcher_is_an_outage_for_all_that_wait() {
    let verifier = Introspection::new_with(ISSUER, AUDIENCE, URL, client(), Panics).unwrap();
    let all = join_all((0..3).map(|_| kind(&verifier, "a"))).await;
    assert_eq!(all, [Some(RejectionKind::Unavailable); 3]);
    assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::Unavailable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_of_many_threads_agree_on_each_token() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(Duration::from_millis(1));
    let verifier = Arc::new(endpoint.verifier().with_cache_age(secs(1)).unwrap().with_clock(now()));
    let tasks = (0..400).map(|n| {
        let verifier = Arc::clone(&verifier);
        tokio::spawn(async move {
            let is_good = n % 2 == 0;
            let token = format!("{}.{}", n % 20, if is_good { "good" } else { "bad" });
            let accepted = match n % 3 {
                // Cancelled at some point.
                0 => {
                    let limit = Duration::from_micros(n * 10);
                    tokio::time::timeout(limit, verifier.verify(&token)).await.ok()
                }
                _ => Some(verifier.verify(&token).await),
            };
            accepted.is_none_or(|accepted| accepted.is_ok() == is_good)
        })
    });
    assert!(join_all(tasks).await.into_iter().all(|agrees| agrees.unwrap()));
    // It is asked again for those alone whose requests were all cancelled.
    assert!(endpoint.count() <= 20 + 134, "{}", endpoint.count());
}
