//! Private keys that are generated, read from JWKs, and exported.

use std::collections::HashSet;

use aws_lc_rs::encoding::{AsBigEndian, AsRawBytes, Curve25519SeedBin, EcPrivateKeyBin};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, PqdsaKeyPair};
use serde_json::{Value, json};
use spki::der::Decode;
use tower_jwt_auth::{Algorithm, ConfigErrorKind, JwtVerifier, SigningKey};

use super::{SECRET, assert_refused, is_secret, issuer, pkcs8, third_element};
use crate::support::{AUDIENCE, ISSUER, b64, now};

fn signs_what_verifies(key: &SigningKey) -> bool {
    let token = issuer(key.clone()).issue(&json!({"sub": "alice"})).unwrap();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, key.verification_key()).unwrap();
    verifier.with_clock(now()).verify_now(&token).is_ok()
}

/// The private members of a key in PKCS#8 or, for a secret, of [`SECRET`].
fn private_members(algorithm: Algorithm, pkcs8: &[u8]) -> Value {
    let ec = |signing| {
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8).unwrap();
        let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().unwrap();
        json!({"d": b64(d.as_ref())})
    };
    let name = algorithm.name();
    match algorithm {
        Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::EdDSA | Algorithm::Ed25519 => {
            let seed = Ed25519KeyPair::from_pkcs8(pkcs8).unwrap().seed().unwrap();
            let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().unwrap();
            json!({"d": b64(seed.as_ref())})
        }
        _ if name.starts_with("ML-DSA") => json!({"priv": b64(seed_of_ml_dsa(pkcs8))}),
        _ if is_secret(algorithm) => json!({"kty": "oct", "k": b64(SECRET)}),
        _ => {
            let key = pkcs1::RsaPrivateKeyRef::from_der(third_element(pkcs8)).unwrap();
            json!({
                "d": b64(key.private_exponent.as_bytes()), "p": b64(key.prime1.as_bytes()),
                "q": b64(key.prime2.as_bytes()), "dp": b64(key.exponent1.as_bytes()),
                "dq": b64(key.exponent2.as_bytes()), "qi": b64(key.coefficient.as_bytes()),
            })
        }
    }
}

/// The seed is the whole key: `[0]` and 32 bytes (RFC 9881 section 6).
fn seed_of_ml_dsa(pkcs8: &[u8]) -> &[u8] {
    let key = third_element(pkcs8);
    assert_eq!(key[..2], [0x80, 32]);
    &key[2..]
}

/// A private JWK, with other members in place of some; those that are `null` are removed.
fn jwk(algorithm: Algorithm, changes: &Value) -> String {
    let der = if is_secret(algorithm) { Vec::new() } else { pkcs8(algorithm) };
    let mut members = match is_secret(algorithm) {
        true => json!({"alg": algorithm.name()}),
        false => {
            let key = SigningKey::from_der(&der, algorithm).unwrap();
            serde_json::from_str(&key.jwk().unwrap()).unwrap()
        }
    };
    let private = private_members(algorithm, &der);
    for source in [&private, changes] {
        for (name, value) in source.as_object().unwrap() {
            members[name] = value.clone();
        }
    }
    members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    members.to_string()
}

#[test]
fn a_key_of_every_algorithm_can_be_generated() {
    let mut kids = HashSet::new();
    for &algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(signs_what_verifies(&key), "{algorithm}");
        assert!(kids.insert(key.kid().to_owned()));
    }
    // RSA keys of 2048 bits.
    let jwk: Value =
        serde_json::from_str(&SigningKey::generate(Algorithm::PS256).unwrap().jwk().unwrap())
            .unwrap();
    assert_eq!(jwk["n"].as_str().unwrap().len(), 342);
}

#[test]
fn an_exported_key_is_the_same_key_after_it_is_loaded() {
    for &algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let exported = key.private_pem();
        if is_secret(algorithm) {
            let error = exported.unwrap_err();
            assert_eq!(error.to_string(), "a secret has no PEM form: store the secret itself");
            continue;
        }
        let pem = exported.unwrap();
        assert!(pem.as_str().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pem.as_str().ends_with("-----END PRIVATE KEY-----\n"));
        assert_eq!(format!("{pem:?}"), "PrivatePem { .. }");

        let loaded = SigningKey::from_pem(pem.as_str().as_bytes(), algorithm).unwrap();
        assert_eq!(loaded.jwk(), key.jwk(), "{algorithm}");
        assert!(signs_what_verifies(&loaded));
    }
}

#[test]
fn a_key_of_ml_dsa_without_its_seed_cannot_be_exported() {
    let pair = PqdsaKeyPair::from_seed(&signature::ML_DSA_44_SIGNING, &[7; 32]).unwrap();
    let expanded = pair.private_key().as_raw_bytes().unwrap();
    let expanded = super::keys::pkcs8_of_ml_dsa(17, &super::keys::element(4, expanded.as_ref()));
    let key = SigningKey::from_der(&expanded, Algorithm::MlDsa44).unwrap();
    let error = key.private_pem().unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Key);
    assert!(error.to_string().contains("without its seed"), "{error}");
}

