//! The layer: what passes, what each refusal is, and where the layer can be.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{Request, Response};
use serde_json::json;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{AuthorizeLayer, JwtAuthLayer, RejectionKind, Rule, dangerous_any_bearer};

use super::{bearer_at, scope, send, service, through, token_with, verifier, was_reached};
use crate::support::requests::{challenge, field, refusal};
use crate::support::{challenge as reader, claims, key};

fn layers() -> (JwtAuthLayer, AuthorizeLayer) {
    let rule = Rule::all_scopes(["orders:read", "orders:write"]).unwrap();
    (JwtAuthLayer::new(verifier()), AuthorizeLayer::new(rule))
}

#[test]
fn token_with_the_scopes_passes_and_another_is_403_with_all_that_it_lacks() {
    let (outer, inner) = layers();
    let good = token_with(&json!({"scope": "orders:write orders:read"}));
    let response = send(&outer, &inner, bearer_at("/", Some(&good)));
    assert!(was_reached(&response));

    let response = send(&outer, &inner, bearer_at("/", Some(&token_with(&json!({"scope": "x"})))));
    assert!(!was_reached(&response));
    assert_eq!(response.status(), 403);
    assert_eq!(refusal(&response), Some(RejectionKind::InsufficientScope));
    assert_eq!(field(&response, "cache-control"), Some("no-store"));
    let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
    assert_eq!(parameters["error"], "insufficient_scope");
    assert_eq!(parameters["scope"], "orders:read orders:write");
    assert!(response.body().is_empty());
}

#[test]
fn who_was_not_authenticated_is_401_and_never_403() {
    let (outer, inner) = layers();
    let expired = key(tower_jwt_auth::Algorithm::ES256).token(&{
        let mut claims = claims();
        claims["exp"] = 1.into();
        claims
    });
    for token in [None, Some("not-a-jwt"), Some(&*expired)] {
        let response = send(&outer, &inner, bearer_at("/", token));
        assert_eq!(response.status(), 401, "{token:?}");
    }
}

#[test]
fn request_that_an_outer_layer_let_pass_without_a_token_is_401_without_an_error() {
    let (outer, inner) = layers();
    let exempt = outer.clone().exempt(|_| true).with_realm("orders").unwrap();
    let good = token_with(&json!({"scope": "orders:write orders:read"}));
    for (outer, token) in
        [(outer.optional().with_realm("orders").unwrap(), None), (exempt, Some(&*good))]
    {
        let response = send(&outer, &inner, bearer_at("/", token));
        assert_eq!(response.status(), 401);
        assert_eq!(refusal(&response), Some(RejectionKind::MissingCredentials));
        let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
        assert_eq!(parameters["realm"], "orders");
        assert_eq!(parameters.get("error"), None);
        assert_eq!(parameters["scope"], "orders:read orders:write");
    }
}

#[test]
fn missing_layer_is_a_500_that_tells_the_client_nothing() {
    let (_, inner) = layers();
    let good = token_with(&json!({"scope": "orders:write orders:read"}));
    let check = |response: Response<Vec<u8>>| {
        assert_eq!(response.status(), 500);
        assert!(response.body().is_empty());
        assert_eq!((challenge(&response), refusal(&response)), (None, None));
        assert!(!was_reached(&response));
    };
    check(through(inner.layer(service()), bearer_at("/", Some(&good))));
    // For other claims.
    let outer = JwtAuthLayer::new(dangerous_any_bearer());
    check(through(outer.layer(inner.layer(service())), bearer_at("/", Some(&good))));
    let outer = JwtAuthLayer::new(dangerous_any_bearer()).optional();
    check(through(outer.layer(inner.layer(service())), bearer_at("/", None)));
}

#[cfg(feature = "tracing")]
#[test]
fn missing_layer_is_one_error_event_for_each_claims_type() {
    use crate::support::log_text::Log;

    // Of this test alone: the first event is that of the process.
    struct Parcels;

    let (log, _guard) = Log::start(tracing::Level::TRACE);
    let inner = AuthorizeLayer::<Parcels>::new(Rule::scope("a").unwrap());
    for _ in 0..3 {
        assert_eq!(through(inner.layer(service()), bearer_at("/", None)).status(), 500);
    }
    assert_eq!(log.count("ERROR"), 1, "{}", log.text());
    assert_eq!(log.count("Parcels"), 1, "{}", log.text());
}

#[test]
fn every_layer_on_the_way_must_permit_the_request() {
    let (outer, _) = layers();
    let [read, write] = ["read", "write"].map(|name| AuthorizeLayer::new(scope(name)));
    for (granted, status) in [("read write", 200), ("read", 403), ("write", 403), ("", 403)] {
        let stack = outer.layer(read.layer(write.layer(service())));
        let token = token_with(&json!({"scope": granted}));
        assert_eq!(through(stack, bearer_at("/", Some(&token))).status(), status, "{granted}");
    }
}

#[test]
fn permit_of_the_inner_service_is_free_after_a_refusal() {
    let (outer, inner) = layers();
    let limited = ConcurrencyLimit::new(
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Vec::<u8>::new()))),
        1,
    );
    let mut stack = outer.layer(inner.layer(limited));
    let bad = token_with(&json!({}));
    let good = token_with(&json!({"scope": "orders:write orders:read"}));
    for token in [&bad, &bad, &good, &bad, &good] {
        let ready = stack.ready().now_or_never().expect("a permit is free").unwrap();
        let response = ready.call(bearer_at("/", Some(token))).now_or_never().unwrap().unwrap();
        assert_eq!(response.status() == 200, token == &good);
    }
}

#[test]
fn readiness_is_that_of_the_inner_service() {
    let (_, inner) = layers();
    let limit = ConcurrencyLimit::new(
        service_fn(|_: Request<()>| {
            std::future::pending::<Result<Response<Vec<u8>>, Infallible>>()
        }),
        1,
    );
    let (mut first, mut second) = (inner.layer(limit.clone()), inner.layer(limit));
    assert!(first.ready().now_or_never().is_some());
    assert!(second.ready().now_or_never().is_none());
    drop(first);
    assert!(second.ready().now_or_never().is_some());
}

#[test]
fn future_that_was_ready_stays_pending() {
    let (_, inner) = layers();
    let mut stack = inner.layer(service());
    let mut future = std::pin::pin!(stack.call(bearer_at("/", None)));
    assert!(crate::support::requests::poll(future.as_mut()).is_ready());
    assert!(crate::support::requests::poll(future.as_mut()).is_pending());
}
