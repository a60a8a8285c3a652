//! The backend `aws-lc-rs`: every algorithm, with keys parsed once.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, ParsedPublicKey, PqdsaVerificationAlgorithm, RsaParameters,
    RsaPublicKeyComponents,
};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::algorithm::Algorithm;
use crate::crypto::material::KeyMaterial;
use crate::crypto::signature::wrong_kind;

/// A key prepared for one algorithm.
#[derive(Clone)]
pub(crate) enum ParsedKey {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl ParsedKey {
    /// Prepares a key for one algorithm.
    ///
    /// # Errors
    ///
    /// When the point is not on the curve, or the algorithm does not match the type of key.
    pub(crate) fn parse(
        material: &KeyMaterial<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        let parsed = match material {
            KeyMaterial::Secret(secret) => {
                return hmac_algorithm(algorithm)
                    .map(|hmac| Self::Hmac(Box::new(hmac::Key::new(hmac, secret))))
                    .ok_or_else(|| wrong_kind(algorithm));
            }
            KeyMaterial::Rsa { modulus, exponent } => {
                let parameters = rsa_parameters(algorithm).ok_or_else(|| wrong_kind(algorithm))?;
                RsaPublicKeyComponents { n: modulus, e: exponent }
                    .to_parsed_public_key(parameters)
                    .map_err(|error| refused("the RSA key is not a valid one", error))
            }
            KeyMaterial::Ec { point, .. } => {
                let ecdsa = ecdsa_algorithm(algorithm).ok_or_else(|| wrong_kind(algorithm))?;
                ParsedPublicKey::new(ecdsa, point)
                    .map_err(|error| refused("the EC point is not on its curve", error))
            }
            KeyMaterial::Ed25519(key) => match algorithm {
                Algorithm::EdDSA | Algorithm::Ed25519 => {
                    ParsedPublicKey::new(&signature::ED25519, key)
                        .map_err(|error| refused("the Ed25519 key is not a valid one", error))
                }
                _ => return Err(wrong_kind(algorithm)),
            },
            KeyMaterial::MlDsa { key_type, key } => {
                let ml_dsa = ml_dsa_algorithm(algorithm)
                    .filter(|_| algorithm.key_type() == *key_type)
                    .ok_or_else(|| wrong_kind(algorithm))?;
                ParsedPublicKey::new(ml_dsa, key)
                    .map_err(|error| refused("the ML-DSA key is not a valid one", error))
            }
        };
        parsed.map(Self::Public)
    }

    /// Whether this key signed the message. A signature of the wrong length is invalid.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for ParsedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedKey").finish_non_exhaustive()
    }
}

/// The MAC of a message; `None` if the algorithm does not use secrets.
pub(crate) fn mac(secret: &[u8], algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
    let key = hmac::Key::new(hmac_algorithm(algorithm)?, secret);
    Some(hmac::sign(&key, message).as_ref().to_vec())
}

fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::HMAC_SHA256),
        Algorithm::HS384 => Some(hmac::HMAC_SHA384),
        Algorithm::HS512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn ecdsa_algorithm(algorithm: Algorithm) -> Option<&'static EcdsaVerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::ES512 => Some(&signature::ECDSA_P521_SHA512_FIXED),
        _ => None,
    }
}

fn ml_dsa_algorithm(algorithm: Algorithm) -> Option<&'static PqdsaVerificationAlgorithm> {
    match algorithm {
        Algorithm::MlDsa44 => Some(&signature::ML_DSA_44),
        Algorithm::MlDsa65 => Some(&signature::ML_DSA_65),
        Algorithm::MlDsa87 => Some(&signature::ML_DSA_87),
        _ => None,
    }
}

fn refused(message: &'static str, error: aws_lc_rs::error::KeyRejected) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, message).with_source(error)
}
