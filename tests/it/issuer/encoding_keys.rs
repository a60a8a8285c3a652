//! Keys of `jsonwebtoken`.

use tower_jwt_auth::{Algorithm, SigningKey};

use super::{SECRET, assert_refused, pkcs8, third_element};

/// Of one version of `jsonwebtoken`, by the name of its crate.
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
macro_rules! encoding_keys {
    ($jsonwebtoken:ident, $secret:expr) => {
        use $jsonwebtoken::{Algorithm as Theirs, EncodingKey};

        use super::*;

        fn secret(bytes: &[u8]) -> EncodingKey {
            let secret: fn(&[u8]) -> EncodingKey = $secret;
            secret(bytes)
        }

        #[test]
        fn every_kind_of_encoding_key_is_taken() {
            let rsa = pkcs8(Algorithm::RS256);
            for (encoding_key, algorithm) in [
                (secret(&SECRET), Algorithm::HS256),
                (EncodingKey::from_rsa_der(&rsa), Algorithm::RS256),
                (EncodingKey::from_rsa_der(third_element(&rsa)), Algorithm::PS512),
                (EncodingKey::from_ec_der(&pkcs8(Algorithm::ES256)), Algorithm::ES256),
                (EncodingKey::from_ec_der(&pkcs8(Algorithm::ES512)), Algorithm::ES512),
                (EncodingKey::from_ed_der(&pkcs8(Algorithm::EdDSA)), Algorithm::EdDSA),
                (EncodingKey::from_ed_der(&pkcs8(Algorithm::EdDSA)), Algorithm::Ed25519),
            ] {
                let key = SigningKey::from_encoding_key(&encoding_key, algorithm).unwrap();
                assert_eq!(key.algorithm(), algorithm);
            }

            let theirs = Theirs::HS512;
            let hmac = secret(&SECRET);
            let key = SigningKey::from_encoding_key(&hmac, theirs).unwrap();
            assert_eq!(key.algorithm(), Algorithm::HS512);
            assert_refused(SigningKey::from_encoding_key(&hmac, Algorithm::ES256), "family");
            let weak = secret(b"secret");
            assert_refused(SigningKey::from_encoding_key(&weak, Algorithm::HS256), "at least 32");
        }
    };
}

#[cfg(feature = "jsonwebtoken-11")]
mod version_11 {
    encoding_keys!(jsonwebtoken_11, |bytes| EncodingKey::from_secret(bytes));
}

#[cfg(feature = "jsonwebtoken-12")]
mod version_12 {
    encoding_keys!(jsonwebtoken, |bytes| EncodingKey::from_secret(bytes).unwrap());
}
