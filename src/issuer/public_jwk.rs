//! The public half of a key as a JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964
//! section 3).

use serde_json::{Map, Value};

use crate::crypto::{Algorithm, KeyMaterial};
use crate::key;

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
        KeyMaterial::MlDsa { key, .. } => {
            set("kty", "AKP");
            set("pub", &base64url(key));
        }
    }
    set("alg", algorithm.name());
    set("use", "sig");
    Some(jwk)
}

/// The thumbprint of a public JWK (RFC 7638).
pub(super) fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    key::thumbprint(|name| jwk.get(name).and_then(Value::as_str))
}

fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(jwk: &Value) -> Option<String> {
        thumbprint(jwk.as_object().unwrap())
    }

    /// RFC 7638 section 3.1 and RFC 8037 appendix A.3.
    #[test]
    fn thumbprints_of_the_standards() {
        let rsa = json!({
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": concat!(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP",
                "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY",
                "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f",
                "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            ),
        });
        assert_eq!(of(&rsa).unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let okp = json!({
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "crv": "Ed25519", "kty": "OKP", "use": "sig",
        });
        assert_eq!(of(&okp).unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(of(&json!({"kty": "oct", "k": "AAAA"})), None);
        assert_eq!(of(&json!({"kty": "AKP", "alg": "ML-DSA-44"})), None);
    }
}
