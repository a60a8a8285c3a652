//! What a handler of axum's can ask for, and what it gets.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, PresentedToken, VerifiedToken, dangerous_any_bearer,
};

use crate::support::{claims, claims_with, key};

const NOBODY: &str = "nobody";

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

fn good() -> String {
    key(Algorithm::ES256).token(&claims())
}

/// A route for each extractor: the subject, or the token, of whoever asks.
fn router() -> Router {
    fn subject(token: &VerifiedToken) -> String {
        token.sub.clone().unwrap()
    }
    Router::new()
        .route("/token", get(async |token: VerifiedToken| subject(&token)))
        .route(
            "/token/optional",
            get(async |token: Option<VerifiedToken>| token.as_ref().map_or(NOBODY.into(), subject)),
        )
        .route("/bearer", get(async |token: PresentedToken| token.as_str().to_owned()))
        .route(
            "/bearer/optional",
            get(async |token: Option<PresentedToken>| {
                token.map_or(NOBODY.into(), |token| token.as_str().to_owned())
            }),
        )
}

async fn ask(router: Router, path: &str, token: Option<&str>) -> (Response<()>, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn behind_the_layer_each_extractor_has_the_token() {
    let token = good();
    for layer in [layer(), layer().optional()] {
        let router = router().layer(layer);
        for (path, expected) in [
            ("/token", "alice"),
            ("/token/optional", "alice"),
            ("/bearer", &token),
            ("/bearer/optional", &token),
        ] {
            let (response, body) = ask(router.clone(), path, Some(&token)).await;
            assert_eq!((response.status(), &*body), (StatusCode::OK, expected), "{path}");
        }
    }
}

#[tokio::test]
async fn absence_is_an_answer_of_the_optional_extractors() {
    let router = router().layer(layer().optional());
    for path in ["/token/optional", "/bearer/optional"] {
        let (response, body) = ask(router.clone(), path, None).await;
        assert_eq!((response.status(), &*body), (StatusCode::OK, NOBODY), "{path}");
        // A bad token is not an absent one.
        let (response, _) = ask(router.clone(), path, Some("not-a-jwt")).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_handler_that_demands_a_token_refuses_with_the_realm_of_the_layer() {
    let router = router().layer(layer().optional().with_realm("orders").unwrap());
    for path in ["/token", "/bearer"] {
        let (response, _) = ask(router.clone(), path, None).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="orders""#, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn a_missing_layer_is_a_500_with_a_hint_in_debug_builds() {
    for path in ["/token", "/token/optional", "/bearer", "/bearer/optional"] {
        for token in [None, Some(&*good())] {
            let (response, body) = ask(router(), path, token).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            if cfg!(debug_assertions) {
                let hint = "is a `JwtAuthLayer` for these claims around";
                assert!(body.contains(hint), "{path}: {body}");
            } else {
                assert!(body.starts_with("the authentication layer is missing"), "{path}: {body}");
                assert!(!body.contains("::"), "{path}: {body}");
            }
            assert!(!response.headers().contains_key("www-authenticate"), "{path}");
        }
    }
}

#[tokio::test]
#[cfg(feature = "tracing")]
async fn a_missing_layer_is_one_error_event_for_each_claims_type() {
    use crate::support::log_text::Log;

    // Of this test alone: the first event is that of the process.
    struct Orders;
    struct Invoices;

    let (log, _guard) = Log::start(tracing::Level::TRACE);
    let router = Router::new()
        .route("/orders", get(async |_: VerifiedToken<Orders>| ()))
        .route("/orders/optional", get(async |_: Option<VerifiedToken<Orders>>| ()))
        .route("/invoices", get(async |_: VerifiedToken<Invoices>| ()));
    for path in ["/orders", "/orders", "/orders/optional", "/invoices", "/orders", "/invoices"] {
        let (response, _) = ask(router.clone(), path, Some(&good())).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
    assert_eq!(log.count("ERROR"), 2, "{}", log.text());
    for claims in ["Orders", "Invoices"] {
        assert_eq!(log.count(claims), 1, "{}", log.text());
    }
    assert_eq!(log.count("is a `JwtAuthLayer` for these claims around"), 2, "{}", log.text());
    assert_eq!(log.count("\n"), 2, "nothing else is logged: {}", log.text());
    assert!(!log.text().contains(&good()));
}

#[tokio::test]
async fn a_layer_for_other_claims_is_a_missing_layer() {
    let router = router().layer(JwtAuthLayer::new(dangerous_any_bearer()).optional());
    for path in ["/token", "/token/optional"] {
        for token in [None, Some(&*good())] {
            let (response, _) = ask(router.clone(), path, token).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        }
    }
}

#[tokio::test]
async fn an_exempt_path_never_hands_out_what_nobody_verified() {
    let router = router().layer(layer().exempt(|_| true));
    let forged = key(Algorithm::ES384).token(&claims_with("sub", "mallory"));
    for token in [&forged, &good()] {
        for path in ["/token/optional", "/bearer/optional"] {
            let (response, body) = ask(router.clone(), path, Some(token)).await;
            assert_eq!((response.status(), &*body), (StatusCode::OK, NOBODY), "{path}");
        }
        for path in ["/token", "/bearer"] {
            let (response, body) = ask(router.clone(), path, Some(token)).await;
            assert_eq!((response.status(), &*body), (StatusCode::UNAUTHORIZED, ""), "{path}");
        }
    }
}
