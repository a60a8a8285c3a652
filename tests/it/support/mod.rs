//! What the tests share: a key of every kind, made once for each process, and tokens of any shape.

pub(crate) mod challenge;

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, FixedClock, JwtVerifier, NumericDate, VerificationKey};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The time of every test that does not set another.
pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) fn b64(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

enum Signer {
    Hmac(Vec<u8>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair or a secret that signs with one algorithm; its `kid` is the algorithm's name.
pub(crate) struct TestKey {
    pub(crate) algorithm: Algorithm,
    signer: Signer,
}

/// The key of this algorithm: always the same within a process. RS and PS share one RSA key for
/// each hash.
pub(crate) fn key(algorithm: Algorithm) -> &'static TestKey {
    static KEYS: LazyLock<HashMap<Algorithm, TestKey>> =
        LazyLock::new(|| Algorithm::ALL.iter().map(|a| (*a, TestKey::generate(*a))).collect());
    &KEYS[&algorithm]
}

impl TestKey {
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        let secret = |length: usize| {
            let mut octets = vec![0; length];
            rand::fill(&mut octets).unwrap();
            Signer::Hmac(octets)
        };
        let ec = |alg| Signer::Ec(EcdsaKeyPair::generate(alg).unwrap());
        let signer = match algorithm {
            Algorithm::HS256 => secret(32),
            Algorithm::HS384 => secret(48),
            Algorithm::HS512 => secret(64),
            Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA | Algorithm::Ed25519 => {
                Signer::Ed(Ed25519KeyPair::generate().unwrap())
            }
            _ => Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self { algorithm, signer }
    }

    /// Signs with the algorithm of the key.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(self.algorithm, message)
    }

    /// Signs with another algorithm of the same kind of key.
    pub(crate) fn sign_as(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match &self.signer {
            Signer::Hmac(secret) => {
                let algorithm = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
            }
            Signer::Rsa(pair) => {
                let encoding: &'static dyn signature::RsaEncoding = match algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut octets = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut octets).unwrap();
                octets
            }
            Signer::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub(crate) fn kid(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The secret of an HMAC key.
    pub(crate) fn secret(&self) -> &[u8] {
        match &self.signer {
            Signer::Hmac(secret) => secret,
            _ => panic!("{} has no secret", self.algorithm),
        }
    }

    /// The `SubjectPublicKeyInfo` of a key pair.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der = match &self.signer {
            Signer::Hmac(_) => panic!("a secret has no public half"),
            Signer::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Signer::Ec(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Signer::Ed(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
        };
        der.unwrap().as_ref().to_vec()
    }

    /// The public half in PEM.
    pub(crate) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// The key as a JWK with `kid`, `use` and `alg`; a secret is in it too.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.signer {
            Signer::Hmac(secret) => json!({"kty": "oct", "k": b64(secret)}),
            Signer::Rsa(pair) => {
                let public = pkcs1::RsaPublicKeyRef::try_from(pair.public_key().as_ref()).unwrap();
                let (n, e) = (public.modulus.as_bytes(), public.public_exponent.as_bytes());
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
            Signer::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match self.algorithm {
                    Algorithm::ES256 => "P-256",
                    Algorithm::ES384 => "P-384",
                    _ => "P-521",
                };
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Signer::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key())})
            }
        };
        jwk["kid"] = self.kid().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.name().into();
        jwk
    }

    /// The key as the crate loads it, from its JWK.
    pub(crate) fn verification_key(&self) -> VerificationKey {
        VerificationKey::from_jwk(&self.jwk().to_string()).unwrap()
    }

    /// A well-signed token with these very octets as header and claims.
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
