//! DPoP over an issuer set with a token cache, and with a check: in one expression.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use http::Response;
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, RegisteredClaims, Rejection, RejectionKind,
    SenderConstrained, VerifyToken,
};

use super::proofs::{client, dpop, jkt, proof, proven, with_proof};
use crate::support::requests::{Body, bearer, refusal, send};
use crate::support::{AUDIENCE, TestKey, claims, key, now};
use crate::token_cache::Counted;

use RejectionKind::*;

const A: &str = "https://a.test";
const B: &str = "https://b.test";

type Denied = Arc<Mutex<HashSet<String>>>;

/// The layer, and the number of look-ups of keys. A token whose `sub` is denied is refused.
fn stack(denied: &Denied) -> (JwtAuthLayer, Counted) {
    let keys = Counted::of(key(Algorithm::HS256));
    let issuers = IssuerSet::new().with_token_cache(100).unwrap();
    for issuer in [A, B] {
        let verifier = JwtVerifier::new(issuer, AUDIENCE, keys.clone()).unwrap();
        issuers.add(verifier.with_clock(now())).unwrap();
    }
    let denied = Arc::clone(denied);
    let layer = JwtAuthLayer::new(SenderConstrained::dpop(issuers, dpop()).with_check(
        async move |token: tower_jwt_auth::VerifiedToken<RegisteredClaims>, _| {
            let sub = token.sub.clone().unwrap_or_default();
            match denied.lock().unwrap().contains(&sub) {
                true => Err(Rejection::invalid_token()),
                false => Ok(()),
            }
        },
    ));
    (layer, keys)
}

/// A token of this issuer that is bound to the key of the client.
fn token(issuer: &str, sub: &str) -> String {
    let mut claims = claims();
    for (name, value) in [("iss", json!(issuer)), ("sub", json!(sub)), ("cnf", jkt())] {
        claims[name] = value;
    }
    let signer: &TestKey = key(Algorithm::HS256);
    signer.token(&claims)
}

fn kind(response: &Response<Body>) -> Option<RejectionKind> {
    refusal(response)
}

#[test]
fn token_from_the_cache_needs_a_new_proof_and_passes_the_check_each_time() {
    let denied = Denied::default();
    let (layer, keys) = stack(&denied);
    for (issuer, lookups) in [(A, 1), (B, 2)] {
        let token = token(issuer, "alice");
        for _ in 0..3 {
            assert_eq!(kind(&send(&layer, proven(&token))), None);
            let again = proof(client(), &token);
            let request = || with_proof(&format!("DPoP {token}"), &again);
            assert_eq!(kind(&send(&layer, request())), None);
            assert_eq!(kind(&send(&layer, request())), Some(InvalidDpopProof), "used again");
            let other = proof(key(Algorithm::ES384), &token);
            let stolen = with_proof(&format!("DPoP {token}"), &other);
            assert_eq!(kind(&send(&layer, stolen)), Some(InvalidDpopProof));
            assert_eq!(kind(&send(&layer, bearer(&token))), Some(UnconfirmedSender));
        }
        assert_eq!(keys.lookups(), lookups, "the others are from the cache");
        let elsewhere = proof(client(), &self::token(A, "bob"));
        let request = with_proof(&format!("DPoP {token}"), &elsewhere);
        assert_eq!(kind(&send(&layer, request)), Some(InvalidDpopProof), "of another token");
        denied.lock().unwrap().insert("alice".to_owned());
        assert_eq!(kind(&send(&layer, proven(&token))), Some(InvalidToken));
        denied.lock().unwrap().clear();
        assert_eq!(kind(&send(&layer, proven(&token))), None);
        assert_eq!(keys.lookups(), lookups);
    }
}

#[test]
fn of_32_requests_at_the_same_time_with_one_proof_one_passes() {
    let (layer, _) = stack(&Denied::default());
    let token = token(A, "alice");
    let start = Arc::new(Barrier::new(32));
    for _ in 0..5 {
        let proof = proof(client(), &token);
        let passed = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    let request = with_proof(&format!("DPoP {token}"), &proof);
                    start.wait();
                    match kind(&send(&layer, request)) {
                        None => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        kind => assert_eq!(kind, Some(InvalidDpopProof)),
                    }
                });
            }
        });
        assert_eq!(passed.load(Ordering::Relaxed), 1);
    }
}
