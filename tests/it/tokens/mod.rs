//! Tokens that rows cannot describe: what they cost, signatures made to measure, types of claims.

mod algorithms;
mod claims;
mod cost;
mod known_headers;
mod signatures;
mod types;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tower_jwt_auth::{Algorithm, JwtVerifier, RejectionKind, VerifiedToken};

use crate::support::key;

fn verdict<C: DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Result<VerifiedToken<C>, RejectionKind> {
    verifier.verify_now(token).map_err(|rejection| rejection.kind())
}

#[track_caller]
fn refused<C: DeserializeOwned>(verifier: &JwtVerifier<C>, token: &str, kind: RejectionKind) {
    assert_eq!(verdict(verifier, token).err(), Some(kind));
}

fn typed<C: DeserializeOwned>(claims: &str) -> Result<VerifiedToken<C>, RejectionKind> {
    let hs256 = key(Algorithm::HS256);
    let token = hs256.token_of(r#"{"alg":"HS256"}"#, claims);
    verdict(&hs256.verifier().with_claims::<C>(), &token)
}

#[derive(Debug, Deserialize)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "never built")]
struct Strict {
    sub: String,
}
