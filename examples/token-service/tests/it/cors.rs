//! Pages of other origins.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use token_service::store::SqlStore;
use token_service::{Service, Settings};

use crate::support::{Answer, Client, GOOD, ISSUER, token_request};

const APP: &str = "https://app.example";

const PUBLIC: [&str; 4] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/jwks.json",
    "/openapi.json",
];

const CLOSED: [(&str, &str); 8] = [
    ("POST", "/token"),
    ("POST", "/revoke"),
    ("POST", "/introspect"),
    ("GET", "/userinfo"),
    ("POST", "/userinfo"),
    ("GET", "/protected"),
    ("GET", "/user"),
    ("GET", "/secure"),
];

/// A client of a service that names one origin.
async fn client() -> Client {
    let mut settings = Settings::new(ISSUER);
    settings.cors_origins = vec![APP.into()];
    Client::with(settings).await
}

async fn get_from(client: &Client, origin: &str, path: &str) -> Answer {
    let request = Request::get(path).header("origin", origin).body(Body::empty());
    client.send(request.unwrap()).await
}

async fn preflight(client: &Client, origin: &str, method: &str, path: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type");
    client.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn any_origin_may_read_the_public_documents() {
    let client = Client::new().await;
    for path in PUBLIC {
        let answer = get_from(&client, "https://anybody.example", path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("access-control-allow-origin")),
            (200, "*")
        );
    }
    let settings = Settings::new("https://issuer.example/realms/one");
    let inserted = "/.well-known/oauth-authorization-server/realms/one";
    let answer = get_from(&Client::with(settings).await, APP, inserted).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn a_named_origin_may_get_tokens_and_use_them() {
    let client = client().await;
    let answer = client.post_with(GOOD, &[("origin", APP)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, APP));
    for (method, path) in CLOSED {
        let answer = preflight(&client, APP, method, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert!(answer.header("access-control-allow-methods").contains(method), "{path}");
        assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    }
}

#[tokio::test]
async fn a_named_origin_may_read_why_a_request_was_refused() {
    let client = client().await;
    let refused = [
        client.post_with("username=alice&password=wrong", &[("origin", APP)]).await,
        get_from(&client, APP, "/protected").await,
    ];
    for answer in refused {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert!(answer.header("access-control-expose-headers").contains("www-authenticate"));
    }
}

#[tokio::test]
async fn a_named_origin_may_read_the_refusals_of_the_limits() {
    let mut settings = Settings::new(ISSUER);
    settings.cors_origins = vec![APP.into()];
    settings.requests_per_second = 1;
    settings.body_time = Duration::from_millis(50);
    let client = Client::with(settings).await;
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
    let late = token_request().header("origin", APP).body(never);
    let mut refused = vec![
        client.send(late.unwrap()).await,
        client.post_with(&"x".repeat(70_000), &[("origin", APP)]).await,
    ];
    for _ in 0..12 {
        refused.push(client.post_with("grant_type=x", &[("origin", APP)]).await);
    }
    for (answer, status) in [(&refused[0], 408), (&refused[1], 413), (&refused[13], 429)] {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert!(answer.header("access-control-expose-headers").contains("retry-after"));
    }
    // A preflight is not counted.
    assert_eq!(preflight(&client, APP, "POST", "/token").await.status, 200);
}

#[tokio::test]
async fn other_origins_are_not_allowed_where_a_password_or_a_token_is_sent() {
    for (client, origin) in [
        (Client::new().await, APP),
        (client().await, "https://other.example"),
        (client().await, "null"),
    ] {
        let answer = client.post_with(GOOD, &[("origin", origin)]).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        for (method, path) in CLOSED {
            let answer = preflight(&client, origin, method, path).await;
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin} {path}");
        }
    }
}

#[tokio::test]
async fn an_origin_that_browsers_never_send_is_refused_at_the_start() {
    for origin in ["*", "null", "https://app.example/", "app.example"] {
        let mut settings = Settings::new(ISSUER);
        settings.cors_origins = vec![origin.into()];
        let store = Arc::new(SqlStore::in_memory().await.unwrap());
        let error = Service::new(settings, store).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{origin:?}")), "{error}");
    }
}
