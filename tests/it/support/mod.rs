//! What the tests share: a key of every kind, made once for each process, and tokens of any shape.

pub(crate) mod challenge;
pub(crate) mod grpc_services;
#[cfg(any(feature = "axum", feature = "stream-expiry"))]
pub(crate) mod grpc_web;
#[cfg(feature = "tracing")]
pub(crate) mod log;
#[cfg(feature = "tracing")]
pub(crate) mod log_text;
pub(crate) mod near_signatures;
pub(crate) mod reference;
pub(crate) mod requests;

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, FixedClock, JwtVerifier, NumericDate, VerificationKey};

use crate::test_keys::SigningKey;
pub(crate) use crate::test_keys::{backend_supports, supported};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The time of every test that does not set another.
pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key pair or a secret that signs with one algorithm; its `kid` is the algorithm's name.
pub(crate) struct TestKey {
    pub(crate) algorithm: Algorithm,
    signing: SigningKey,
}

/// The key of this algorithm: always the same within a process.
pub(crate) fn key(algorithm: Algorithm) -> &'static TestKey {
    static KEYS: LazyLock<HashMap<Algorithm, TestKey>> =
        LazyLock::new(|| Algorithm::ALL.iter().map(|a| (*a, TestKey::generate(*a))).collect());
    &KEYS[&algorithm]
}

impl TestKey {
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        Self { algorithm, signing: SigningKey::new(algorithm) }
    }

    /// Signs with the algorithm of the key.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(self.algorithm, message)
    }

    /// Signs with another algorithm of the same kind of key.
    pub(crate) fn sign_as(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        self.signing.sign(algorithm, message)
    }

    pub(crate) fn kid(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The secret of an HMAC key.
    pub(crate) fn secret(&self) -> &[u8] {
        match &self.signing {
            SigningKey::Secret(secret) => secret,
            _ => panic!("{} has no secret", self.algorithm),
        }
    }

    /// The `SubjectPublicKeyInfo` of a key pair.
    pub(crate) fn spki(&self) -> Vec<u8> {
        self.signing.spki()
    }

    /// The public half in PEM.
    pub(crate) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// The key as a JWK with `kid`, `use` and `alg`; a secret is in it too.
    pub(crate) fn jwk(&self) -> Value {
        let alg = self.algorithm.name();
        self.signing.jwk_with(&json!({"kid": self.kid(), "use": "sig", "alg": alg}))
    }

    /// The key as the crate loads it, from its JWK.
    pub(crate) fn verification_key(&self) -> VerificationKey {
        VerificationKey::from_jwk(&self.jwk().to_string()).unwrap()
    }

    /// A well-signed token with these very bytes as header and claims.
    pub(crate) fn token_of(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        let signature = b64(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A well-signed token with the usual header: `alg`, `kid` and `typ: JWT`.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm.name(), "kid": self.kid(), "typ": "JWT"});
        self.token_of(header.to_string(), claims.to_string())
    }

    /// A verifier with this key, the usual issuer and audience, and a clock that stands at [`NOW`].
    pub(crate) fn verifier(&self) -> JwtVerifier {
        JwtVerifier::new(ISSUER, AUDIENCE, self.verification_key()).unwrap().with_clock(now())
    }
}

pub(crate) fn now() -> FixedClock {
    FixedClock(NumericDate::from_unix_seconds(NOW))
}

/// Good claims: from [`ISSUER`], for [`AUDIENCE`], good for another hour at [`NOW`].
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": NOW - 60,
        "exp": NOW + 3600,
    })
}

/// [`claims`] with one of them replaced or added.
pub(crate) fn claims_with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

/// [`claims`] without one of them.
pub(crate) fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
