//! Signing keys for the unit tests and for `tests/it`.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, RsaKeyPair};
use aws_lc_rs::{hmac, rsa};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Algorithm, VerificationKey};

pub(crate) enum SigningKey {
    Secret(Vec<u8>),
    Rsa(&'static RsaKeyPair),
    Ec(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(&'static str, PqdsaKeyPair),
}

impl SigningKey {
    /// A new key of the type that the algorithm needs. RSA keys are slow to make, so it is always
    /// the same one.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        static RSA: OnceLock<RsaKeyPair> = OnceLock::new();
        let ec = |curve, algorithm| Self::Ec(curve, EcdsaKeyPair::generate(algorithm).unwrap());
        let ml_dsa =
            |signing| Self::MlDsa(algorithm.name(), PqdsaKeyPair::generate(signing).unwrap());

        match algorithm.name() {
            "HS256" | "HS384" | "HS512" => {
                let mut secret = vec![0; 64];
                aws_lc_rs::rand::fill(&mut secret).unwrap();
                Self::Secret(secret)
            }
            "ES256" => ec("P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec("P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => ec("P-521", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" | "Ed25519" => Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
            "ML-DSA-44" => ml_dsa(&signature::ML_DSA_44_SIGNING),
            "ML-DSA-65" => ml_dsa(&signature::ML_DSA_65_SIGNING),
            "ML-DSA-87" => ml_dsa(&signature::ML_DSA_87_SIGNING),
            _ => Self::Rsa(RSA.get_or_init(|| rsa::KeyPair::generate(KeySize::Rsa2048).unwrap())),
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                let hmac = match algorithm.name() {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(hmac, secret), message).as_ref().to_vec()
            }
            Self::Rsa(key) => {
                let encoding = match algorithm.name() {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(_, key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::MlDsa(_, key) => {
                let mut signature = vec![0; key.algorithm().signature_len()];
                key.sign(message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// The key as a JWK, public if it has a public part, without `kid`, and without `alg` unless its type needs it.
    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Secret(secret) => json!({"kty": "oct", "k": base64url(secret)}),
            Self::Rsa(key) => {
                let public = pkcs1::RsaPublicKeyRef::try_from(key.public_key().as_ref()).unwrap();
                let (n, e) = (public.modulus.as_bytes(), public.public_exponent.as_bytes());
                json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)})
            }
            Self::Ec(curve, key) => {
                let coordinates = &key.public_key().as_ref()[1..];
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Self::Ed25519(key) => {
                let x = base64url(key.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x})
            }
            Self::MlDsa(alg, key) => {
                json!({"kty": "AKP", "alg": alg, "pub": base64url(key.public_key().as_ref())})
            }
        }
    }

    /// The JWK with additional members.
    pub(crate) fn jwk_with(&self, members: &Value) -> Value {
        let mut jwk = self.jwk();
        for (name, value) in members.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    /// The SubjectPublicKeyInfo of a public key.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der = match self {
            Self::Secret(_) => panic!("a secret has no public key"),
            Self::Rsa(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Self::Ec(_, key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Self::Ed25519(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Self::MlDsa(_, key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
        };
        der.unwrap().as_ref().to_vec()
    }
}

/// Whether the backend has the algorithm. If it does not, this asserts that loading such a key
/// fails in every format.
pub(crate) fn backend_supports(algorithm: Algorithm) -> bool {
    let is_of_aws_lc_rs = algorithm.name() == "ES512" || algorithm.name().starts_with("ML-DSA-");
    let supports = cfg!(feature = "aws-lc-rs") || !is_of_aws_lc_rs;
    if !supports {
        let key = SigningKey::new(algorithm);
        let with_alg = key.jwk_with(&json!({"alg": algorithm.name()}));
        for result in [
            VerificationKey::from_der(&key.spki(), algorithm),
            VerificationKey::from_jwk(&key.jwk().to_string()),
            VerificationKey::from_jwk(&with_alg.to_string()),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("not available with the backend"), "{error}");
        }
    }
    supports
}

/// The algorithms that the backend has; see [`backend_supports`].
pub(crate) fn supported() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.iter().copied().filter(|algorithm| backend_supports(*algorithm))
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
