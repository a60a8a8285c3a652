//! Layers inside of each other and of axum's nested routers, and checks inside of the decorator.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Dpop, FixedClock, JwtAuthLayer, MemoryReplayStore, NumericDate, OneTimeTokens,
    RegisteredClaims, Rejection, RejectionKind, ReplayCheck, ReplayEntry, ReplayStore,
    RequestSummary, SenderConstrained, Source, VerifiedToken, VerifyToken,
};

use super::proofs::{client, dpop, jkt, proof, proof_with, proven, with_proof};
use super::{bound, unbound};
use crate::support::requests::{Body, bearer, reached, refusal, send, send_later};
use crate::support::{NOW, claims_with, key, now};

use RejectionKind::*;

fn layer(dpop: Dpop) -> JwtAuthLayer {
    JwtAuthLayer::new(SenderConstrained::dpop(key(Algorithm::HS256).verifier(), dpop))
}

/// Sends a request through both layers, to a service that answers 204.
async fn through(
    outer: &JwtAuthLayer,
    inner: &JwtAuthLayer,
    request: Request<()>,
) -> Response<Body> {
    let service = service_fn(async |_: Request<()>| {
        let mut response = Response::new(Body::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok::<_, Infallible>(response)
    });
    let stack = outer.layer(inner.layer(service));
    stack.oneshot(request).await.unwrap_or_else(|never| match never {})
}

fn through_both(dpop: &Dpop, request: Request<()>) -> Response<Body> {
    let (outer, inner) = (layer(dpop.clone()).optional(), layer(dpop.clone()));
    through(&outer, &inner, request).now_or_never().unwrap()
}

#[test]
fn layers_with_clones_of_one_dpop_count_a_request_as_one_use() {
    let (store, token) = (MemoryReplayStore::new().with_clock(now()), bound(jkt()));
    let dpop = dpop().with_replay_store(store.clone());
    for _ in 0..2 {
        let proof = proof(client(), &token);
        let request = || with_proof(&format!("DPoP {token}"), &proof);
        assert_eq!(refusal(&through_both(&dpop, request())), None);
        assert_eq!(refusal(&through_both(&dpop, request())), Some(InvalidDpopProof), "again");
        assert_eq!(refusal(&send(&layer(dpop.clone()), request())), Some(InvalidDpopProof));
    }
    assert_eq!(store.len(), 2);
    assert_eq!(refusal(&through_both(&dpop, bearer(&unbound()))), None);
    assert_eq!(refusal(&through_both(&dpop, Request::new(()))), Some(MissingCredentials));
}

#[test]
fn layer_inside_with_a_store_of_its_own_records_the_use_too() {
    let (token, one, other) = (bound(jkt()), dpop(), dpop());
    let proof = proof(client(), &token);
    let request = || with_proof(&format!("DPoP {token}"), &proof);
    let both = |outer: &Dpop, inner: &Dpop| {
        let (outer, inner) = (layer(outer.clone()), layer(inner.clone()));
        refusal(&through(&outer, &inner, request()).now_or_never().unwrap())
    };
    assert_eq!(both(&one, &other), None);
    assert_eq!(refusal(&send(&layer(other.clone()), request())), Some(InvalidDpopProof));
    // What the outer layer accepts is no first use for another store.
    assert_eq!(both(&dpop(), &other), Some(InvalidDpopProof));
}

#[test]
fn layer_between_two_others_does_not_hide_the_use() {
    let (token, one, other) = (bound(jkt()), dpop(), dpop());
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new())));
    let stack = layer(one.clone()).layer(layer(other).layer(layer(one).layer(service)));
    let response = stack.oneshot(proven(&token)).now_or_never().unwrap().unwrap();
    assert_eq!(refusal(&response), None);
}

#[test]
fn mark_of_one_request_is_not_one_for_another() {
    let (token, dpop) = (bound(jkt()), dpop());
    let request = proven(&token);
    let proof = request.headers()["dpop"].clone();
    let response = send(&layer(dpop.clone()), request);
    let head = reached(&response).unwrap();
    // A service below that sends a request of its own, with all extensions.
    let mut second = proven(&token);
    *second.extensions_mut() = head.extensions.clone();
    assert_ne!(second.headers()["dpop"], proof);
    assert_eq!(refusal(&send(&layer(dpop.clone()), second)), None);
    let mut replayed = proven(&token);
    replayed.headers_mut().insert("dpop", proof);
    assert_eq!(refusal(&send(&layer(dpop), replayed)), Some(InvalidDpopProof));
}

#[test]
fn response_of_nested_layers_has_one_nonce() {
    let token = bound(jkt());
    let dpop = dpop().require_nonce().unwrap();
    let request = |claims: &Value| {
        with_proof(&format!("DPoP {token}"), &proof_with(client(), &token, claims))
    };
    let without = json!({});
    let demand = through_both(&dpop, request(&without));
    assert_eq!(refusal(&demand), Some(UseDpopNonce));
    assert_eq!(demand.headers().get_all("dpop-nonce").iter().count(), 1);
    let nonce = demand.headers()["dpop-nonce"].to_str().unwrap();
    // Near its end, so that each response has a new one.
    let later = FixedClock(NumericDate::from_unix_seconds(NOW + 200));
    let dpop = dpop.with_clock(later);
    let claims = json!({"nonce": nonce, "iat": NOW + 200});
    let response = through_both(&dpop, request(&claims));
    assert_eq!(refusal(&response), None);
    assert_eq!(response.headers().get_all("dpop-nonce").iter().count(), 1);
}