#[test]
fn a_private_jwk_of_every_algorithm_is_loaded() {
    for &algorithm in Algorithm::ALL {
        let text = jwk(algorithm, &json!({"kid": "2026-01", "key_ops": ["sign"], "ext": true}));
        let key = SigningKey::from_jwk(&text).unwrap();
        assert_eq!((key.algorithm(), key.kid()), (algorithm, "2026-01"));
        assert!(signs_what_verifies(&key), "{algorithm}");
        assert!(key.jwk().is_none_or(|jwk| !jwk.contains("\"d\"") && !jwk.contains("priv")));

        let unnamed = SigningKey::from_jwk(&jwk(algorithm, &json!({"kid": null}))).unwrap();
        match is_secret(algorithm) {
            true => assert_eq!(unnamed.kid().len(), 22),
            false => assert_eq!(Some(unnamed.kid()), unnamed.thumbprint().as_deref()),
        }
    }
}

#[test]
fn only_an_ec_key_may_omit_its_algorithm() {
    for &algorithm in Algorithm::ALL {
        let loaded = SigningKey::from_jwk(&jwk(algorithm, &json!({"alg": null})));
        if algorithm.name().starts_with("ES") {
            assert_eq!(loaded.unwrap().algorithm(), algorithm);
        } else {
            let error = loaded.unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Algorithm, "{algorithm}");
            assert!(error.to_string().contains("`alg`"), "{error}");
        }
    }
}

#[test]
fn a_private_jwk_with_a_fault_is_refused() {
    let other = |algorithm, names: &[&str]| {
        let other: Value = serde_json::from_str(&jwk(algorithm, &json!({}))).unwrap();
        let pairs = names.iter().map(|name| ((*name).to_owned(), other[name].clone()));
        Value::Object(pairs.collect())
    };
    let es256 = Algorithm::ES256;
    let eddsa = Algorithm::EdDSA;
    let ml_dsa = Algorithm::MlDsa44;
    for (algorithm, changes, part) in [
        // The two halves are of different keys.
        (es256, other(es256, &["d"]), "not a valid one for ES256"),
        (es256, other(es256, &["x", "y"]), "not a valid one for ES256"),
        (eddsa, other(eddsa, &["x"]), "not a valid one for EdDSA"),
        (ml_dsa, other(ml_dsa, &["pub"]), "not those of its private key"),
        (Algorithm::RS256, json!({"e": "Aw"}), "not a valid one for RS256"),
        (Algorithm::RS256, json!({"dp": "AQAB"}), "not a valid one for RS256"),
        // Lengths.
        (es256, json!({"d": b64([7; 31])}), "`d` of the JWK has exactly 32 bytes"),
        (es256, json!({"d": b64([0; 33])}), "`d` of the JWK has exactly 32 bytes"),
        (es256, json!({"d": b64([0xff; 32])}), "not a valid one for ES256"),
        (Algorithm::ES512, json!({"d": b64([1; 65])}), "`d` of the JWK has exactly 66 bytes"),
        (eddsa, json!({"d": b64([7; 64])}), "`d` of the JWK has exactly 32 bytes"),
        (ml_dsa, json!({"priv": b64([7; 31])}), "`priv` of the JWK has exactly 32 bytes"),
        (Algorithm::HS512, json!({"k": b64([7; 63])}), "at least 64 bytes"),
        // Members.
        (es256, json!({"d": null}), "this is a public key"),
        (es256, json!({"d": ""}), "this is a public key"),
        (es256, json!({"d": 7}), "`d` of the JWK is not a string"),
        (es256, json!({"d": "+/=="}), "`d` of the JWK is not base64url"),
        (es256, json!({"x": null}), "the JWK has no `x`"),
        (es256, json!({"kid": 7}), "`kid` of the JWK is not a string"),
        (es256, json!({"alg": "ES384"}), "needs an EC key on P-384"),
        (es256, json!({"alg": "ECDH-ES"}), "not a supported signature algorithm"),
        (es256, json!({"use": "enc"}), "`use`"),
        (es256, json!({"key_ops": ["verify"]}), "do not allow signing"),
        (es256, json!({"key_ops": ["sign", "deriveKey"]}), "contradict"),
        (Algorithm::RS256, json!({"q": null}), "the JWK has no `q`"),
        (Algorithm::RS256, json!({"oth": [{"r": "AA"}]}), "more than two primes"),
        (ml_dsa, json!({"priv": null}), "this is a public key"),
    ] {
        assert_refused(SigningKey::from_jwk(&jwk(algorithm, &changes)), part);
    }

    let twice = jwk(es256, &json!({})).replacen('{', r#"{"d": "AAAA","#, 1);
    assert_refused(SigningKey::from_jwk(&twice), "duplicate");
    let set = json!({"keys": [serde_json::from_str::<Value>(&twice[..]).unwrap()]}).to_string();
    assert_refused(SigningKey::from_jwk(&set), "this is a JWK set");
    assert_refused(SigningKey::from_jwk("[]"), "not a JSON object");
    assert_refused(SigningKey::from_jwk("-----BEGIN PRIVATE KEY-----"), "`SigningKey::from_pem`");
}

#[test]
fn an_error_about_a_private_jwk_never_shows_it() {
    let secret = b64(b"canary canary canary canary canary canary canary canary canary!!");
    for (algorithm, changes) in [
        (Algorithm::ES256, json!({"d": secret})),
        (Algorithm::EdDSA, json!({"d": secret})),
        (Algorithm::RS256, json!({"p": secret})),
        (Algorithm::MlDsa44, json!({"priv": secret})),
        (Algorithm::HS256, json!({"k": secret, "use": "enc"})),
    ] {
        let error = SigningKey::from_jwk(&jwk(algorithm, &changes)).unwrap_err();
        let text = format!("{error} {error:?} {error:#?}");
        assert!(!text.contains(&secret) && !text.contains("canary"), "{text}");
    }
}
