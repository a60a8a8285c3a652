//! Layers inside of layers, and inside of axum's nested routers.

use axum::Router;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower::ServiceExt;
use tower::util::MapRequestLayer;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, JwtVerifier, PresentedToken, Rejection, ResponseForRejection,
    VerifiedToken, verify_fn,
};

use crate::support::{AUDIENCE, ISSUER, claims_with, key, now};

const INNER_AUDIENCE: &str = "https://inner.example";

/// A layer for the usual audience.
fn outer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

/// A layer for another audience, with claims of the same type.
fn inner() -> JwtAuthLayer {
    let verifier =
        JwtVerifier::new(ISSUER, INNER_AUDIENCE, key(Algorithm::ES256).verification_key());
    JwtAuthLayer::new(verifier.unwrap().with_clock(now()))
}

fn token_for(audience: &[&str]) -> String {
    key(Algorithm::ES256).token(&claims_with("aud", audience))
}

async fn ask(router: &Router, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.into()).unwrap())
}

/// What a handler sees: the audiences of the verified token, and the token.
async fn seen(token: Option<VerifiedToken>, bearer: Option<PresentedToken>) -> String {
    let audience = token.as_ref().and_then(|token| token.aud.as_ref());
    let audience = audience.map(|aud| aud.iter().collect::<Vec<_>>().join(" "));
    format!("{audience:?}, {}", if bearer.is_some() { "a token" } else { "no token" })
}

async fn subject(token: VerifiedToken) -> String {
    token.sub.clone().unwrap()
}

async fn length(token: PresentedToken) -> String {
    token.as_str().len().to_string()
}

fn routes() -> Router {
    Router::new()
        .route("/seen", get(seen))
        .route("/subject", get(subject))
        .route("/length", get(length))
}

