//! Keys and tokens, made anew in each process.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair,
};
use aws_lc_rs::{encoding, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_jwt_auth::{Algorithm, Clock, JwkSet, JwtVerifier, SystemClock, VerificationKey};

use crate::tables::KeyTables;

const ISSUER: &str = "https://auth.example.com/realms/production";
const AUDIENCE: &str = "https://api.example.com";
const KID: &str = "2026-11-primary";
const SECRET: &[u8] = b"0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

enum Signer {
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key as the crypto library alone would have it.
pub(crate) enum BareKey {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl BareKey {
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

pub(crate) struct Fixture {
    algorithm: Algorithm,
    signer: Signer,
}

impl Fixture {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let signer = match algorithm {
            Algorithm::HS256 => Signer::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, SECRET))),
            Algorithm::RS256 => Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            Algorithm::ES256 => Signer::Ec(
                EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ),
            _ => Signer::Ed(Ed25519KeyPair::generate().unwrap()),
        };
        Self { algorithm, signer }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut bytes).unwrap();
                bytes
            }
            Signer::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The signing input and the signature of [`token`](Self::token).
    pub(crate) fn signed_parts(&self) -> (Vec<u8>, Vec<u8>) {
        let header = json!({"typ": "JWT", "alg": self.algorithm.name(), "kid": KID});
        let now = SystemClock.now().unix_seconds();
        let claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "7d0c2a4e-5b1f-4c8e-9a37-000000000000",
            "exp": now + 3600,
            "nbf": now - 60,
            "iat": now - 60,
            "jti": "c0ffee00-1d5e-4f0a-8b2d-000000000000",
            "scope": "openid profile email orders:read orders:write",
            "roles": ["user", "billing-admin", "support"],
        });
        let [header, claims] = [header, claims].map(|v| URL_SAFE_NO_PAD.encode(v.to_string()));
        let message = format!("{header}.{claims}").into_bytes();
        let signature = self.sign(&message);
        (message, signature)
    }

    /// A valid token: nine claims, 500 to 900 bytes.
    pub(crate) fn token(&self) -> String {
        let (message, signature) = self.signed_parts();
        join(&message, &signature)
    }

    /// The same with a signature of the right length that is somebody else's.
    pub(crate) fn forged_token(&self) -> String {
        let (message, _) = self.signed_parts();
        join(&message, &self.sign(b"another message"))
    }

    /// Anybody's: no claims, and as many strings with an escape as fit.
    pub(crate) fn token_of_escapes(&self) -> String {
        let header = json!({"alg": self.algorithm.name()}).to_string();
        let payload = format!("{{{}}}", r#""\n""#.repeat(3_000));
        let [header, payload] = [header, payload].map(|text| URL_SAFE_NO_PAD.encode(text));
        format!("{header}.{payload}.eA")
    }

    /// Anybody's: a header of 4 KiB with as many names as fit.
    pub(crate) fn token_of_header_names(&self) -> String {
        let names: String = (0..400).map(|n| format!(",\"{n:x}\":0")).collect();
        let header = format!("{{\"alg\":\"{}\"{names}}}", self.algorithm.name());
        let [header, payload] = [header.as_str(), "{}"].map(|text| URL_SAFE_NO_PAD.encode(text));
        format!("{header}.{payload}.eA")
    }

    fn public_key(&self) -> Vec<u8> {
        use encoding::{AsDer, PublicKeyX509Der};
        let der = match &self.signer {
            Signer::Hmac(_) => return SECRET.to_vec(),
            Signer::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Signer::Ec(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Signer::Ed(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
        };
        der.unwrap().as_ref().to_vec()
    }

    pub(crate) fn bare_key(&self) -> BareKey {
        let algorithm: &'static dyn signature::VerificationAlgorithm = match &self.signer {
            Signer::Hmac(_) => {
                return BareKey::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, SECRET)));
            }
            Signer::Rsa(_) => &signature::RSA_PKCS1_2048_8192_SHA256,
            Signer::Ec(_) => &signature::ECDSA_P256_SHA256_FIXED,
            Signer::Ed(_) => &signature::ED25519,
        };
        BareKey::Public(ParsedPublicKey::new(algorithm, self.public_key()).unwrap())
    }

    /// Computes the tables of the key; `None` for an algorithm without tables.
    pub(crate) fn compute_tables(&self) -> Option<Box<dyn Fn() -> KeyTables>> {
        match &self.signer {
            Signer::Ec(pair) => {
                let point = pair.public_key().as_ref().to_vec();
                Some(Box::new(move || KeyTables::p256(&point).unwrap()))
            }
            Signer::Ed(pair) => {
                let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
                Some(Box::new(move || KeyTables::ed25519(&key).unwrap()))
            }
            Signer::Hmac(_) | Signer::Rsa(_) => None,
        }
    }

    /// A verifier as in production: the key in a set, found by its `kid`.
    pub(crate) fn verifier(&self) -> JwtVerifier {
        let key = match &self.signer {
            Signer::Hmac(_) => VerificationKey::from_secret(SECRET, self.algorithm),
            _ => VerificationKey::from_der(&self.public_key(), self.algorithm),
        };
        let keys = JwkSet::from_keys([key.unwrap().with_kid(KID)]).unwrap();
        JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap()
    }
}

impl Fixture {
    /// A verifier of another issuer, with a key of its own.
    pub(crate) fn another_verifier() -> JwtVerifier {
        let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
        JwtVerifier::new("https://another.example.com", AUDIENCE, key).unwrap()
    }
}

fn join(message: &[u8], signature: &[u8]) -> String {
    let message = std::str::from_utf8(message).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
