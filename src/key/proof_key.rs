//! The public key in the header of a DPoP proof (RFC 9449 section 4.2).

use crate::config_error::ConfigError;
use crate::crypto::Algorithm;
use crate::key::jwk::{JwkReader, Members};
use crate::key::thumbprint::thumbprint;
use crate::key::verification_key::VerificationKey;

/// A JWK from an untrusted client, not yet loaded.
pub(crate) struct ProofJwk<'a>(Members<'a>);

impl<'a> ProofJwk<'a> {
    /// Reads the members of the JWK.
    pub(crate) fn parse(json: &'a str) -> Result<Self, ConfigError> {
        Members::parse(json, "JWK").map(Self)
    }

    /// The thumbprint with SHA-256, in base64url (RFC 7638); `None` if a member is missing or has the wrong type.
    ///
    /// The members are taken as the client wrote them, and the authorization server does the same. So the thumbprint of
    /// a JWK that [`load`](Self::load) refuses means nothing.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        let text = |name: &'static str| self.0.text(name).ok()?;
        // No proof has a key of ML-DSA.
        if text("kty")? == "AKP" {
            return None;
        }
        thumbprint(text)
    }

    /// Loads the key for one algorithm, by the rules for a key that anyone could have published: no secret, no private
    /// member, no weak key.
    pub(crate) fn load(&self, algorithm: Algorithm) -> Result<VerificationKey, ConfigError> {
        JwkReader::default().published().only_for(algorithm).read(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::test_keys::{SigningKey, supported};

    fn thumbprint(json: &str) -> Option<String> {
        ProofJwk::parse(json).unwrap().thumbprint()
    }

    #[test]
    fn thumbprint_of_rfc_7638_is_the_expected_one() {
        let jwk = r#"{"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}"#;
        assert_eq!(thumbprint(jwk).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    }

    #[test]
    fn thumbprint_of_rfc_8037_is_the_expected_one() {
        let jwk = r#"{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "crv": "Ed25519", "kty": "OKP"}"#;
        assert_eq!(thumbprint(jwk).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    /// The key of the examples in RFC 9449, whose thumbprint is that of its section 6.1.
    #[test]
    fn thumbprint_of_rfc_9449_is_the_expected_one() {
        let jwk = r#"{"kty": "EC", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv": "P-256"}"#;
        assert_eq!(thumbprint(jwk).as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    }

    #[test]
    fn key_without_a_required_member_has_no_thumbprint() {
        for jwk in [
            r#"{"crv": "P-256", "x": "a", "y": "b"}"#,
            r#"{"kty": "EC", "crv": "P-256", "x": "a"}"#,
            r#"{"kty": "EC", "crv": "P-256", "x": "a", "y": 1}"#,
            r#"{"kty": "EC", "crv": "P-256", "x": "a", "y": null}"#,
            r#"{"kty": "oct", "k": "AAAA"}"#,
            r#"{"kty": "ec", "crv": "P-256", "x": "a", "y": "b"}"#,
            "{}",
        ] {
            assert_eq!(thumbprint(jwk), None, "{jwk}");
        }
    }

    #[test]
    fn key_is_loaded_for_the_algorithm_of_the_proof_alone() {
        for algorithm in supported() {
            let signer = SigningKey::new(algorithm);
            let jwk = signer.jwk().to_string();
            let jwk = ProofJwk::parse(&jwk).unwrap();
            if jwk.thumbprint().is_none() {
                continue;
            }
            let key = jwk.load(algorithm).unwrap();
            assert!(key.algorithms().eq([algorithm]));
            assert!(key.verify(algorithm, b"message", &signer.sign(algorithm, b"message")));

            let bound = signer.jwk_with(&json!({"alg": algorithm.name()})).to_string();
            for &other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
                assert!(ProofJwk::parse(&bound).unwrap().load(other).is_err(), "{other}");
            }
        }
    }

    #[test]
    fn secret_and_private_key_are_refused() {
        let ec = SigningKey::new(Algorithm::ES256);
        let oct = SigningKey::new(Algorithm::HS256).jwk_with(&json!({"alg": "HS256"}));
        for jwk in [ec.jwk_with(&json!({"d": "AAAA"})), ec.jwk_with(&json!({"k": "AAAA"})), oct] {
            let jwk = jwk.to_string();
            for algorithm in [Algorithm::ES256, Algorithm::HS256] {
                assert!(ProofJwk::parse(&jwk).unwrap().load(algorithm).is_err(), "{jwk}");
            }
        }
    }
}
