//! `TokenIssuer` and `SigningKey`: their keys, and the tokens that they make.

mod claims;
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
mod encoding_keys;
mod jwk_set_service;
mod key_ring;
mod keys;
mod many_keys;
mod private_keys;
mod rotation;
#[cfg(feature = "jwks-url")]
mod rotation_under_load;
mod typed_tokens;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, PqdsaKeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use spki::der::{AnyRef, Decode, Reader, SliceReader};
use tower_jwt_auth::{Algorithm, ConfigError, NumericDate, SigningKey, TokenIssuer};

use crate::support::{self, AUDIENCE, ISSUER, now};

const SECRET: [u8; 64] = [7; 64];

/// A clock that a test sets.
#[derive(Clone, Debug)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn at(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl tower_jwt_auth::Clock for Clock {
    fn now(&self) -> NumericDate {
        NumericDate::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

/// A private key in PKCS#8, of the type that the algorithm wants: a new one, but for RSA, whose
/// keys are slow to make, always the same.
fn pkcs8(algorithm: Algorithm) -> Vec<u8> {
    let ec = |algorithm| EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap();
    let ml_dsa = |algorithm| PqdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap();
    match algorithm {
        Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).as_ref().to_vec(),
        Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).as_ref().to_vec(),
        Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING).as_ref().to_vec(),
        Algorithm::MlDsa44 => ml_dsa(&signature::ML_DSA_44_SIGNING).as_ref().to_vec(),
        Algorithm::MlDsa65 => ml_dsa(&signature::ML_DSA_65_SIGNING).as_ref().to_vec(),
        Algorithm::MlDsa87 => ml_dsa(&signature::ML_DSA_87_SIGNING).as_ref().to_vec(),
        Algorithm::EdDSA | Algorithm::Ed25519 => {
            Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec()
        }
        _ => {
            static RSA: LazyLock<Vec<u8>> = LazyLock::new(new_rsa);
            RSA.clone()
        }
    }
}

fn new_rsa() -> Vec<u8> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
}

fn is_secret(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

/// A key for any algorithm.
fn key(algorithm: Algorithm) -> SigningKey {
    match is_secret(algorithm) {
        true => SigningKey::from_secret(&SECRET, algorithm).unwrap(),
        false => SigningKey::from_der(&pkcs8(algorithm), algorithm).unwrap(),
    }
}

fn es256() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap()
}

/// An issuer with the usual name and audience, and a clock that stands at [`NOW`].
fn issuer(key: SigningKey) -> TokenIssuer {
    let issuer = TokenIssuer::new(ISSUER, key).unwrap();
    issuer.with_audience(AUDIENCE).unwrap().with_clock(now())
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[track_caller]
fn assert_refused(result: Result<SigningKey, ConfigError>, part: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}

/// The bytes of the key inside of PKCS#8.
fn third_element(der: &[u8]) -> &[u8] {
    let mut reader = SliceReader::new(AnyRef::from_der(der).unwrap().value()).unwrap();
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader).unwrap());
    }
    elements[2].value()
}

#[test]
fn debug_and_errors_never_show_key_material() {
    const CANARY: &str = "canary-canary-canary-canary-canary-canary-canary-canary-canary-canary";
    let key = SigningKey::from_secret(CANARY.as_bytes(), Algorithm::HS256).unwrap();
    let key = key.with_kid("shown");
    assert_eq!(format!("{key:?}"), r#"SigningKey { algorithm: HS256, kid: "shown", .. }"#);
    let issuer = issuer(key);
    let error = issuer.issue(&json!({"exp": CANARY})).unwrap_err();
    let text = format!("{issuer:?} {issuer:#?} {error} {error:?}");
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains(&format!("{:?}", CANARY.as_bytes())), "{text}");
    assert!(!issuer.jwk_set().contains("k\""));
}

#[test]
fn keys_and_issuers_are_shared_between_threads() {
    fn assert_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_shared::<SigningKey>();
    assert_shared::<TokenIssuer>();
    assert_eq!(size_of::<SigningKey>(), size_of::<usize>());
    assert_eq!(size_of::<TokenIssuer>(), size_of::<usize>());
}

/// Writes a token of every algorithm for `tests/interop/verify_minted.py`, which `scripts/interop`
/// runs after this test.
#[test]
fn tokens_for_other_libraries() {
    let keys: Vec<SigningKey> =
        Algorithm::ALL.iter().map(|&algorithm| key(algorithm).with_kid(algorithm.name())).collect();
    let tokens: Vec<Value> = keys
        .iter()
        .map(|key| {
            let issuer = TokenIssuer::new(ISSUER, key.clone()).unwrap();
            let issuer = issuer.with_audience(AUDIENCE).unwrap();
            let token = issuer.issue(&json!({"sub": "alice", "name": "Zoë \u{1f980}"})).unwrap();
            json!({"alg": key.algorithm().name(), "kid": key.kid(), "token": token})
        })
        .collect();
    let jwks: Vec<Value> = keys
        .iter()
        .filter_map(SigningKey::jwk)
        .map(|jwk| serde_json::from_str(&jwk).unwrap())
        .collect();
    let minted = json!({
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "secret": support::b64(SECRET),
        "jwks": {"keys": jwks},
        "tokens": tokens,
    });
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("minted.json");
    std::fs::write(path, minted.to_string()).unwrap();
}
