//! The keys of the attacker, which no service knows: one for each algorithm.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::crypto::{Algorithm, KeyType};
use crate::issuer::{SigningKey, compact};
use crate::test_util::protection::certificate;
use crate::test_util::protection::public_key::PublicKey;

/// The secret of the attacker, as long as each algorithm needs it.
const SECRET: &[u8; 64] = b"the secret of the attacker, long enough for HMAC with SHA-512...";

pub(super) const KID: &str = "attacker";

/// The key of the attacker for this algorithm.
pub(super) fn key(algorithm: Algorithm) -> SigningKey {
    static KEYS: Mutex<Vec<SigningKey>> = Mutex::new(Vec::new());

    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = keys.iter().find(|key| key.algorithm() == algorithm) {
        return key.clone();
    }
    let new = match algorithm.key_type() {
        KeyType::Secret => SigningKey::from_secret(SECRET, algorithm),
        _ => SigningKey::generate(algorithm),
    };
    let key = new.expect("a new key").with_kid(KID);
    keys.push(key.clone());
    key
}

pub(super) fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    compact::signature(message, &key(algorithm)).expect("a signature")
}

/// The JWK of the attacker; of a secret too.
pub(super) fn jwk(algorithm: Algorithm) -> Value {
    match key(algorithm).jwk().map(|jwk| serde_json::from_str(&jwk)) {
        Some(Ok(jwk)) => jwk,
        _ => json!({
            "kty": "oct",
            "k": base64_simd::URL_SAFE_NO_PAD.encode_to_string(SECRET),
            "alg": algorithm.name(),
            "kid": KID,
        }),
    }
}

/// A self-signed certificate of the attacker's key, in DER; `None` for a secret.
pub(super) fn certificate(algorithm: Algorithm) -> Option<Vec<u8>> {
    let key = key(algorithm);
    let public = PublicKey::from_jwk(&key.jwk()?)?;
    certificate::self_signed(&key, public.der())
}
