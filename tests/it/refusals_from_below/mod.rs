//! What a part below an authentication layer refuses, the layer writes: its realm, its responder, its gRPC
//! form, its log event.

mod grpc;
mod nested;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower::util::MapResponseLayer;
use tower_jwt_auth::{
    Algorithm, ExtractorRejection, JwtAuthLayer, ProblemJson, RegisteredClaims, Rejection,
    RejectionKind, RequestSummary, ResponseForRejection, Scope, VerifiedToken, verify_async_fn,
};

use crate::support::{claims_with, key};

/// A responder that counts how often it writes, and says what it was given.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl ResponseForRejection<Body> for Counted {
    type Remembered = RequestSummary;

    fn remember(&self, head: &Parts) -> RequestSummary {
        RequestSummary::from(head)
    }

    fn response_for_rejection(&self, rejection: &Rejection, request: &RequestSummary) -> Response {
        self.0.fetch_add(1, Ordering::SeqCst);
        let body = json!({
            "error": rejection.error_code(),
            "detail": rejection.description(),
            "path": request.uri().path(),
        });
        (rejection.status(), Json(body)).into_response()
    }

    fn empty_body(&self) -> Body {
        Body::empty()
    }
}

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

fn good() -> String {
    key(Algorithm::ES256).token(&claims_with("scope", "orders:read"))
}

fn write_scope() -> Rejection {
    Rejection::insufficient_scope(Scope::from("orders:write"))
}

/// Refuses, whatever the token.
async fn refuse(_: VerifiedToken) -> Result<&'static str, Rejection> {
    Err(write_scope().with_description("only clerks write orders"))
}

async fn pass(_: VerifiedToken) -> &'static str {
    "passed"
}

