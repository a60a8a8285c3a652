//! A user's service beside a `jsonwebtoken` of its own; `scripts/backends` builds and runs it, once
//! for each combination of backends, outside of the workspace.
//!
//! `untouched KEYS`: this crate verifies before anything else has asked for the process-wide
//! provider of `jsonwebtoken`, and leaves it alone. `both-sides KEYS`: each side verifies what the
//! other one mints.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::crypto::CryptoProvider;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use tower_jwt_auth::{JwtVerifier, VerificationKey};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
const SECRET: &[u8; 64] = &[7; 64];

const ALGORITHMS: [Algorithm; 7] = [
    Algorithm::HS256,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::PS384,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The provider that the user has, or chooses of two.
#[cfg(feature = "theirs-aws_lc_rs")]
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as PROVIDER;
#[cfg(not(feature = "theirs-aws_lc_rs"))]
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER as PROVIDER;

/// Since version 12 an empty secret is an error.
macro_rules! secret {
    ($key:ident) => {{
        let key = $key::from_secret(SECRET);
        #[cfg(feature = "theirs-12")]
        let key = key.unwrap();
        key
    }};
}

/// One key of each type, in PEM.
struct Keys(String);

impl Keys {
    fn pem(&self, algorithm: Algorithm, half: &str) -> Vec<u8> {
        let name = match algorithm {
            Algorithm::ES256 => "p256",
            Algorithm::ES384 => "p384",
            Algorithm::EdDSA => "ed25519",
            _ => "rsa",
        };
        std::fs::read(format!("{}/{name}.{half}.pem", self.0)).unwrap()
    }

    fn encoding(&self, algorithm: Algorithm) -> EncodingKey {
        let pem = || self.pem(algorithm, "private");
        match algorithm {
            Algorithm::HS256 | Algorithm::HS512 => secret!(EncodingKey),
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(&pem()).unwrap(),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(&pem()).unwrap(),
            _ => EncodingKey::from_rsa_pem(&pem()).unwrap(),
        }
    }

    fn decoding(&self, algorithm: Algorithm) -> DecodingKey {
        let pem = || self.pem(algorithm, "public");
        match algorithm {
            Algorithm::HS256 | Algorithm::HS512 => secret!(DecodingKey),
            Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(&pem()).unwrap(),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(&pem()).unwrap(),
            _ => DecodingKey::from_rsa_pem(&pem()).unwrap(),
        }
    }

    /// Of the same key: from the user's own `DecodingKey`.
    fn verifier(&self, algorithm: Algorithm) -> JwtVerifier {
        let key = VerificationKey::from_decoding_key(&self.decoding(algorithm), algorithm).unwrap();
        JwtVerifier::new(ISSUER, AUDIENCE, key).unwrap()
    }
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600})
}

fn forged(token: &str) -> String {
    let dot = token.rfind('.').unwrap() + 1;
    let other = if token[dot..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..dot], &token[dot + 1..])
}

fn untouched(keys: &Keys) {
    for algorithm in ALGORITHMS {
        let header = json!({"alg": format!("{algorithm:?}")}).to_string();
        let message =
            format!("{}.{}", b64(header.as_bytes()), b64(claims().to_string().as_bytes()));
        // The user's backend, asked by its name.
        let signer = (PROVIDER.signer_factory)(&algorithm, &keys.encoding(algorithm)).unwrap();
        let token = format!("{message}.{}", b64(&signer.try_sign(message.as_bytes()).unwrap()));
        keys.verifier(algorithm).verify_now(&token).unwrap();
        keys.verifier(algorithm).verify_now(&forged(&token)).unwrap_err();
    }
    minted_by_us(keys, |_, _| ());
    CryptoProvider::install_default(&PROVIDER).expect("the process-wide provider was touched");
}

fn both_sides(keys: &Keys) {
    // Whoever turns both on must choose: that is for `jsonwebtoken` to ask, and for the user to do.
    if cfg!(all(feature = "theirs-aws_lc_rs", feature = "theirs-rust_crypto")) {
        CryptoProvider::install_default(&PROVIDER).unwrap();
    }
    for algorithm in ALGORITHMS {
        let header = Header::new(algorithm);
        let token = jsonwebtoken::encode(&header, &claims(), &keys.encoding(algorithm)).unwrap();
        let verified = keys.verifier(algorithm).verify_now(&token).unwrap();
        assert_eq!(verified.sub.as_deref(), Some("alice"), "{algorithm:?}");
        keys.verifier(algorithm).verify_now(&forged(&token)).unwrap_err();
        decode(keys, algorithm, &token);
    }
    minted_by_us(keys, |algorithm, token| decode(keys, algorithm, token));
}

fn decode(keys: &Keys, algorithm: Algorithm, token: &str) {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    let key = keys.decoding(algorithm);
    let decoded = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap();
    assert_eq!(decoded.claims["sub"], "alice", "{algorithm:?}");
    jsonwebtoken::decode::<Value>(forged(token), &key, &validation).unwrap_err();
}

#[cfg(feature = "issuer")]
fn minted_by_us(keys: &Keys, check: impl Fn(Algorithm, &str)) {
    use tower_jwt_auth::{SigningKey, TokenIssuer};

    for algorithm in ALGORITHMS {
        let key = SigningKey::from_encoding_key(&keys.encoding(algorithm), algorithm).unwrap();
        let issuer = TokenIssuer::new(ISSUER, key).unwrap().with_audience(AUDIENCE).unwrap();
        let token = issuer.issue(&json!({"sub": "alice"})).unwrap();
        keys.verifier(algorithm).verify_now(&token).unwrap();
        check(algorithm, &token);
    }
}

#[cfg(not(feature = "issuer"))]
fn minted_by_us(_: &Keys, _: impl Fn(Algorithm, &str)) {}

fn b64(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let keys = Keys(arguments[2].clone());
    match arguments[1].as_str() {
        "untouched" => untouched(&keys),
        "both-sides" => both_sides(&keys),
        other => panic!("unknown: {other}"),
    }
}
