//! An endpoint that gives no answer: 503, never 401.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use http::Response;
use tower_jwt_auth::{Introspection, JwtAuthLayer, KeySourceError, Rejection, RejectionKind};

use super::{Endpoint, URL, active, client, kind, ok, secs, status};
use crate::support::requests::{bearer, reached, send_later};
use crate::support::{AUDIENCE, ISSUER, now};

async fn refused(verifier: &Introspection, token: &str) -> Rejection {
    verifier.verify(token).await.unwrap_err()
}

/// An answer with `Retry-After`.
fn busy(status: u16, retry_after: &'static str) -> Endpoint {
    Endpoint::new(move |_| {
        let response = Response::builder().status(status).header("retry-after", retry_after);
        Ok(response.body(Bytes::new()).unwrap())
    })
}

#[tokio::test(start_paused = true)]
async fn endpoint_without_an_answer_is_503_with_retry_after() {
    for code in [204, 301, 302, 400, 401, 403, 404, 408, 429, 500, 502, 503, 203, 206] {
        let layer = JwtAuthLayer::new(Endpoint::new(move |_| status(code)).verifier());
        let response = send_later(&layer, bearer("a")).await;
        assert!(reached(&response).is_none());
        assert_eq!(response.status(), 503, "{code}");
        assert!(response.headers().contains_key("retry-after"), "{code}");
        assert!(!response.headers().contains_key("www-authenticate"), "{code}");
    }
    let down = Endpoint::new(|_| Err(KeySourceError::new("connection refused")));
    let rejection = refused(&down.verifier(), "a").await;
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    assert_eq!(rejection.retry_after(), Some(secs(5)));
}