#[tokio::test]
async fn an_exempt_path_of_an_inner_layer_shows_no_token_that_an_outer_one_verified() {
    let for_outer = token_for(&[AUDIENCE]);
    let router = routes().layer(inner().exempt(|_| true)).layer(outer());
    let (status, body) = ask(&router, "/seen", Some(&for_outer)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "None, no token"));
    for path in ["/subject", "/length"] {
        let (status, _) = ask(&router, path, Some(&for_outer)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // The outer layer alone shows it: the inner one is what hides it.
    let router = routes().layer(outer());
    let (status, body) = ask(&router, "/subject", Some(&for_outer)).await;
    assert_eq!((status, &*body), (StatusCode::OK, "alice"));
}

#[tokio::test]
async fn an_inner_layer_that_verifies_shows_its_own_result() {
    let both = token_for(&[AUDIENCE, INNER_AUDIENCE]);
    for inner in [inner(), inner().optional(), inner().exempt(|head| head.uri.path() == "/other")] {
        for outer in [outer(), outer().optional(), outer().exempt(|_| true)] {
            let router = routes().layer(inner.clone()).layer(outer);
            let (status, body) = ask(&router, "/subject", Some(&both)).await;
            assert_eq!((status, &*body), (StatusCode::OK, "alice"));
            let (_, body) = ask(&router, "/seen", Some(&both)).await;
            assert!(body.contains(INNER_AUDIENCE) && body.ends_with("a token"), "{body}");
            // A token for the outer one alone does not get past the inner one, not even an optional one.
            let (status, _) = ask(&router, "/seen", Some(&token_for(&[AUDIENCE]))).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn an_optional_inner_layer_shows_no_token_when_something_between_took_the_credentials() {
    let take = MapRequestLayer::new(|mut request: Request<Body>| {
        request.headers_mut().remove(http::header::AUTHORIZATION);
        request
    });
    let router = routes().layer(inner().optional()).layer(take).layer(outer());
    let (status, body) = ask(&router, "/seen", Some(&token_for(&[AUDIENCE]))).await;
    assert_eq!((status, &*body), (StatusCode::OK, "None, no token"));
}

#[tokio::test]
async fn an_exempt_path_keeps_what_an_outer_layer_verified_for_claims_of_another_type() {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let verifier = key(Algorithm::ES256).verifier().with_claims::<Claims>();
    let both = async |claims: VerifiedToken<Claims>, api_key: Option<VerifiedToken<u8>>| {
        format!("{}, API key: {}", claims.sub, api_key.is_some())
    };
    let api_keys =
        JwtAuthLayer::new(verify_fn(|_: &PresentedToken| Err::<u8, _>(Rejection::invalid_token())));
    let router = Router::new()
        .route("/", get(both))
        .layer(api_keys.exempt(|_| true))
        .layer(JwtAuthLayer::new(verifier));
    let (status, body) = ask(&router, "/", Some(&token_for(&[AUDIENCE]))).await;
    assert_eq!((status, &*body), (StatusCode::OK, "alice, API key: false"));
}

// Nested routers.

fn is_health(path: &str) -> bool {
    path == "/health"
}

/// As the guide shows it.
fn whole_path(head: &Parts) -> &str {
    head.extensions.get::<OriginalUri>().map_or(&head.uri, |original| &original.0).path()
}

fn page(path: &str) -> Response {
    (StatusCode::UNAUTHORIZED, format!("refused {path}")).into_response()
}

/// A responder that remembers the whole path.
struct PageOfWholePath;

impl ResponseForRejection<Body> for PageOfWholePath {
    type Remembered = String;

    fn remember(&self, head: &Parts) -> String {
        whole_path(head).to_owned()
    }

    fn response_for_rejection(&self, _: &Rejection, path: &String) -> Response {
        page(path)
    }

    fn empty_body(&self) -> Body {
        Body::empty()
    }
}

/// `/health`, and `/admin/health` in a nested router, each behind the layer that it is given.
fn nested(within: impl Fn(Router) -> Router, around: impl Fn(Router) -> Router) -> Router {
    let health = || Router::new().route("/health", get(async || "ok"));
    around(health().nest("/admin", within(health())))
}

#[tokio::test]
async fn a_layer_inside_of_a_nested_router_sees_the_path_without_its_prefix() {
    let auth = outer()
        .exempt(|head| is_health(head.uri.path()))
        .with_rejection_fn(|_, request| page(request.uri().path()));
    let router = nested(|admin| admin.layer(auth.clone()), |all| all);
    assert_eq!(ask(&router, "/admin/health", None).await, (StatusCode::OK, "ok".into()));

    let closed = outer().with_rejection_fn(|_, request| page(request.uri().path()));
    let router = nested(|admin| admin.layer(closed.clone()), |all| all);
    let refused = (StatusCode::UNAUTHORIZED, "refused /health".into());
    assert_eq!(ask(&router, "/admin/health", None).await, refused);
}

#[tokio::test]
async fn a_layer_inside_of_a_nested_router_reads_the_whole_path_from_original_uri() {
    let auth =
        outer().exempt(|head| is_health(whole_path(head))).with_rejection_response(PageOfWholePath);
    let router = nested(|admin| admin.layer(auth.clone()), |all| all);
    let refused = (StatusCode::UNAUTHORIZED, "refused /admin/health".into());
    assert_eq!(ask(&router, "/admin/health", None).await, refused);

    let by_whole_path = outer().exempt(|head| whole_path(head) == "/admin/health");
    let router = nested(|admin| admin.layer(by_whole_path.clone()), |all| all);
    assert_eq!(ask(&router, "/admin/health", None).await, (StatusCode::OK, "ok".into()));
}

#[tokio::test]
async fn a_layer_around_the_outer_router_sees_the_whole_path() {
    for read in
        [|head: &Parts| head.uri.path().to_owned(), |head: &Parts| whole_path(head).to_owned()]
    {
        let auth = outer()
            .exempt(move |head| is_health(&read(head)))
            .with_rejection_response(PageOfWholePath);
        let router = nested(|admin| admin, |all| all.layer(auth.clone()));
        assert_eq!(ask(&router, "/health", None).await, (StatusCode::OK, "ok".into()));
        let refused = (StatusCode::UNAUTHORIZED, "refused /admin/health".into());
        assert_eq!(ask(&router, "/admin/health", None).await, refused);
    }
}
