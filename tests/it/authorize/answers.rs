//! The answers to refusals, as the authentication layer outside writes them, and the scope in its own challenges.

use http::request::Parts;
use http::{Request, Response};
use serde_json::json;
use tower::Layer;
use tower_jwt_auth::{
    AuthorizeLayer, ConfigErrorKind, JwtAuthLayer, Rejection, RequestSummary, Rule, Scope,
    VerifiedToken,
};

use super::{bearer_at, scope, send, service, through, token_with, verifier};
use crate::support::challenge as reader;
use crate::support::requests::{Body, challenge, field};

fn grpc(path: &str, token: &str) -> Request<()> {
    let mut request = bearer_at(path, Some(token));
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    request
}

#[test]
fn refusal_has_the_realm_and_the_responder_of_the_layer_outside() {
    let page = |rejection: &Rejection, request: &RequestSummary| {
        let mut response = Response::new(Body::from(request.uri().path()));
        *response.status_mut() = rejection.status();
        response
    };
    let outer = JwtAuthLayer::new(verifier()).with_realm("shop").unwrap().with_rejection_fn(page);
    let stack = outer.layer(AuthorizeLayer::new(scope("write")).layer(service()));
    let token = token_with(&json!({"scope": "read"}));
    let response = through(stack, bearer_at("/orders", Some(&token)));
    assert_eq!(response.status(), 403);
    assert_eq!(response.body(), b"/orders");
    let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
    assert_eq!((&*parameters["realm"], &*parameters["scope"]), ("shop", "write"));
}

#[test]
fn grpc_call_that_is_not_permitted_is_permission_denied_in_trailers() {
    let layers = (JwtAuthLayer::new(verifier()), AuthorizeLayer::new(scope("write")));
    let response = send(&layers.0, &layers.1, grpc("/a.B/C", &token_with(&json!({}))));
    assert_eq!(response.status(), 200);
    assert_eq!(field(&response, "grpc-status"), Some("7"));
    let layers = (layers.0, AuthorizeLayer::new(Rule::acr(["gold"]).unwrap()));
    let response = send(&layers.0, &layers.1, grpc("/a.B/C", &token_with(&json!({}))));
    assert_eq!(field(&response, "grpc-status"), Some("16"));
}

#[cfg(feature = "tracing")]
#[test]
fn refusal_is_one_event_with_the_claim_and_without_its_value() {
    use crate::support::log_text::Log;

    let (log, _guard) = Log::start(tracing::Level::TRACE);
    let rule = Rule::claim("tenant", "acme").unwrap();
    let layers = (JwtAuthLayer::new(verifier()), AuthorizeLayer::new(rule));
    let token = token_with(&json!({"tenant": "canary-of-a-tenant"}));
    assert_eq!(send(&layers.0, &layers.1, bearer_at("/", Some(&token))).status(), 403);
    assert_eq!(log.count("InsufficientScope"), 1, "{}", log.text());
    assert_eq!(log.count("tenant"), 1, "{}", log.text());
    assert_eq!(log.count("canary"), 0, "{}", log.text());
}

#[test]
fn scope_to_ask_for_is_in_every_401_of_the_layer_and_in_no_other_answer() {
    let inner = AuthorizeLayer::new(scope("write"));
    let outer = JwtAuthLayer::new(verifier()).with_scope_in_challenge(inner.required_scope());
    let outer = outer.unwrap().with_realm("shop").unwrap();
    for token in [None, Some("not-a-jwt"), Some(&*token_with(&json!({"exp": 1})))] {
        let response = send(&outer, &inner, bearer_at("/", token));
        let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!((&*parameters["realm"], &*parameters["scope"]), ("shop", "write"));
    }
    // 400.
    let response = send(&outer, &inner, bearer_at("/", Some("")));
    assert_eq!(response.status(), 400);
    assert!(!challenge(&response).unwrap().contains("scope="));
    // 403 names what is missing here.
    let other = AuthorizeLayer::new(scope("delete"));
    let response = send(&outer, &other, bearer_at("/", Some(&token_with(&json!({})))));
    let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
    assert_eq!(parameters["scope"], "delete");
    let other = AuthorizeLayer::new(Rule::claim("tenant", "acme").unwrap());
    let response = send(&outer, &other, bearer_at("/", Some(&token_with(&json!({})))));
    assert_eq!(response.status(), 403);
    assert!(!challenge(&response).unwrap().contains("scope="));
}

#[test]
fn scope_to_ask_for_is_none_by_default_and_can_be_removed() {
    let inner = AuthorizeLayer::new(scope("write"));
    let outer = JwtAuthLayer::new(verifier());
    let removed = outer.clone().with_scope_in_challenge(Scope::from("write")).unwrap();
    for outer in [outer, removed.with_scope_in_challenge(None).unwrap()] {
        let response = send(&outer, &inner, bearer_at("/", None));
        assert_eq!(challenge(&response), Some(r#"Bearer realm="api""#));
    }
}

#[test]
fn offline_access_of_a_rule_or_a_rejection_is_in_no_challenge() {
    for (named, expected) in [("offline_access", None), ("read offline_access", Some("read"))] {
        let rule: Rule = Rule::all_scopes(named.split(' ')).unwrap();
        let rejection = Rejection::insufficient_scope(Scope::from(named));
        let closure = move |_: &VerifiedToken, _: &Parts| Err::<(), Rejection>(rejection.clone());
        let token = token_with(&json!({}));
        for inner in [AuthorizeLayer::new(rule), AuthorizeLayer::new(closure)] {
            for request in [bearer_at("/", Some(&token)), grpc("/a.B/C", &token)] {
                let response = send(&JwtAuthLayer::new(verifier()), &inner, request);
                let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
                assert_eq!(parameters["error"], "insufficient_scope");
                assert_eq!(parameters.get("scope").map(String::as_str), expected);
            }
        }
    }
}

#[test]
fn scope_that_no_challenge_may_name_is_an_error() {
    let set =
        |scope: &str| JwtAuthLayer::new(verifier()).with_scope_in_challenge(Scope::from(scope));
    for (scope, kind) in [
        ("read offline_access", ConfigErrorKind::Challenge),
        ("re\"ad", ConfigErrorKind::Rule),
        ("é", ConfigErrorKind::Rule),
    ] {
        assert_eq!(set(scope).unwrap_err().kind(), kind, "{scope}");
    }
    assert!(set("orders:read orders:write").is_ok());
}