async fn ask(router: &Router, path: &str, token: Option<&str>) -> Response {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

fn challenge(response: &Response) -> &str {
    let mut values = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
    let value = values.next().unwrap();
    assert_eq!(values.next(), None, "one challenge");
    value.to_str().unwrap()
}

const CHALLENGE: &str = r#"Bearer realm="shop", scope="orders:write", error="insufficient_scope", error_description="only clerks write orders""#;

#[tokio::test]
async fn what_a_handler_refuses_has_the_realm_and_the_responder_of_the_layer() {
    let responder = Counted::default();
    let layer = layer().with_realm("shop").unwrap().with_rejection_response(responder.clone());
    let router = Router::new()
        .route("/orders", get(pass).post(pass).delete(refuse))
        .route("/write", get(refuse))
        .layer(layer);

    let refused = ask(&router, "/write?id=7", Some(&good())).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(challenge(&refused), CHALLENGE);
    assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(refused.headers()[header::CACHE_CONTROL], "no-store");
    let rejection = refused.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    assert_eq!(
        json_of(refused).await,
        json!({"error": "insufficient_scope", "detail": "only clerks write orders", "path": "/write"})
    );
    assert_eq!(responder.count(), 1);

    let passed = ask(&router, "/orders", Some(&good())).await;
    assert_eq!(passed.status(), StatusCode::OK);
    assert_eq!(responder.count(), 1);
}

#[tokio::test]
async fn what_an_extractor_refuses_on_an_optional_route_has_the_form_of_the_layer() {
    let responder = Counted::default();
    let layer = layer().optional().with_realm("shop").unwrap();
    let router = Router::new()
        .route("/me", get(pass))
        .layer(layer.with_rejection_response(responder.clone()));

    let refused = ask(&router, "/me", None).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(challenge(&refused), r#"Bearer realm="shop""#);
    assert_eq!(json_of(refused).await["path"], "/me");
    assert_eq!(responder.count(), 1);
}

#[tokio::test]
async fn a_custom_extractor_refuses_in_the_form_of_the_layer() {
    struct Clerk;

    impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Clerk {
        type Rejection = ExtractorRejection;

        async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, ExtractorRejection> {
            <VerifiedToken>::from_extensions(&head.extensions)
                .map_err(ExtractorRejection::MissingLayer)?;
            Err(ExtractorRejection::Rejection(write_scope()))
        }
    }

    let router = Router::new()
        .route("/clerk", get(async |_: Clerk| "a clerk"))
        .layer(layer().with_rejection_response(ProblemJson::new()));
    let refused = ask(&router, "/clerk", Some(&good())).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(json_of(refused).await["error"], "insufficient_scope");
}

#[tokio::test]
async fn what_an_exempt_route_refuses_has_the_form_of_the_layer() {
    let layer = layer().exempt(|head| head.uri.path() == "/open").with_realm("shop").unwrap();
    let open = get(async || -> Result<&'static str, Rejection> { Err(Rejection::invalid_token()) });
    let router = Router::new().route("/open", open).layer(layer);
    let refused = ask(&router, "/open", None).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(challenge(&refused).starts_with(r#"Bearer realm="shop", error="invalid_token""#));
}

#[tokio::test]
async fn a_verifier_that_takes_time_changes_nothing() {
    let responder = Counted::default();
    let slow = verify_async_fn(async |_| {
        tokio::task::yield_now().await;
        Ok(RegisteredClaims::default())
    });
    let layer: JwtAuthLayer = JwtAuthLayer::new(slow).with_realm("shop").unwrap();
    let router = Router::new()
        .route("/write", get(refuse))
        .layer(layer.with_rejection_response(responder.clone()));
    let refused = ask(&router, "/write", Some("an-api-key")).await;
    assert_eq!((challenge(&refused), responder.count()), (CHALLENGE, 1));
}

#[tokio::test]
async fn an_outage_that_a_handler_reports_is_a_503_with_retry_after() {
    let down = get(async || -> Result<&'static str, Rejection> {
        Err(Rejection::unavailable(std::io::Error::other("the database is down")))
    });
    let router =
        Router::new().route("/", down).layer(layer().with_rejection_response(ProblemJson::new()));
    let refused = ask(&router, "/", Some(&good())).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
    assert!(!refused.headers().contains_key(header::WWW_AUTHENTICATE));
    let body = json_of(refused).await;
    assert!(!body.to_string().contains("database"), "{body}");
}

#[tokio::test]
async fn without_a_layer_the_refusal_is_complete() {
    let refused = ask(&Router::new().route("/", get(async || write_scope())), "/", None).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(
        challenge(&refused)
            .starts_with(r#"Bearer realm="api", scope="orders:write", error="insufficient_scope""#)
    );
    assert_eq!(refused.headers()[header::CACHE_CONTROL], "no-store");
    assert!(refused.extensions().get::<Rejection>().is_some());
}

#[tokio::test]
async fn what_parts_in_between_add_is_kept() {
    #[derive(Clone)]
    struct Mark;

    let add = MapResponseLayer::new(|mut response: Response| {
        let headers = response.headers_mut();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("b=2"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        response.extensions_mut().insert(Mark);
        response
    });
    let layer = layer().with_realm("shop").unwrap().with_rejection_response(Counted::default());
    let router = Router::new().route("/write", get(refuse)).layer(add).layer(layer);
    let refused = ask(&router, "/write", Some(&good())).await;
    assert_eq!(challenge(&refused), CHALLENGE);
    assert_eq!(refused.headers().get_all(header::SET_COOKIE).iter().count(), 2);
    assert_ne!(refused.headers().get(header::CONTENT_LENGTH).unwrap(), "0");
    assert!(refused.extensions().get::<Mark>().is_some());
    assert_eq!(json_of(refused).await["path"], "/write");
}

#[tokio::test]
async fn fields_with_several_values_are_merged_and_those_of_the_replaced_body_dropped() {
    let add = MapResponseLayer::new(|mut response: Response| {
        for (name, value) in [
            ("vary", "origin"),
            ("set-cookie", "session=2"),
            ("www-authenticate", "Basic realm=\"old\""),
            ("content-digest", "sha-256=:AA==:"),
            ("content-security-policy", "default-src 'none'"),
            ("grpc-status-details-bin", "AA"),
            ("expires", "0"),
            ("x-request-id", "7"),
        ] {
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        response
    });
    let refuse = get(async || -> Result<&'static str, Rejection> {
        let cookie = HeaderValue::from_static("hint=1");
        let vary = HeaderValue::from_static("accept");
        Err(write_scope().with_header(header::SET_COOKIE, cookie).with_header(header::VARY, vary))
    });
    let router = Router::new().route("/", refuse).layer(add).layer(layer());
    let refused = ask(&router, "/", Some(&good())).await;
    let values = |name: &str| -> Vec<&str> {
        refused.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    };
    assert_eq!(values("vary"), ["accept", "origin"]);
    assert_eq!(values("set-cookie"), ["hint=1", "session=2"]);
    let challenges = values("www-authenticate");
    assert_eq!(challenges.len(), 2, "{challenges:?}");
    assert_eq!(challenges[1], "Basic realm=\"old\"");
    assert_eq!(values("content-security-policy"), ["default-src 'none'"]);
    assert_eq!(values("x-request-id"), ["7"]);
    for dropped in ["content-digest", "grpc-status-details-bin", "expires"] {
        assert_eq!(values(dropped), [""; 0], "{dropped}");
    }
}

#[tokio::test]
async fn a_rejection_with_as_many_fields_as_a_response_can_have_is_no_panic() {
    let name = header::HeaderName::from_static("x-many");
    let many = (0..33_000).fold(Rejection::unavailable("down"), |rejection, _| {
        rejection.with_header(name.clone(), HeaderValue::from_static("1"))
    });
    let handler = get(async move || -> Result<&'static str, Rejection> { Err(many.clone()) });
    let refused = ask(&Router::new().route("/", handler).layer(layer()), "/", Some(&good())).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_redirect_made_of_a_refusal_stays_a_redirect() {
    let login = MapResponseLayer::new(|mut response: Response| {
        if response.extensions().get::<Rejection>().is_some() {
            *response.status_mut() = StatusCode::SEE_OTHER;
            let login = HeaderValue::from_static("/login");
            response.headers_mut().insert(header::LOCATION, login);
        }
        response
    });
    let responder = Counted::default();
    let router = Router::new()
        .route("/write", get(refuse))
        .layer(login)
        .layer(layer().with_rejection_response(responder.clone()));
    let redirect = ask(&router, "/write", Some(&good())).await;
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
    assert_eq!(redirect.headers()[header::LOCATION], "/login");
    assert_eq!(responder.count(), 0);
}

#[tokio::test]
async fn a_new_response_in_place_of_a_refusal_stays() {
    let replace = MapResponseLayer::new(|response: Response| match response.status() {
        StatusCode::FORBIDDEN => Redirect::to("/upgrade").into_response(),
        _ => response,
    });
    let responder = Counted::default();
    let router = Router::new()
        .route("/write", get(refuse))
        .layer(replace)
        .layer(layer().with_rejection_response(responder.clone()));
    let redirect = ask(&router, "/write", Some(&good())).await;
    assert_eq!(redirect.headers()[header::LOCATION], "/upgrade");
    assert_eq!(responder.count(), 0);
}

#[tokio::test]
async fn ordinary_errors_of_a_handler_are_left_alone() {
    let responder = Counted::default();
    let router = Router::new()
        .route("/", get(async || (StatusCode::FORBIDDEN, "not on Sundays")))
        .layer(layer().with_rejection_response(responder.clone()));
    let response = ask(&router, "/", Some(&good())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "not on Sundays");
    assert_eq!(responder.count(), 0);
}
