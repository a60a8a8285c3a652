//! The backend `rust-crypto`: that of `jsonwebtoken`, asked by its own name and never as the
//! process-wide provider. It has neither P-521 nor RSA moduli above 4096 bits, and parses the key
//! once more for each token.

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use pkcs1::der::Encode;
use pkcs1::{RsaPublicKeyRef, UintRef};

use super::wrong_kind;
use crate::key::{KeyMaterial, KeyType, material};
use crate::{Algorithm, ConfigError, ConfigErrorKind};

/// What the `rsa` crate takes; it would say so at the first token only.
const MOST_RSA_BITS: usize = 4096;

/// A key that was parsed once, to know that it can be, for one algorithm.
#[derive(Clone)]
pub(crate) struct ParsedKey {
    key: DecodingKey,
    algorithm: jsonwebtoken::Algorithm,
    /// The modulus of an RSA key.
    modulus: Option<Box<[u8]>>,
}

impl ParsedKey {
    /// Makes a key ready for one algorithm.
    ///
    /// # Errors
    ///
    /// When the point is not on the curve, when the algorithm is not for this kind of key, and for
    /// what this backend does not have: P-521, and RSA with more than 4096 bits.
    pub(crate) fn parse(
        material: &KeyMaterial<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        if material.key_type() != algorithm.key_type() {
            return Err(wrong_kind(algorithm));
        }
        let theirs = their_algorithm(algorithm)?;
        let parsed = match material {
            KeyMaterial::Secret(secret) => Self::new(DecodingKey::from_secret(secret), theirs),
            KeyMaterial::Rsa { modulus, exponent } => Self {
                modulus: Some((*modulus).into()),
                ..Self::new(rsa_key(modulus, exponent)?, theirs)
            },
            KeyMaterial::Ec { point, .. } => Self::new(DecodingKey::from_ec_der(point), theirs),
            KeyMaterial::Ed25519(key) => Self::new(DecodingKey::from_ed_der(key), theirs),
        };
        // Secrets, EC and Ed25519 keys are parsed in here, RSA keys were above.
        match (DEFAULT_PROVIDER.verifier_factory)(&parsed.algorithm, &parsed.key) {
            Ok(_) => Ok(parsed),
            Err(error) => Err(ConfigError::new(
                ConfigErrorKind::Key,
                match algorithm.key_type() {
                    KeyType::Ed25519 => "the Ed25519 key is not a valid one",
                    _ => "the EC point is not on its curve",
                },
            )
            .with_source(error)),
        }
    }

    fn new(key: DecodingKey, algorithm: jsonwebtoken::Algorithm) -> Self {
        Self { key, algorithm, modulus: None }
    }

    /// Whether this key signed the message. A signature of the wrong length is a wrong one.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // RFC 8017 sections 8.1.2 and 8.2.2: as long as the modulus, and below it. For PSS the
        // backend does not ask for the latter.
        if let Some(modulus) = &self.modulus {
            if signature.len() != modulus.len() || *signature >= **modulus {
                return false;
            }
        }
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm, &self.key)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

impl fmt::Debug for ParsedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedKey").finish_non_exhaustive()
    }
}

/// The RSA key in PKCS#1: the form in which the backend is able to parse it here and now.
fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<DecodingKey, ConfigError> {
    let bits = material::bit_length(modulus);
    if bits > MOST_RSA_BITS {
        return Err(ConfigError::new(
            ConfigErrorKind::Key,
            format!(
                "an RSA modulus has at most {MOST_RSA_BITS} bits with the backend `rust-crypto`, \
                 this one has {bits}"
            ),
        ));
    }
    let invalid = || ConfigError::new(ConfigErrorKind::Key, "the RSA key is not a valid one");
    let number = |octets| UintRef::new(octets).map_err(|error| invalid().with_source(error));
    let der = RsaPublicKeyRef { modulus: number(modulus)?, public_exponent: number(exponent)? }
        .to_der()
        .map_err(|error| invalid().with_source(error))?;
    (DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key)(&der)
        .map_err(|error| invalid().with_source(error))?;
    Ok(DecodingKey::from_rsa_der(&der))
}

fn their_algorithm(algorithm: Algorithm) -> Result<jsonwebtoken::Algorithm, ConfigError> {
    Ok(match algorithm {
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::HS384 => jsonwebtoken::Algorithm::HS384,
        Algorithm::HS512 => jsonwebtoken::Algorithm::HS512,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
        Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::PS384 => jsonwebtoken::Algorithm::PS384,
        Algorithm::PS512 => jsonwebtoken::Algorithm::PS512,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDSA | Algorithm::Ed25519 => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::ES512 => {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                "ES512 is not available with the backend `rust-crypto`: turn on the feature \
                 `aws-lc-rs`",
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(material: &KeyMaterial<'_>, algorithm: Algorithm) -> String {
        ParsedKey::parse(material, algorithm).unwrap_err().to_string()
    }

    #[test]
    fn j12_rsa_above_4096_bits_is_an_error_at_load() {
        for (bits, fits) in [(2048, true), (4096, true), (4104, false), (8192, false)] {
            let modulus = vec![0xff; bits / 8];
            for exponent in [&[3][..], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
                let material = KeyMaterial::rsa(&modulus, exponent).unwrap();
                for &algorithm in Algorithm::ALL.iter().filter(|a| a.key_type() == KeyType::Rsa) {
                    match fits {
                        true => assert!(ParsedKey::parse(&material, algorithm).is_ok()),
                        false => assert!(refusal(&material, algorithm).contains("at most 4096")),
                    }
                }
            }
        }
    }

    #[test]
    fn c6_p_521_is_an_error_at_load() {
        let material = KeyMaterial::ec(KeyType::P521, &[1; 66], &[1; 66]).unwrap();
        assert!(refusal(&material, Algorithm::ES512).contains("`aws-lc-rs`"));
        assert!(refusal(&material, Algorithm::ES384).contains("this kind of key"));
    }

    /// Of the y coordinates, about every second one has no x.
    #[test]
    fn j14_ed25519_off_the_curve_is_an_error_at_load() {
        let fits = (2..100).filter(|y| {
            let mut key = [0; 32];
            key[0] = *y;
            let material = KeyMaterial::ed25519(&key).unwrap();
            match ParsedKey::parse(&material, Algorithm::EdDSA) {
                Ok(_) => true,
                Err(error) => {
                    assert!(error.to_string().contains("Ed25519 key is not a valid one"));
                    false
                }
            }
        });
        assert!((30..70).contains(&fits.count()));
    }
}
