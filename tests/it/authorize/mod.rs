//! What a verified token permits.

mod actors;
mod answers;
#[cfg(feature = "axum")]
mod axum;
mod costs;
mod grpc;
mod layer;
mod long_rules;
#[cfg(feature = "mcp")]
mod mcp;
#[cfg(feature = "mcp")]
mod mcp_calls;
#[cfg(feature = "mcp")]
mod mcp_properties;
mod rules;
mod scopes;
mod step_up;

use std::convert::Infallible;

use futures_util::FutureExt;
use http::request::Parts;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, AuthorizeLayer, JwtAuthLayer, JwtVerifier, PresentedToken, RegisteredClaims,
    Rejection, Rule, VerifiedToken, VerifyToken,
};

use crate::support::requests::Body;
use crate::support::{claims, key};

/// [`claims`] with these members added or replaced.
fn claims_and(more: &Value) -> Value {
    let mut all = claims();
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

fn token_with(more: &Value) -> String {
    key(Algorithm::ES256).token(&claims_and(more))
}

fn verifier() -> JwtVerifier {
    key(Algorithm::ES256).verifier()
}

/// A token as the layer verifies it.
fn verified_by<C>(verifier: &JwtVerifier<C>, token: &str) -> VerifiedToken<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let head = Request::new(()).into_parts().0;
    let token = PresentedToken::bearer(token).unwrap();
    let accepted = verifier.verify_token(&token, &head).now_or_never().unwrap();
    accepted.unwrap().into_token()
}

fn verified(more: &Value) -> VerifiedToken {
    verified_by(&verifier(), &token_with(more))
}

fn check(rule: &Rule, more: &Value) -> Result<(), Rejection> {
    rule.check(&verified(more))
}

fn holds(rule: &Rule, more: &Value) -> bool {
    check(rule, more).is_ok()
}

fn scope(scope: &str) -> Rule {
    Rule::scope(scope).unwrap()
}

/// The scopes that a refusal names.
fn missing(rule: &Rule, more: &Value) -> Vec<String> {
    let rejection = check(rule, more).unwrap_err();
    rejection.scope().map(|scope| scope.iter().map(String::from).collect()).unwrap_or_default()
}

/// Sends a request through a layer of authentication and one of authorization to a service that returns 200.
fn send<C: Send + Sync + 'static>(
    outer: &JwtAuthLayer<C>,
    inner: &AuthorizeLayer<C>,
    request: Request<()>,
) -> Response<Body> {
    through(outer.layer(inner.layer(service())), request)
}

#[derive(Clone, Debug)]
struct Reached;

fn service()
-> impl Service<Request<()>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    service_fn(async |_: Request<()>| {
        let mut response = Response::new(Body::new());
        response.extensions_mut().insert(Reached);
        Ok(response)
    })
}

fn through<S>(service: S, request: Request<()>) -> Response<Body>
where
    S: Service<Request<()>, Response = Response<Body>, Error = Infallible>,
{
    service.oneshot(request).now_or_never().unwrap().unwrap_or_else(|never| match never {})
}

fn was_reached(response: &Response<Body>) -> bool {
    response.extensions().get::<Reached>().is_some()
}

fn bearer_at(path: &str, token: Option<&str>) -> Request<()> {
    let mut request = Request::post(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(()).unwrap()
}

#[test]
fn closures_are_rules_too() {
    let by_method = |token: &VerifiedToken, head: &Parts| match (&token.sub, head.method.as_str()) {
        (Some(_), "GET") => Ok(()),
        _ => Err(Rejection::insufficient_scope("write".into())),
    };
    let outer = JwtAuthLayer::new(verifier());
    let inner = AuthorizeLayer::<RegisteredClaims>::new(by_method);
    let token = token_with(&json!({}));
    let mut request = bearer_at("/", Some(&token));
    assert_eq!(send(&outer, &inner, request).status(), 403);
    request = bearer_at("/", Some(&token));
    *request.method_mut() = http::Method::GET;
    assert_eq!(send(&outer, &inner, request).status(), 200);
}
