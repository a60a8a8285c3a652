//! Algorithms and keys: each by each, and keys that a token brings along.

use serde_json::json;
use tower_jwt_auth::{Algorithm, JwkSet, JwtVerifier, RejectionKind, VerificationKey};

use super::{refused, verdict};
use crate::support::{
    AUDIENCE, ISSUER, TestKey, b64, backend_supports, claims, claims_with, key, now, supported,
};

use RejectionKind::*;

#[test]
fn every_algorithm_by_every_key() {
    let verifiers: Vec<_> = supported().map(|algorithm| (algorithm, key(algorithm))).collect();
    for &signing in Algorithm::ALL {
        for &(verifying, verifying_key) in &verifiers {
            let verifier = verifying_key.verifier();
            // The header says either of them; both `kid` and signature are by the signer.
            for said in [signing, verifying] {
                for kid in [Some(said.name()), None] {
                    let mut header = json!({"alg": said.name()});
                    if let Some(kid) = kid {
                        header["kid"] = kid.into();
                    }
                    let token = key(signing).token_of(header.to_string(), claims().to_string());
                    let expected = match (said == verifying, signing == verifying) {
                        (true, true) => None,
                        (true, false) => Some(InvalidSignature),
                        (false, _) => Some(UnknownKey),
                    };
                    let kind = verdict(&verifier, &token).err();
                    assert_eq!(kind, expected, "{signing} as {said} by {verifying}");
                }
            }
        }
    }
}

#[test]
fn every_algorithm_of_a_type_by_every_key_of_it() {
    let rsa = &Algorithm::ALL[3..9];
    for bound in rsa {
        for used in rsa {
            let header = json!({"alg": used.name(), "kid": bound.name()}).to_string();
            let message = format!("{}.{}", b64(header), b64(claims().to_string()));
            let signature = b64(key(*bound).sign_as(*used, message.as_bytes()));
            let token = format!("{message}.{signature}");
            let verdict_of_bound = verdict(&key(*bound).verifier(), &token);
            assert_eq!(verdict_of_bound.is_ok(), bound == used, "{used} by {bound}");

            let mut jwk = key(*bound).jwk();
            jwk.as_object_mut().unwrap().remove("alg");
            let unbound = VerificationKey::from_jwk(&jwk.to_string()).unwrap();
            let verifier = JwtVerifier::new(ISSUER, AUDIENCE, unbound).unwrap().with_clock(now());
            assert!(verdict(&verifier, &token).is_ok(), "{used} by an unbound key");
            let narrowed = verifier.with_algorithms([*bound]).unwrap();
            assert_eq!(verdict(&narrowed, &token).is_ok(), bound == used, "{used} by {bound}");
        }
    }
}

/// Attacker's tokens: HMAC over each form of the public key that they can know.
#[test]
fn public_keys_are_no_secrets_of_tokens() {
    use aws_lc_rs::hmac;

    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        let mut jwk = key.jwk();
        let with_alg = jwk.to_string();
        jwk.as_object_mut().unwrap().remove("alg");
        let without_alg = jwk.to_string();
        let (pem, der) = (key.pem(), key.spki());
        let unwrapped = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
        let secrets = [
            pem.clone().into_bytes(),
            pem.trim_end().into(),
            pem.replace('\n', "\r\n").into(),
            format!("\n {pem}").into(),
            unwrapped.into(),
            der,
            with_alg.clone().into(),
            without_alg.clone().into(),
            jwk["n"].as_str().or(jwk["x"].as_str()).unwrap().into(),
            Vec::new(),
        ];
        let keys = [
            VerificationKey::from_jwk(&with_alg).unwrap(),
            VerificationKey::from_jwk(&without_alg).unwrap(),
            VerificationKey::from_pem(pem.as_bytes(), algorithm).unwrap(),
        ];
        for secret in &secrets {
            for (name, mac) in [
                ("HS256", hmac::HMAC_SHA256),
                ("HS384", hmac::HMAC_SHA384),
                ("HS512", hmac::HMAC_SHA512),
                (algorithm.name(), hmac::HMAC_SHA256),
            ] {
                let header = json!({"alg": name, "kid": key.kid()}).to_string();
                let message = format!("{}.{}", b64(header), b64(claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(mac, secret), message.as_bytes());
                let token = format!("{message}.{}", b64(tag));
                for key in &keys {
                    let verifier =
                        JwtVerifier::new(ISSUER, AUDIENCE, key.clone()).unwrap().with_clock(now());
                    let kind = verdict(&verifier, &token).err().unwrap();
                    let expected =
                        if name == algorithm.name() { InvalidSignature } else { UnknownKey };
                    assert_eq!(kind, expected, "{name} over a form of {algorithm}");
                }
            }
        }
    }
}

#[test]
fn a_key_in_the_header_is_no_key() {
    for algorithm in [Algorithm::ES256, Algorithm::ES512, Algorithm::EdDSA] {
        if !backend_supports(algorithm) {
            continue;
        }
        let (ours, theirs) = (key(algorithm), TestKey::generate(algorithm));
        let token = |signer: &TestKey, kid: &str| {
            let header = json!({
                "alg": algorithm.name(), "kid": kid, "jwk": theirs.jwk(),
                "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/cert", "x5c": ["MIIB"],
            });
            signer.token_of(header.to_string(), claims().to_string())
        };
        let set = JwkSet::from_json(&json!({"keys": [ours.jwk()]}).to_string()).unwrap();
        let by_set = JwtVerifier::new(ISSUER, AUDIENCE, set).unwrap().with_clock(now());
        for verifier in [ours.verifier(), by_set] {
            refused(&verifier, &token(&theirs, ours.kid()), InvalidSignature);
            refused(&verifier, &token(&theirs, "theirs"), UnknownKey);
            assert!(verdict(&verifier, &token(ours, ours.kid())).is_ok());
        }
    }
}

/// The names of claims do not reach the look-up of the key.
#[test]
fn the_look_up_sees_algorithm_and_kid_alone() {
    use std::sync::{Arc, Mutex};
    use tower_jwt_auth::{KeyLookup, KeyQuery, KeySource};

    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl KeySource for Recorder {
        fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
            let seen = format!("{:?} {:?} {query:?}", query.kid(), query.algorithm());
            self.0.lock().unwrap().push(seen);
            KeyLookup::ready(Ok(key(Algorithm::ES256).verification_key().into()))
        }
    }

    let recorder = Recorder::default();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, recorder.clone()).unwrap().with_clock(now());
    let canary = claims_with("sub", "canary");
    let header = json!({"alg": "ES256", "kid": "k", "jku": "canary", "iss": "canary"}).to_string();
    let token = key(Algorithm::ES256).token_of(header, canary.to_string());
    assert!(verdict(&verifier, &token).is_ok());
    let seen = recorder.0.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("Some(\"k\") ES256") && !seen[0].contains("canary"), "{seen:?}");
}
