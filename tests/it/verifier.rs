//! The verifier without a request.

use std::time::Duration;

use tower_jwt_auth::{Algorithm, ConfigErrorKind, RejectionKind};

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

#[test]
fn the_setters_have_their_bounds() {
    let key = key(Algorithm::ES256);
    for (leeway, fits) in [(0, true), (300_000, true), (300_001, false), (301_000, false)] {
        let set = key.verifier().with_leeway(Duration::from_millis(leeway));
        let kind = set.err().map(|error| error.kind());
        assert_eq!(kind, (!fits).then_some(ConfigErrorKind::Duration), "{leeway}");
    }
    for (max_age, fits) in [(0, false), (999, false), (1_000, true), (86_400_000, true)] {
        let set = key.verifier().with_max_age(Duration::from_millis(max_age));
        let kind = set.err().map(|error| error.kind());
        assert_eq!(kind, (!fits).then_some(ConfigErrorKind::Duration), "{max_age}");
    }
    let none = key.verifier().with_algorithms([]).unwrap_err();
    assert_eq!(none.kind(), ConfigErrorKind::Algorithm);
    // One that is named twice is named.
    let twice = key.verifier().with_algorithms([Algorithm::ES256; 2]).unwrap();
    assert!(twice.verify_now(&key.token(&claims())).is_ok());
}
