//! Whom a token is about.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExpectedIssuer, JwtVerifier, Principal, VerifiedToken,
};

use crate::support::{ISSUER, claims, key, now};

#[derive(Deserialize)]
struct NoClaims {}

fn verifier() -> JwtVerifier<NoClaims> {
    let key = key(Algorithm::ES256);
    JwtVerifier::new(
        ExpectedIssuer::dangerous_any(),
        ExpectedAudience::dangerous_any(),
        key.verification_key(),
    )
    .unwrap()
    .with_clock(now())
    .with_claims()
    .with_claims_by_name()
}

fn verified(change: impl FnOnce(&mut Value)) -> VerifiedToken<NoClaims> {
    let mut claims = claims();
    change(&mut claims);
    verifier().verify_now(&key(Algorithm::ES256).token(&claims)).unwrap()
}

fn principal(issuer: &str, subject: &str) -> Principal {
    let token = verified(|claims| {
        claims["iss"] = json!(issuer);
        claims["sub"] = json!(subject);
    });
    Principal::of(&token).unwrap()
}

#[test]
fn principal_is_the_issuer_and_the_subject_whatever_the_claims_type() {
    let one = principal(ISSUER, "alice");
    assert_eq!((one.issuer(), one.subject()), (ISSUER, "alice"));
    let again = verified(|claims| {
        claims["sub"] = json!("alice");
        claims["jti"] = json!("another token of the same user");
        claims["client_id"] = json!("another client");
    });
    assert_eq!(Principal::of(&again), Some(one));
}

#[test]
fn same_subject_of_another_issuer_is_another_principal() {
    let pairs = [
        ("https://a.example", "alice"),
        ("https://b.example", "alice"),
        ("https://a.example", "bob"),
        ("https://a.example", "Alice"),
        ("https://a.example/", "alice"),
        // No way of joining the two texts makes these equal.
        ("https://a.example/alice", "x"),
        ("https://a.example", "alice\u{0}x"),
        ("https://a.example\u{0}alice", "x"),
    ];
    let principals: HashSet<_> = pairs.map(|(iss, sub)| principal(iss, sub)).into();
    assert_eq!(principals.len(), pairs.len());
}

#[test]
fn token_without_issuer_or_subject_has_no_principal() {
    for name in ["iss", "sub"] {
        let absent = verified(|claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(Principal::of(&absent), None, "{name}");
    }
}

#[test]
fn token_whose_text_was_not_kept_has_no_principal() {
    let verifier = key(Algorithm::ES256).verifier();
    let token = verifier.verify_now(&key(Algorithm::ES256).token(&claims())).unwrap();
    assert_eq!(Principal::of(&token), None);
}

#[test]
fn principal_shows_no_subject_in_a_log() {
    let shown = format!("{:?}", principal(ISSUER, "alice-the-canary"));
    assert_eq!(shown, format!("Principal {{ issuer: {ISSUER:?}, .. }}"));
}
