//! Tokens that can be used once: what counts as a use, what a store that fails does, and concurrent requests.

use std::convert::Infallible;
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use http::request::Parts;
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Accepted, Algorithm, DenyList, JwtAuthLayer, JwtVerifier, MemoryReplayStore,
    MemoryRevocationStore, OneTimeTokens, PresentedToken, RegisteredClaims, Rejection,
    RejectionKind, ReplayCheck, ReplayEntry, ReplayStore, Revocation, Verification, VerifyToken,
    verify_fn,
};

use crate::support::requests::{Body, bearer, challenge, refusal, send, send_later};
use crate::support::{ISSUER, NOW, claims, claims_with, claims_without, key, now};

use RejectionKind::*;

fn verifier() -> JwtVerifier {
    key(Algorithm::HS256).verifier()
}

fn token_of(claims: &Value) -> String {
    key(Algorithm::HS256).token(claims)
}

fn token(id: &str) -> String {
    token_of(&claims_with("jti", id))
}

fn store() -> MemoryReplayStore {
    MemoryReplayStore::new().with_clock(now())
}

fn layer(store: impl ReplayStore) -> JwtAuthLayer {
    JwtAuthLayer::new(OneTimeTokens::new(verifier(), store))
}

fn answer(layer: &JwtAuthLayer, token: &str) -> Response<Body> {
    send(layer, bearer(token))
}

#[test]
fn token_is_accepted_once() {
    let layer = layer(store());
    assert_eq!(answer(&layer, &token("1")).status(), 204);
    for _ in 0..2 {
        let response = answer(&layer, &token("1"));
        assert_eq!(response.status(), 401);
        assert_eq!(refusal(&response), Some(UsedToken));
        assert!(challenge(&response).unwrap().contains(r#"error="invalid_token""#));
    }
    assert_eq!(answer(&layer, &token("2")).status(), 204);
}

#[test]
fn other_token_with_the_same_jti_counts_as_used() {
    let layer = layer(store());
    assert_eq!(answer(&layer, &token("1")).status(), 204);
    let mut claims = claims_with("jti", "1");
    claims["exp"] = json!(NOW + 7200);
    assert_eq!(refusal(&answer(&layer, &token_of(&claims))), Some(UsedToken));
}

#[test]
fn same_jti_of_another_subject_is_another_token() {
    let layer = layer(store());
    for sub in ["alice", "bob"] {
        let mut claims = claims_with("jti", "1");
        claims["sub"] = json!(sub);
        assert_eq!(answer(&layer, &token_of(&claims)).status(), 204);
        assert_eq!(refusal(&answer(&layer, &token_of(&claims))), Some(UsedToken));
    }
}

#[test]
fn layers_with_one_store_share_what_was_used() {
    let store = store();
    let (one, other) = (layer(store.clone()), layer(store));
    assert_eq!(answer(&one, &token("1")).status(), 204);
    assert_eq!(refusal(&answer(&other, &token("1"))), Some(UsedToken));
}

#[test]
fn nested_layers_with_clones_of_one_verifier_count_a_request_as_one_use() {
    let verifier = OneTimeTokens::new(verifier(), store());
    let (outer, inner) =
        (JwtAuthLayer::new(verifier.clone()).optional(), JwtAuthLayer::new(verifier));
    let through_both = |token: &str| {
        let service =
            service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new())));
        let stack = outer.layer(inner.layer(service));
        refusal(&stack.oneshot(bearer(token)).now_or_never().unwrap().unwrap())
    };
    assert_eq!(through_both(&token("1")), None);
    assert_eq!(through_both(&token("1")), Some(UsedToken));
    assert_eq!(refusal(&answer(&inner, &token("1"))), Some(UsedToken));
    // What passed the inner layer alone is used, too.
    assert_eq!(refusal(&answer(&inner, &token("2"))), None);
    assert_eq!(through_both(&token("2")), Some(UsedToken));
}

/// Accepts what it has accepted before.
struct Again(OneTimeTokens, Mutex<Option<Accepted<RegisteredClaims>>>);

impl VerifyToken<RegisteredClaims> for Again {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        let mut kept = self.1.lock().unwrap();
        if let Some(accepted) = &*kept {
            return Verification::ready(Ok(accepted.clone()));
        }
        let accepted = self.0.verify_token(token, head).now_or_never().unwrap();
        *kept = accepted.as_ref().ok().cloned();
        Verification::ready(accepted)
    }
}

