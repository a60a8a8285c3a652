//! What is around every route, and the endpoints for the operator.

use std::time::Duration;

use axum::body::{Body, Bytes};
use token_service::store::Store;
use token_service::{ProxyHeader, Settings};

use crate::support::{Answer, Client, GOOD, ISSUER, token_request};

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let client = Client::new().await;
    for path in ["/token", "/protected", "/jwks.json", "/nowhere", "/healthz"] {
        let answer = client.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
    let client = Client::with(Settings::new("https://issuer.example")).await;
    let answer = client.get("/jwks.json").await;
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
}

#[tokio::test]
async fn it_is_healthy_always_and_ready_while_the_store_answers() {
    let client = Client::new().await;
    for path in ["/healthz", "/readyz"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, r#"{"status":"ok"}"#), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    client.store.close().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    // The last answer of the store is kept for a second.
    assert_eq!(client.get("/readyz").await.status, 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let answer = client.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_store_that_fails_is_503_at_the_token_endpoint() {
    let client = Client::new().await;
    client.store.close().await;
    client.post(GOOD).await.assert_error(503, "temporarily_unavailable");
}

#[tokio::test]
async fn a_body_that_is_sent_slowly_is_408() {
    let mut settings = Settings::new(ISSUER);
    settings.body_time = Duration::from_millis(100);
    let client = Client::with(settings).await;
    let parts = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
    });
    let answer = client.send(token_request().body(Body::from_stream(parts)).unwrap()).await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let client = Client::new().await;
    for length in [16 * 1024 + 1, 64 * 1024 + 1, 1024 * 1024] {
        let answer = client.post(&"x".repeat(length)).await;
        answer.assert_error(413, "invalid_request");
    }
}

#[tokio::test]
async fn an_address_has_a_number_of_posts_also_behind_a_proxy() {
    let mut settings = Settings::new(ISSUER);
    settings.requests_per_second = 1;
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let client = Client::with(settings).await;
    let post = async |address: &str| {
        client.post_with("grant_type=x", &[("x-forwarded-for", address)]).await
    };
    // One comes back each second.
    let mut answers = Vec::new();
    while answers.len() < 40 && answers.last().is_none_or(|answer: &Answer| answer.status == 400) {
        answers.push(post(&format!("198.51.100.{}, 203.0.113.9", answers.len())).await);
    }
    assert!(answers.len() > 10);
    let answer = answers.pop().unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.json()["error"], "too_many_requests");
    assert_eq!(post("203.0.113.10").await.status, 400);
    // Documents are not limited.
    assert_eq!(client.get("/jwks.json").await.status, 200);
}

#[tokio::test]
async fn gets_that_reach_the_store_count_for_the_address() {
    for path in ["/userinfo", "/protected", "/user", "/items", "/authorize", "/logout"] {
        let mut settings = Settings::new(ISSUER);
        settings.requests_per_second = 1;
        let client = Client::with(settings).await;
        let mut answers = vec![client.get(path).await];
        while answers.len() < 40 && answers.last().is_some_and(|answer| answer.status != 429) {
            answers.push(client.get(path).await);
        }
        assert!(answers.len() > 10, "{path}");
        let answer = answers.pop().unwrap();
        assert_eq!(answer.status, 429, "{path}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        for path in ["/jwks.json", "/openapi.json", "/docs/", "/pages/style.css", "/readyz"] {
            assert_eq!(client.get(path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_client_whose_address_cannot_be_read_does_not_use_up_the_budget_of_the_proxy() {
    let mut settings = Settings::new(ISSUER);
    settings.requests_per_second = 1;
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.proxy_header = ProxyHeader::Forwarded;
    let client = Client::with(settings).await;
    let unreadable = [("forwarded", "x=\"y, for=203.0.113.9")];
    for _ in 0..15 {
        client.post_with("grant_type=x", &unreadable).await;
    }
    assert_eq!(client.post_with("grant_type=x", &unreadable).await.status, 429);
    assert_eq!(client.post("grant_type=x").await.status, 400);
}

#[tokio::test]
async fn wrong_passwords_count_for_the_client_behind_a_proxy() {
    for (proxies, header, others) in [
        (&["127.0.0.1/32"][..], ProxyHeader::XForwardedFor, 401),
        // Without a trusted proxy the header is the client's own, and all are one address.
        (&[], ProxyHeader::XForwardedFor, 429),
        // The header that is not configured is the client's own too.
        (&["127.0.0.1/32"], ProxyHeader::Forwarded, 429),
    ] {
        let mut settings = Settings::new(ISSUER);
        settings.trusted_proxies = proxies.iter().map(|one| one.parse().unwrap()).collect();
        settings.proxy_header = header;
        // No guess comes back to the budget, however long 60 of them take.
        let (client, _clock) = Client::with_clock(settings).await;
        let guess = async |user: &str, address: &str| {
            let form = format!("grant_type=password&username={user}&password=wrong");
            client.post_with(&form, &[("x-forwarded-for", address)]).await.status.as_u16()
        };
        for number in 0..60 {
            guess(&format!("user{number}"), "203.0.113.9").await;
        }
        assert_eq!(guess("alice", "203.0.113.9").await, 429);
        assert_eq!(guess("alice", "203.0.113.10").await, others);
    }
}
