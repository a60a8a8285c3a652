//! The verifier without a request.

use tower_jwt_auth::{Algorithm, RejectionKind};

use crate::support::{NOW, claims, claims_with, key, supported};

#[test]
fn every_algorithm_verifies_by_its_own_key_and_no_other() {
    let verifiers: Vec<_> = supported().map(|algorithm| (algorithm, key(algorithm))).collect();
    for &signing in Algorithm::ALL {
        let token = key(signing).token(&claims());
        for &(verifying, key) in &verifiers {
            let verdict = key.verifier().verify_now(&token);
            assert_eq!(verdict.is_ok(), signing == verifying, "{signing} by {verifying}");
        }
    }
}

#[test]
fn expired_is_told_from_invalid() {
    let key = key(Algorithm::ES256);
    let expired = key.token(&claims_with("exp", NOW - 31));
    let verdict = key.verifier().verify_now(&expired);
    assert_eq!(verdict.unwrap_err().kind(), RejectionKind::ExpiredToken);
    // The first character of the signature; the last one has bits that must be zero.
    let dot = expired.rfind('.').unwrap() + 1;
    let other = if expired[dot..].starts_with('A') { "B" } else { "A" };
    let forged = format!("{}{other}{}", &expired[..dot], &expired[dot + 1..]);
    let verdict = key.verifier().verify_now(&forged);
    assert_eq!(verdict.unwrap_err().kind(), RejectionKind::InvalidSignature);
}
