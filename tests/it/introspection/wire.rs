//! What the client that comes with the crate sends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_jwt_auth::{ClientAuthentication, Introspection, RejectionKind};

use super::{active, kind};
use crate::support::{AUDIENCE, ISSUER, now};

type Seen = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// An endpoint on loopback: `/ok` answers, `/moved` redirects to it, `/long` does not end.
async fn server() -> (String, Seen) {
    async fn answer(State(seen): State<Seen>, headers: HeaderMap, body: String) -> Response {
        seen.lock().unwrap().push((headers, body));
        active().to_string().into_response()
    }

    let seen = Seen::default();
    let moved = || async { (StatusCode::TEMPORARY_REDIRECT, [("location", "/ok")]) };
    let long = || async { vec![b' '; 1_000_000] };
    let router = Router::new()
        .route("/ok", post(answer).get(|| async { "not here" }))
        .route("/moved", post(moved))
        .route("/long", post(long))
        .route("/", get(|| async {}))
        .with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

fn verifier(url: &str) -> Introspection {
    let client = ClientAuthentication::client_secret_post("orders-api", "s3cret").unwrap();
    Introspection::new(ISSUER, AUDIENCE, url, client).unwrap().with_clock(now())
}

#[tokio::test]
async fn form_is_posted_and_no_redirect_is_followed() {
    let (url, seen) = server().await;
    assert_eq!(kind(&verifier(&format!("{url}/ok")), "a/b+c=").await, None);
    let (headers, body) = seen.lock().unwrap().remove(0);
    assert_eq!(
        body,
        "token=a%2Fb%2Bc%3D&token_type_hint=access_token&client_id=orders-api&client_secret=s3cret"
    );
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(headers["accept"], "application/json");
    assert!(!headers.contains_key("cookie") && !headers.contains_key("referer"));

    let moved = verifier(&format!("{url}/moved"));
    assert_eq!(kind(&moved, "a").await, Some(RejectionKind::Unavailable));
    assert!(seen.lock().unwrap().is_empty());
    let long = verifier(&format!("{url}/long"));
    assert_eq!(kind(&long, "a").await, Some(RejectionKind::Unavailable));
}

#[tokio::test]
async fn endpoint_that_is_down_is_unavailable_and_found_again_when_it_is_back() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let verifier = verifier(&format!("http://{address}/ok"));
    assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::Unavailable));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let router = Router::new().route("/ok", post(|| async { active().to_string() }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    assert_eq!(kind(&verifier, "a").await, None);
}

#[tokio::test]
async fn client_of_the_application_is_used() {
    let (url, seen) = server().await;
    let mut headers = HeaderMap::new();
    headers.insert("x-mesh", "7".parse().unwrap());
    let client = reqwest::Client::builder()
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let verifier = verifier(&format!("{url}/ok")).with_client(client);
    assert_eq!(kind(&verifier, "a").await, None);
    assert_eq!(seen.lock().unwrap()[0].0["x-mesh"], "7");
}