/// A store that answers later, as one over a network does.
#[derive(Clone, Debug)]
struct Later(MemoryReplayStore);

impl ReplayStore for Later {
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
        let (store, entry) = (self.0.clone(), entry.clone());
        ReplayCheck::pending(async move {
            tokio::task::yield_now().await;
            store.record(&entry).wait().await
        })
    }
}

/// Verifies the token later, and then its binding and its first use.
fn later(dpop: Dpop, store: Later) -> OneTimeTokens {
    let verifier = key(Algorithm::HS256).verifier();
    let checked = verifier.with_check(async |_, _| {
        tokio::task::yield_now().await;
        Ok(())
    });
    OneTimeTokens::new(SenderConstrained::dpop(checked, dpop), store)
}

#[tokio::test]
async fn proof_and_one_time_token_are_used_once_by_layers_that_wait() {
    let store = Later(MemoryReplayStore::new().with_clock(now()));
    let verifier = later(dpop().with_replay_store(store.clone()), store.clone());
    let (outer, inner) =
        (JwtAuthLayer::new(verifier.clone()).optional(), JwtAuthLayer::new(verifier));
    let mut claims = claims_with("cnf", jkt());
    claims["jti"] = json!("1");
    let token = key(Algorithm::HS256).token(&claims);
    assert_eq!(refusal(&through(&outer, &inner, proven(&token)).await), None);
    assert_eq!(store.0.len(), 2);
    assert_eq!(refusal(&through(&outer, &inner, proven(&token)).await), Some(UsedToken));
    assert_eq!(refusal(&send_later(&inner, proven(&token)).await), Some(UsedToken));
}

async fn refuse(_: VerifiedToken<RegisteredClaims>, _: RequestSummary) -> Result<(), Rejection> {
    Err(Rejection::invalid_token())
}

#[test]
fn check_inside_that_refuses_leaves_no_entry() {
    let store = MemoryReplayStore::new().with_clock(now());
    let verifier = key(Algorithm::HS256).verifier();
    let dpop = dpop().with_replay_store(store.clone());
    let token = bound(jkt());
    let inside = SenderConstrained::dpop(verifier.clone().with_check(refuse), dpop.clone());
    assert_eq!(refusal(&send(&JwtAuthLayer::new(inside), proven(&token))), Some(InvalidToken));
    assert!(store.is_empty());
    let outside = SenderConstrained::dpop(verifier, dpop).with_check(refuse);
    assert_eq!(refusal(&send(&JwtAuthLayer::new(outside), proven(&token))), Some(InvalidToken));
    assert_eq!(store.len(), 1);
}

#[test]
fn proof_is_marked_as_sensitive_and_stays_in_the_head() {
    let token = bound(jkt());
    let sources = || [Source::authorization_header(), Source::header("x-token").unwrap()];
    let plain = layer(dpop());
    let with_sources = plain.clone().with_sources(sources()).unwrap();
    for layer in [plain, with_sources.clone(), with_sources.remove_credential()] {
        let response = send(&layer, proven(&token));
        let head = reached(&response).unwrap();
        assert!(head.headers["dpop"].is_sensitive());
        assert!(!format!("{head:?}").contains(head.headers["dpop"].to_str().unwrap()));
    }
    // Also of a request that the layer forwards without a token.
    let mut request = Request::new(());
    request.headers_mut().append("dpop", http::HeaderValue::from_static("one"));
    request.headers_mut().append("dpop", http::HeaderValue::from_static("two"));
    let response = send(&layer(dpop()).optional(), request);
    let head = reached(&response).unwrap();
    assert!(head.headers.get_all("dpop").iter().all(http::HeaderValue::is_sensitive));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn nested_router_with_its_prefix_in_the_public_url_accepts_its_root_and_below() {
    use axum::Router;
    use axum::body::Body;

    let token = bound(jkt());
    let dpop = || Dpop::new("https://api.example/mcp").unwrap().with_clock(now());
    let status = async |path: &str, htu: &str| {
        let inner = Router::new().fallback(async || "ok").layer(layer(dpop()));
        // `nest` has no route for the prefix with a slash, `nest_service` has.
        let router = match path {
            "/mcp/" => Router::new().nest_service("/mcp", inner),
            _ => Router::new().nest("/mcp", inner),
        };
        let proof = proof_with(client(), &token, &json!({"htu": htu}));
        let (mut head, ()) = with_proof(&format!("DPoP {token}"), &proof).into_parts();
        head.uri = path.parse().unwrap();
        router.oneshot(Request::from_parts(head, Body::empty())).await.unwrap().status()
    };
    for (path, htu) in [
        ("/mcp", "https://api.example/mcp"),
        ("/mcp?q", "https://api.example/mcp"),
        ("/mcp/", "https://api.example/mcp/"),
        ("/mcp/", "https://api.example/mcp"),
        ("/mcp/a", "https://api.example/mcp/a"),
        ("/mcp/a/", "https://api.example/mcp/a/"),
    ] {
        assert_eq!(status(path, htu).await, StatusCode::OK, "{path}");
    }
    for (path, htu) in [
        ("/mcp", "https://api.example/"),
        ("/mcp/a", "https://api.example/mcp"),
        ("/mcp/a", "https://api.example/a"),
    ] {
        assert_eq!(status(path, htu).await, StatusCode::UNAUTHORIZED, "{path}");
    }
}