#[test]
fn use_that_another_request_recorded_does_not_count_for_this_one() {
    let once = OneTimeTokens::new(verifier(), store());
    let outer = JwtAuthLayer::new(Again(once.clone(), Mutex::default()));
    let inner = JwtAuthLayer::new(once);
    let through_both = || {
        let service =
            service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new())));
        let stack = outer.layer(inner.layer(service));
        refusal(&stack.oneshot(bearer(&token("1"))).now_or_never().unwrap().unwrap())
    };
    assert_eq!(through_both(), None);
    assert_eq!(through_both(), Some(UsedToken));
}

#[test]
fn token_without_a_name_is_refused() {
    let layer = layer(store());
    let mut no_subject = claims_without("sub");
    no_subject["jti"] = json!("1");
    assert_eq!(refusal(&answer(&layer, &token_of(&no_subject))), None);
    let response = answer(&layer, &token_of(&claims()));
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!((rejection.kind(), rejection.expected()), (MissingClaim, Some("jti")));

    let opaque = verify_fn(|_: &PresentedToken| Ok(()));
    let layer = JwtAuthLayer::new(OneTimeTokens::new(opaque, store()));
    let response = send(&layer, bearer("abc"));
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), MissingClaim);
    assert_eq!(rejection.expected(), Some("claims that can be read by name"));
}

#[tokio::test]
async fn token_that_an_inner_check_refuses_is_not_used_up() {
    let revoked = MemoryRevocationStore::new(10).unwrap().with_clock(now());
    let stolen = Revocation::token(ISSUER, "1");
    revoked.revoke(&stolen, Duration::from_secs(60)).unwrap();
    let checked =
        DenyList::new(verifier(), revoked.clone()).with_check(async |token, _| {
            match token.sub.as_deref() {
                Some("alice") => Ok(()),
                _ => Err(Rejection::invalid_token()),
            }
        });
    let uses = store();
    let layer = JwtAuthLayer::new(OneTimeTokens::new(checked, uses.clone()));
    let answer =
        async |claims: &Value| refusal(&send_later(&layer, bearer(&token_of(claims))).await);
    let claims = claims_with("jti", "1");
    assert_eq!(answer(&claims).await, Some(RevokedToken));
    let mut of_bob = claims.clone();
    of_bob["sub"] = json!("bob");
    revoked.restore(&stolen);
    assert_eq!(answer(&of_bob).await, Some(InvalidToken));
    assert!(uses.is_empty());
    assert_eq!(answer(&claims).await, None);
    assert_eq!(answer(&claims).await, Some(UsedToken));
}

#[derive(Debug)]
struct Down;

impl ReplayStore for Down {
    fn record(&self, _: &ReplayEntry) -> ReplayCheck {
        ReplayCheck::pending(ready(Err("the connection was lost".into())))
    }
}

#[tokio::test]
async fn store_that_fails_or_is_full_is_a_503_and_never_a_pass() {
    let response = send_later(&layer(Down), bearer(&token("1"))).await;
    assert_eq!(refusal(&response), Some(Unavailable));
    let full = MemoryReplayStore::with_capacity(1).unwrap().with_clock(now());
    let layer = layer(full);
    assert_eq!(answer(&layer, &token("1")).status(), 204);
    let response = answer(&layer, &token("2"));
    assert_eq!(response.status(), 503);
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), Unavailable);
    assert!(std::error::Error::source(rejection).is_some());
    // What was used is still known.
    assert_eq!(refusal(&answer(&layer, &token("1"))), Some(UsedToken));
}

#[test]
fn exactly_one_of_many_concurrent_requests_passes() {
    const THREADS: usize = 16;
    let layer = layer(store());
    for round in 0..20 {
        let (barrier, passed) = (Barrier::new(THREADS), AtomicUsize::new(0));
        let token = token(&round.to_string());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    match refusal(&answer(&layer, &token)) {
                        None => passed.fetch_add(1, Ordering::Relaxed),
                        Some(kind) => {
                            assert_eq!(kind, UsedToken);
                            0
                        }
                    };
                });
            }
        });
        assert_eq!(passed.load(Ordering::Relaxed), 1);
    }
}

#[cfg(feature = "token-cache")]
#[test]
fn token_from_a_cache_was_used_too() {
    let cached = verifier().with_token_cache(10).unwrap();
    let layer = JwtAuthLayer::new(OneTimeTokens::new(cached, store()));
    assert_eq!(answer(&layer, &token("1")).status(), 204);
    for _ in 0..2 {
        assert_eq!(refusal(&answer(&layer, &token("1"))), Some(UsedToken));
    }
}

#[test]
fn summary_is_that_of_the_inner_verifier() {
    let lax = OneTimeTokens::new(verifier().dangerous_ignore_confirmation(), store());
    assert_eq!(lax.describe(), verifier().dangerous_ignore_confirmation().describe());
    assert_eq!(format!("{lax:?}"), "OneTimeTokens { .. }");
}
