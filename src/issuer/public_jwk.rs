//! The public half of a key as a JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use serde_json::{Map, Value};

use crate::crypto::{Algorithm, KeyMaterial};

/// The members of the JWK, without `kid`; `None` for a secret, which has no public half.
pub(super) fn members(key: &KeyMaterial<'_>, algorithm: Algorithm) -> Option<Map<String, Value>> {
    let mut jwk = Map::new();
    let mut set = |name: &str, value: &str| jwk.insert(name.to_owned(), value.into());

    match key {
        KeyMaterial::Secret(_) => return None,
        KeyMaterial::Rsa { modulus, exponent } => {
            set("kty", "RSA");
            set("n", &base64url(modulus));
            set("e", &base64url(exponent));
        }
        KeyMaterial::Ec { key_type, point } => {
            let (_, coordinates) = point.split_first()?;
            let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
            set("kty", "EC");
            set("crv", &key_type.to_string());
            set("x", &base64url(x));
            set("y", &base64url(y));
        }
        KeyMaterial::Ed25519(x) => {
            set("kty", "OKP");
            set("crv", "Ed25519");
            set("x", &base64url(x));
        }
    }
    set("alg", algorithm.name());
    set("use", "sig");
    Some(jwk)
}

fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}
