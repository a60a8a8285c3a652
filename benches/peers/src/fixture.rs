//! Keys and tokens, made anew in each process: nothing secret is on disk.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const ISSUER: &str = "https://auth.example.com/realms/production";
pub const AUDIENCE: &str = "https://api.example.com";
pub const KID: &str = "2026-11-primary";
/// The default of this crate and of most peers, in seconds. It is set where a peer has another one.
pub const LEEWAY: u64 = 60;

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
pub const SUBJECT: &str = "7d0c2a4e-5b1f-4c8e-9a37-000000000000";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The same valid token again and again.
    Valid,
    /// No header `Authorization`.
    Missing,
    /// A valid token, but for one bit of its signature.
    Forged,
    /// Valid but for `exp`, which is longer ago than the leeway.
    Expired,
    /// Valid but for `nbf`.
    Immature,
    /// Valid but for `iss`.
    WrongIssuer,
    /// Valid but for `aud`.
    WrongAudience,
    /// As long and as expensive as a client can make it.
    Hostile,
}

impl Scenario {
    /// Those that are measured for all contenders.
    pub const MEASURED: [Self; 3] = [Self::Valid, Self::Missing, Self::Forged];
    /// Those in which each contender shows that it does what it is measured for.
    pub const CHECKED: [Self; 7] = [
        Self::Valid,
        Self::Missing,
        Self::Forged,
        Self::Expired,
        Self::Immature,
        Self::WrongIssuer,
        Self::WrongAudience,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Missing => "no token",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Immature => "immature",
            Self::WrongIssuer => "wrong issuer",
            Self::WrongAudience => "wrong audience",
            Self::Hostile => "hostile",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::MEASURED.into_iter().find(|one| one.name() == name)
    }
}

/// What a service would declare for its access tokens: all nine claims of the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub exp: u64,
    pub nbf: u64,
    pub iat: u64,
    pub jti: String,
    pub scope: String,
    pub roles: Vec<String>,
}

enum Signer {
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut bytes).unwrap();
                bytes
            }
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// The key of one algorithm, in each form that a contender asks for, and the tokens that it signs.
pub struct Fixture {
    pub algorithm: Algorithm,
    /// The secret of HS256; empty for the others.
    pub secret: &'static str,
    /// RSA: PKCS#1. EC: an uncompressed point. Ed25519: 32 bytes.
    pub public_key: Vec<u8>,
    /// The SubjectPublicKeyInfo; empty for HS256.
    pub public_pem: String,
    /// The JWK set, with one key.
    pub jwks: String,
    signer: Signer,
}

impl Fixture {
    pub fn new(algorithm: Algorithm) -> Self {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let spki = |key: &dyn AsDer<PublicKeyX509Der<'static>>| {
            pem::encode(&pem::Pem::new("PUBLIC KEY", key.as_der().unwrap().as_ref()))
        };
        let (signer, public_key, public_pem, mut jwk) = match algorithm {
            Algorithm::Hs256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                let jwk = json!({"kty": "oct", "k": encode(SECRET.as_bytes())});
                (Signer::Hmac(Box::new(key)), Vec::new(), String::new(), jwk)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let key = pair.public_key();
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(key);
                let jwk = json!({"kty": "RSA", "n": encode(&parts.n), "e": encode(&parts.e)});
                let (bytes, pem) = (key.as_ref().to_vec(), spki(key));
                (Signer::Rsa(pair), bytes, pem, jwk)
            }
            Algorithm::Es256 => {
                let kind = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::generate(kind).unwrap();
                let (bytes, pem) = (pair.public_key().as_ref().to_vec(), spki(pair.public_key()));
                let (x, y) = bytes[1..].split_at(32);
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
                (Signer::Ec(pair), bytes, pem, jwk)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let (bytes, pem) = (pair.public_key().as_ref().to_vec(), spki(pair.public_key()));
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&bytes)});
                (Signer::Ed(pair), bytes, pem, jwk)
            }
        };
        jwk["kid"] = KID.into();
        jwk["alg"] = algorithm.name().into();
        jwk["use"] = "sig".into();
        let secret = if algorithm == Algorithm::Hs256 { SECRET } else { "" };
        let jwks = json!({ "keys": [jwk] }).to_string();
        Self { algorithm, secret, public_key, public_pem, jwks, signer }
    }

    /// The JOSE header of every token, encoded.
    pub fn header(&self) -> String {
        URL_SAFE_NO_PAD.encode(header(self.algorithm, KID))
    }

    /// The `serial` tells the tokens of one fixture apart.
    pub fn token(&self, serial: usize) -> String {
        self.token_of(&claims(serial))
    }

    /// A token with these claims.
    pub fn token_of(&self, claims: &impl Serialize) -> String {
        let claims = serde_json::to_string(claims).unwrap();
        signed(&header(self.algorithm, KID), &claims, |message| self.signer.sign(message))
    }

    /// The value of the header `Authorization`.
    pub fn authorization(&self, scenario: Scenario) -> Option<HeaderValue> {
        let now = seconds_since_epoch();
        let mut claims = claims(0);
        match scenario {
            Scenario::Valid | Scenario::Hostile => {}
            Scenario::Missing => return None,
            Scenario::Forged => return Some(forged(&self.token_of(&claims))),
            Scenario::Expired => claims.exp = now - 2 * LEEWAY,
            Scenario::Immature => claims.nbf = now + 2 * LEEWAY,
            Scenario::WrongIssuer => claims.iss.push('x'),
            Scenario::WrongAudience => claims.aud.push('x'),
        }
        Some(bearer(&self.token_of(&claims)))
    }

    /// What each contender must accept or refuse: all of the same token.
    pub fn all_authorizations(&self) -> Vec<(Scenario, Option<HeaderValue>)> {
        Scenario::CHECKED.map(|scenario| (scenario, self.authorization(scenario))).into()
    }
}

/// The JOSE header of a token, which names its key.
pub fn header(algorithm: Algorithm, kid: &str) -> String {
    format!(r#"{{"typ":"JWT","alg":"{}","kid":"{kid}"}}"#, algorithm.name())
}

/// All nine claims. The `serial` makes the `jti`.
pub fn claims(serial: usize) -> Claims {
    let now = seconds_since_epoch();
    Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: SUBJECT.into(),
        exp: now + 3600,
        nbf: now - 60,
        iat: now - 60,
        jti: format!("c0ffee00-1d5e-4f0a-8b2d-{serial:012}"),
        scope: "openid profile email orders:read orders:write".into(),
        roles: ["user", "billing-admin", "support"].map(Into::into).into(),
    }
}

/// A JWS in compact serialization.
pub fn signed(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let [header, payload] = [header, payload].map(|text| URL_SAFE_NO_PAD.encode(text));
    let message = format!("{header}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {token}")).unwrap()
}

fn forged(token: &str) -> HeaderValue {
    let (message, mut signature) = split(token);
    // In the second half, which a curve's check never has to decode as a point.
    let at = signature.len() * 3 / 4;
    signature[at] ^= 0x20;
    let message = String::from_utf8(message).unwrap();
    bearer(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The signing input of a token and its signature.
pub fn split(token: &str) -> (Vec<u8>, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    (message.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

pub fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
