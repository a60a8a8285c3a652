//! Layers inside of layers: one of them writes, once.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower::util::MapResponseLayer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{CHALLENGE, Counted, ask, challenge, good, layer, pass, refuse};
use crate::support::{ISSUER, key, log, now};

/// A layer for another audience, so that it refuses the good token.
fn strict() -> JwtAuthLayer {
    let key = key(Algorithm::ES256).verification_key();
    let verifier = JwtVerifier::new(ISSUER, "https://inner.example", key).unwrap();
    JwtAuthLayer::new(verifier.with_clock(now()))
}

/// The reasons of the events of refused requests.
#[derive(Clone, Default)]
struct Refusals(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Refusals {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Reason<'a>(&'a Refusals);

        impl Visit for Reason<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "reason" {
                    self.0.0.lock().unwrap().push(format!("{value:?}"));
                }
            }
        }
        event.record(&mut Reason(self));
    }
}

#[tokio::test]
async fn the_outermost_layer_writes_what_an_inner_layer_refuses() {
    let responder = Counted::default();
    let outer = layer().with_realm("shop").unwrap().with_rejection_response(responder.clone());
    let router = Router::new().route("/", get(pass)).layer(strict()).layer(outer);
    let refused = ask(&router, "/", Some(&good())).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(challenge(&refused).starts_with(r#"Bearer realm="shop", error="invalid_token""#));
    assert_eq!(super::json_of(refused).await["detail"], "the token is for another audience");
    assert_eq!(responder.count(), 1);
}

#[tokio::test]
async fn an_inner_layer_with_a_realm_of_its_own_keeps_its_answer() {
    let responder = Counted::default();
    let outer = layer().with_realm("shop").unwrap().with_rejection_response(responder.clone());
    let inner = strict().with_realm("stock").unwrap();
    let router = Router::new().route("/", get(pass)).layer(inner).layer(outer);
    let refused = ask(&router, "/", Some(&good())).await;
    assert!(challenge(&refused).starts_with(r#"Bearer realm="stock""#));
    assert_eq!(responder.count(), 0);
}

#[tokio::test]
async fn the_nearest_layer_with_a_form_of_its_own_writes_what_a_handler_refuses() {
    let (outer, inner) = (Counted::default(), Counted::default());
    let outer_layer = layer().with_rejection_response(outer.clone());
    let inner_layer = layer().with_realm("shop").unwrap().with_rejection_response(inner.clone());
    let router = Router::new().route("/", get(refuse)).layer(inner_layer).layer(outer_layer);
    let refused = ask(&router, "/", Some(&good())).await;
    assert_eq!(challenge(&refused), CHALLENGE);
    assert_eq!((outer.count(), inner.count()), (0, 1));
}

#[tokio::test]
async fn a_layer_without_a_form_of_its_own_leaves_the_answer_to_the_outermost() {
    let outer = Counted::default();
    let outermost = layer().with_realm("shop").unwrap().with_rejection_response(outer.clone());
    let router = Router::new()
        .route("/", get(refuse))
        .layer(layer())
        .layer(layer().optional())
        .layer(outermost);
    let refused = ask(&router, "/", Some(&good())).await;
    assert_eq!(challenge(&refused), CHALLENGE);
    assert_eq!(outer.count(), 1);
}

#[tokio::test]
async fn an_outer_layer_that_lets_a_request_pass_still_writes() {
    let outer = Counted::default();
    let outermost = layer().exempt(|_| true).with_realm("shop").unwrap();
    let router = Router::new()
        .route("/", get(pass))
        .layer(strict())
        .layer(outermost.with_rejection_response(outer.clone()));
    let refused = ask(&router, "/", Some(&good())).await;
    assert!(challenge(&refused).starts_with(r#"Bearer realm="shop", error="invalid_token""#));
    assert_eq!(outer.count(), 1);
}

/// The reasons of the events that a request leads to.
async fn events(router: &Router) -> Vec<String> {
    let refusals = Refusals::default();
    let subscriber = tracing_subscriber::registry().with(refusals.clone());
    let _guard = log::subscribe(subscriber);
    ask(router, "/", Some(&good())).await;
    let events = refusals.0.lock().unwrap();
    events.clone()
}

#[tokio::test]
async fn a_refusal_of_an_inner_layer_is_logged_whatever_becomes_of_its_response() {
    let hide = MapResponseLayer::new(|_: Response| Redirect::to("/login").into_response());
    let router = Router::new().route("/", get(pass)).layer(strict()).layer(hide).layer(layer());
    assert_eq!(events(&router).await, ["WrongAudience"]);
}

#[tokio::test]
async fn a_layer_that_never_answers_by_grpc_keeps_its_answer_inside_of_another_one() {
    let request = || {
        Request::post("/")
            .header("authorization", format!("Bearer {}", good()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::empty())
            .unwrap()
    };
    let outer = || layer().exempt(|_| true);
    let routes = || Router::new().route("/", post(refuse));
    for (router, status) in [
        (routes().layer(strict().without_grpc()).layer(outer()), StatusCode::UNAUTHORIZED),
        (routes().layer(layer().without_grpc()).layer(outer()), StatusCode::FORBIDDEN),
        (routes().layer(layer()).layer(layer().without_grpc()), StatusCode::FORBIDDEN),
        (routes().layer(layer()).layer(outer()), StatusCode::OK),
    ] {
        assert_eq!(router.oneshot(request()).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn one_refusal_is_one_event() {
    for (router, reason) in [
        (Router::new().route("/", get(refuse)).layer(layer()), "InsufficientScope"),
        (Router::new().route("/", get(refuse)).layer(layer()).layer(layer()), "InsufficientScope"),
        (Router::new().route("/", get(pass)).layer(strict()).layer(layer()), "WrongAudience"),
        (
            Router::new()
                .route("/", get(pass))
                .layer(strict().with_realm("stock").unwrap())
                .layer(layer()),
            "WrongAudience",
        ),
    ] {
        assert_eq!(events(&router).await, [reason]);
    }
}
