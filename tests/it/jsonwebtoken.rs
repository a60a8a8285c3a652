//! Conversions from the types of `jsonwebtoken`: one suite for each of its versions.

use serde_json::json;
use tower_jwt_auth::{Algorithm, ConfigErrorKind, JwkSet, VerificationKey};

use crate::test_keys::{SigningKey, backend_supports};

/// The suite of one version, by the name of its crate. What takes a secret differs: since version 12 an
/// empty one is an error there.
macro_rules! suite {
    ($jsonwebtoken:ident, $secret:expr) => {
        use $jsonwebtoken::{Algorithm as Theirs, DecodingKey, jwk};

        use super::*;

        fn secret(bytes: &[u8]) -> DecodingKey {
            let secret: fn(&[u8]) -> DecodingKey = $secret;
            secret(bytes)
        }

        #[test]
        fn algorithms_of_both_crates_are_converted() {
            for &algorithm in Algorithm::ALL {
                match Theirs::try_from(algorithm) {
                    Ok(theirs) => assert_eq!(Algorithm::try_from(theirs).unwrap(), algorithm),
                    Err(error) => {
                        let name = algorithm.name();
                        assert!(["ES512", "Ed25519"].contains(&name) || name.starts_with("ML-DSA-"));
                        assert_eq!(error.kind(), ConfigErrorKind::Algorithm);
                    }
                }
            }
        }

        #[test]
        fn every_kind_of_decoding_key_is_taken() {
            let key = secret(&[7; 64]);
            for algorithm in [Theirs::HS256, Theirs::HS384, Theirs::HS512] {
                assert!(VerificationKey::from_decoding_key(&key, algorithm).is_ok());
            }

            let jwk = |algorithm| {
                let jwk = SigningKey::new(algorithm).jwk();
                DecodingKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap()
            };
            let spki = |algorithm| SigningKey::new(algorithm).spki();
            for (key, algorithm) in [
                (jwk(Algorithm::RS256), Algorithm::RS256),
                (DecodingKey::from_rsa_der(&spki(Algorithm::PS256)), Algorithm::PS256),
                (jwk(Algorithm::ES256), Algorithm::ES256),
                (DecodingKey::from_ec_der(&spki(Algorithm::ES384)), Algorithm::ES384),
                (jwk(Algorithm::ES512), Algorithm::ES512),
                (jwk(Algorithm::EdDSA), Algorithm::EdDSA),
                (DecodingKey::from_ed_der(&spki(Algorithm::Ed25519)), Algorithm::Ed25519),
            ] {
                match VerificationKey::from_decoding_key(&key, algorithm) {
                    Ok(key) => assert!(key.algorithms().eq([algorithm])),
                    Err(error) => assert!(!backend_supports(algorithm), "{error}"),
                }
            }
        }

        #[test]
        fn a_decoding_key_of_another_family_is_refused() {
            let key = secret(&[7; 64]);
            let rsa = DecodingKey::from_rsa_der(&SigningKey::new(Algorithm::RS256).spki());
            let ec = DecodingKey::from_ec_der(&SigningKey::new(Algorithm::ES256).spki());
            for (key, algorithm) in [
                (&key, Algorithm::RS256),
                (&rsa, Algorithm::HS256),
                (&rsa, Algorithm::ES256),
                (&ec, Algorithm::EdDSA),
            ] {
                let error = VerificationKey::from_decoding_key(key, algorithm).unwrap_err();
                assert_eq!(error.kind(), ConfigErrorKind::Algorithm, "{error}");
            }
        }

        #[test]
        fn what_jsonwebtoken_loads_is_checked_here() {
            let refused = |key: &DecodingKey, algorithm: Algorithm| {
                let error = VerificationKey::from_decoding_key(key, algorithm).unwrap_err();
                assert_ne!(error.to_string(), "");
            };
            refused(&secret(&[7; 31]), Algorithm::HS256);
            let pem = b"\n -----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMl";
            refused(&secret(pem), Algorithm::HS256);
            refused(&DecodingKey::from_rsa_raw_components(&[0xff; 128], &[1, 0, 1]), Algorithm::RS256);
            refused(&DecodingKey::from_rsa_raw_components(&[0xff; 256], &[1]), Algorithm::RS256);
            refused(&DecodingKey::from_ed_der(&[0; 32]), Algorithm::EdDSA);
            refused(&DecodingKey::from_ed_der(&[7; 31]), Algorithm::EdDSA);
            refused(&DecodingKey::from_ec_der(&[4; 65]), Algorithm::ES256);
            refused(&DecodingKey::from_ec_der(&[]), Algorithm::ES256);
        }

        #[test]
        fn a_raw_ed25519_key_may_begin_as_der_does() {
            let mut bytes = [0x30; 32];
            bytes[31] = 1; // A point on the curve.
            let key = DecodingKey::from_ed_der(&bytes);
            assert!(VerificationKey::from_decoding_key(&key, Algorithm::EdDSA).is_ok());
        }

        #[test]
        fn jwks_and_sets_of_jsonwebtoken_are_taken() {
            let jwk = SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "alg": "ES256"}));
            let theirs: jwk::Jwk = serde_json::from_value(jwk.clone()).unwrap();
            let key = VerificationKey::try_from(&theirs).unwrap();
            assert_eq!(key.kid(), Some("a"));
            assert!(key.algorithms().eq([Algorithm::ES256]));

            let encrypts = SigningKey::new(Algorithm::RS256).jwk_with(&json!({"alg": "RSA-OAEP"}));
            let odd = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"});
            let set = json!({"keys": [odd, encrypts, jwk]});
            let theirs: jwk::JwkSet = serde_json::from_value(set).unwrap();
            let set = JwkSet::try_from(&theirs).unwrap();
            assert_eq!((set.len(), set.skipped().len()), (1, 2));
        }
    };
}

#[cfg(feature = "jsonwebtoken-11")]
mod version_11 {
    suite!(jsonwebtoken_11, |bytes| DecodingKey::from_secret(bytes));

    #[test]
    fn an_empty_secret_is_refused() {
        let error = VerificationKey::from_decoding_key(&secret(b""), Algorithm::HS256).unwrap_err();
        assert!(error.to_string().contains("at least 32"), "{error}");
    }
}

#[cfg(feature = "jsonwebtoken-12")]
mod version_12 {
    suite!(jsonwebtoken, |bytes| DecodingKey::from_secret(bytes).unwrap());
}
