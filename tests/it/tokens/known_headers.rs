//! A header that is remembered from a verified token decides nothing that the header as received would not decide.

use std::thread;

use tower_jwt_auth::{Algorithm, JwtVerifier, RejectionKind};

use super::{refused, verdict};
use crate::support::{TestKey, claims, key};

use RejectionKind::*;

/// The answer of a thread that has verified nothing before.
fn anew(verifier: &JwtVerifier, token: &str) -> Option<RejectionKind> {
    thread::scope(|scope| scope.spawn(|| verdict(verifier, token).err()).join().unwrap())
}

#[test]
fn every_change_of_a_known_header_has_the_answer_of_a_new_one() {
    let hs256 = key(Algorithm::HS256);
    let (verifier, token) = (hs256.verifier(), hs256.token(&claims()));
    assert!(verdict(&verifier, &token).is_ok());
    let length = token.find('.').unwrap();
    for at in 0..length {
        for bit in 0..7 {
            let mut changed = token.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let known = verdict(&verifier, &changed).err();
            assert!(known.is_some(), "{changed}");
            assert_eq!(known, anew(&verifier, &changed), "{changed}");
        }
    }
    for other in [&token[1..length], &token[..length - 1], &format!("{}A", &token[..length])] {
        let changed = format!("{other}{}", &token[length..]);
        assert_eq!(verdict(&verifier, &changed).err(), anew(&verifier, &changed), "{changed}");
    }
    assert!(verdict(&verifier, &token).is_ok());
}

#[test]
fn known_header_passes_no_check_of_another_verifier() {
    let es256 = key(Algorithm::ES256);
    let token = es256.token(&claims());
    assert!(verdict(&es256.verifier(), &token).is_ok());

    let forged = TestKey::generate(Algorithm::ES256).verifier();
    refused(&forged, &token, InvalidSignature);
    let only_rsa = es256.verifier().with_algorithms([Algorithm::RS256]).unwrap();
    refused(&only_rsa, &token, UnsupportedAlgorithm);
    let typed = es256.verifier().require_rfc9068();
    assert_eq!(verdict(&typed, &token).err(), anew(&typed, &token));

    let header = format!("{:<150}", r#"{"alg":"ES256"}"#);
    let long = es256.token_of(header, claims().to_string());
    assert!(verdict(&es256.verifier(), &long).is_ok());
    refused(&es256.verifier().with_max_header_length(128).unwrap(), &long, TokenTooLong);
}

#[test]
fn forged_tokens_of_many_headers_change_no_answer() {
    let hs256 = key(Algorithm::HS256);
    let (verifier, good) = (hs256.verifier(), hs256.token(&claims()));
    let other = TestKey::generate(Algorithm::HS256);
    for n in 0..300 {
        let forged = other.token_of(format!(r#"{{"alg":"HS256","n":{n}}}"#), claims().to_string());
        refused(&verifier, &forged, InvalidSignature);
        let signed = hs256.token_of(format!(r#"{{"alg":"HS256","n":{n}}}"#), claims().to_string());
        assert!(verdict(&verifier, &signed).is_ok());
        refused(&verifier, &forged, InvalidSignature);
        assert!(verdict(&verifier, &good).is_ok());
    }
}