#[tokio::test]
async fn kind_of_token_that_the_endpoint_does_not_know_is_not_active() {
    let refusing = |status: u16, body: &'static str| {
        Endpoint::new(move |_| {
            let response = Response::builder().status(status);
            Ok(response.body(Bytes::from_static(body.as_bytes())).unwrap())
        })
    };
    // As oidc-provider says of a JWT.
    let unsupported = r#"{"error": "unsupported_token_type", "error_description": "no"}"#;
    let endpoint = refusing(400, unsupported);
    assert_eq!(kind(&endpoint.verifier(), "a").await, Some(RejectionKind::InactiveToken));
    for (status, body) in [
        (403, unsupported),
        (500, unsupported),
        (400, r#"{"error": "invalid_request"}"#),
        (400, r#"{"error": ["unsupported_token_type"]}"#),
        (400, r#"{"error": "invalid_client"}"#),
        (400, r#"{"error": "unsupported_token_type", "error": "invalid_client"}"#),
        (400, "unsupported_token_type"),
        (400, ""),
    ] {
        let kind = kind(&refusing(status, body).verifier(), "a").await;
        assert_eq!(kind, Some(RejectionKind::Unavailable), "{status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_hangs_costs_five_seconds_at_most() {
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(3600));
    let verifier = endpoint.verifier();
    let begin = tokio::time::Instant::now();
    assert_eq!(kind(&verifier, "good").await, Some(RejectionKind::Unavailable));
    let took = begin.elapsed();
    assert!(took >= secs(5) && took < Duration::from_millis(5100), "{took:?}");
    assert_eq!(endpoint.most_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn known_tokens_pass_during_an_outage_and_others_after_it() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    assert_eq!(kind(&verifier, "1.good").await, None);
    endpoint.set(|_| status(502));
    assert_eq!(kind(&verifier, "1.good").await, None);
    assert_eq!(kind(&verifier, "2.good").await, Some(RejectionKind::Unavailable));
    endpoint.set_json(active());
    assert_eq!(kind(&verifier, "2.good").await, None);
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_the_endpoint_is_passed_on_and_respected() {
    for code in [429, 503] {
        let endpoint = busy(code, "20");
        let verifier = endpoint.verifier();
        assert_eq!(refused(&verifier, "1").await.retry_after(), Some(secs(20)));
        endpoint.set_json(active());
        tokio::time::advance(secs(5)).await;
        assert_eq!(refused(&verifier, "2").await.retry_after(), Some(secs(15)));
        assert_eq!(endpoint.count(), 1);
        tokio::time::advance(secs(15)).await;
        assert_eq!((kind(&verifier, "2").await, endpoint.count()), (None, 2));
    }
    // Bounded; and of other statuses it says nothing.
    assert_eq!(refused(&busy(429, "86400").verifier(), "1").await.retry_after(), Some(secs(60)));
    let endpoint = busy(500, "20");
    let verifier = endpoint.verifier();
    assert_eq!(refused(&verifier, "1").await.retry_after(), Some(secs(5)));
    refused(&verifier, "2").await;
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_the_fetcher_counts_too() {
    let endpoint = Endpoint::new(|_| {
        Err(KeySourceError::new("the mesh is restarting").with_retry_after(secs(7)))
    });
    let verifier = endpoint.verifier();
    assert_eq!(refused(&verifier, "1").await.retry_after(), Some(secs(7)));
    refused(&verifier, "2").await;
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_the_endpoint_refuses_are_503_and_are_sent_once_a_second() {
    let endpoint = Endpoint::new(|_| status(401));
    let verifier = endpoint.verifier();
    let rejection = refused(&verifier, "0").await;
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    let cause = std::error::Error::source(&rejection).unwrap().to_string();
    assert!(cause.contains("credentials of the client orders-api"), "{cause}");
    for token in 0..100 {
        let token = format!("{token}.a");
        assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert!((10..=11).contains(&endpoint.count()), "{}", endpoint.count());
}

#[tokio::test(start_paused = true)]
async fn invalid_client_is_a_refusal_of_the_credentials_by_400_too() {
    let body = Bytes::from_static(br#"{"error": "invalid_client"}"#);
    let endpoint =
        Endpoint::new(move |_| Ok(Response::builder().status(400).body(body.clone()).unwrap()));
    let verifier = endpoint.verifier();
    let rejection = refused(&verifier, "1").await;
    let cause = std::error::Error::source(&rejection).unwrap().to_string();
    assert!(cause.contains("credentials of the client orders-api"), "{cause}");
    refused(&verifier, "2").await;
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_tried_by_one_request_at_a_time_until_they_are_good() {
    let endpoint = Endpoint::new(|_| status(401));
    let verifier = endpoint.verifier();
    refused(&verifier, "0").await;
    let ask = async |round: u32| {
        let before = endpoint.count();
        let tokens: Vec<String> = (0..50).map(|n| format!("{round}.{n}")).collect();
        let all = join_all(tokens.iter().map(|token| kind(&verifier, token))).await;
        (endpoint.count() - before, all.iter().filter(|kind| kind.is_none()).count())
    };
    endpoint.set_delay(Duration::from_millis(100));
    for round in 0..3 {
        tokio::time::advance(secs(1)).await;
        assert_eq!(ask(round).await, (1, 0), "{round}");
    }
    // A request that is cancelled is no longer the one that tries.
    tokio::time::advance(secs(1)).await;
    let cancelled = Duration::from_millis(10);
    assert!(tokio::time::timeout(cancelled, kind(&verifier, "cancelled")).await.is_err());
    // Another failure says nothing of the credentials.
    endpoint.set(|_| status(500));
    assert_eq!(ask(10).await, (1, 0));
    endpoint.set_json(active());
    assert_eq!(ask(11).await, (1, 1));
    assert_eq!(ask(12).await, (50, 50));
}

#[tokio::test(start_paused = true)]
async fn later_one_of_two_pauses_counts() {
    let endpoint = Endpoint::new(|asked| match asked.token() {
        "long" => {
            let response = Response::builder().status(429).header("retry-after", "20");
            Ok(response.body(Bytes::new()).unwrap())
        }
        _ => status(401),
    });
    endpoint.set_delay(secs(1));
    let verifier = endpoint.verifier();
    let mut long = Box::pin(refused(&verifier, "long"));
    assert!((&mut long).now_or_never().is_none());
    tokio::time::advance(Duration::from_millis(500)).await;
    let (long, short) = tokio::join!(long, refused(&verifier, "short"));
    assert_eq!((long.retry_after(), short.kind()), (Some(secs(20)), RejectionKind::Unavailable));
    tokio::time::advance(secs(18)).await;
    refused(&verifier, "other").await;
    assert_eq!(endpoint.count(), 2);
    endpoint.set_json(active());
    tokio::time::advance(secs(2)).await;
    assert_eq!(kind(&verifier, "other").await, None);
}

#[tokio::test]
async fn token_that_is_too_long_or_no_token68_is_not_sent() {
    let endpoint = Endpoint::usual();
    let verifier = endpoint.verifier();
    let long = format!("{}good", "a".repeat(16 * 1024));
    assert_eq!(kind(&verifier, &long).await, Some(RejectionKind::TokenTooLong));
    for odd in ["", "a b", "a\n", "Bearer good", "\u{e4}"] {
        assert_eq!(kind(&verifier, odd).await, Some(RejectionKind::MalformedCredentials), "{odd}");
    }
    assert_eq!(endpoint.count(), 0);
    let longer = verifier.with_max_token_length(17 * 1024).unwrap();
    assert_eq!(kind(&longer, &long).await, None);
}

#[test]
fn without_a_runtime_with_timers_an_endpoint_that_waits_is_unavailable() {
    let endpoint = Endpoint::new(|_| ok(active().to_string()));
    let verifier = Introspection::new_with(ISSUER, AUDIENCE, URL, client(), endpoint.clone());
    let verifier = verifier.unwrap().with_clock(now());
    // At once: no runtime is needed.
    assert!(futures_executor(verifier.verify("a")).is_ok());
    let hangs = Hangs;
    let verifier = Introspection::new_with(ISSUER, AUDIENCE, URL, client(), hangs).unwrap();
    let refused = futures_executor(verifier.verify("a")).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::Unavailable);
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused = bare.block_on(verifier.verify("a")).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::Unavailable);
}

#[derive(Debug)]
struct Hangs;

impl tower_jwt_auth::Fetch for Hangs {
    fn fetch(&self, _: tower_jwt_auth::FetchRequest) -> tower_jwt_auth::FetchFuture {
        Box::pin(std::future::pending())
    }
}

/// Drives a future without a runtime.
fn futures_executor<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("an answer at once")
}
