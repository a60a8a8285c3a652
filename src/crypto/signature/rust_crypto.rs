//! The backend `rust-crypto`: the RustCrypto crates, with keys parsed once. It has neither P-521 nor ML-DSA.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rsa::signature::Verifier;
use rsa::{BoxedUint, PublicKey, pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::algorithm::{Algorithm, KeyType};
use crate::crypto::material::KeyMaterial;
use crate::crypto::signature::wrong_kind;

/// A key prepared for one algorithm, as a function that checks a signature.
#[derive(Clone)]
pub(crate) struct ParsedKey(Arc<Signed>);

type Signed = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

impl ParsedKey {
    /// Prepares a key for one algorithm.
    ///
    /// # Errors
    ///
    /// When the point is not on the curve, when the algorithm does not match the type of key, and
    /// for P-521 and ML-DSA, which this backend does not have.
    pub(crate) fn parse(
        material: &KeyMaterial<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        if material.key_type() != algorithm.key_type() {
            return Err(wrong_kind(algorithm));
        }
        match material {
            KeyMaterial::Secret(secret) => match algorithm {
                Algorithm::HS256 => Self::mac::<Hmac<Sha256>>(secret),
                Algorithm::HS384 => Self::mac::<Hmac<Sha384>>(secret),
                Algorithm::HS512 => Self::mac::<Hmac<Sha512>>(secret),
                _ => Err(wrong_kind(algorithm)),
            },
            KeyMaterial::Rsa { modulus, exponent } => {
                let key = rsa_key(modulus, exponent)?;
                Ok(match algorithm {
                    Algorithm::RS256 => Self::pkcs1(pkcs1v15::VerifyingKey::<Sha256>::new(key)),
                    Algorithm::RS384 => Self::pkcs1(pkcs1v15::VerifyingKey::<Sha384>::new(key)),
                    Algorithm::RS512 => Self::pkcs1(pkcs1v15::VerifyingKey::<Sha512>::new(key)),
                    Algorithm::PS256 => Self::pss(pss::VerifyingKey::<Sha256>::new(key)),
                    Algorithm::PS384 => Self::pss(pss::VerifyingKey::<Sha384>::new(key)),
                    Algorithm::PS512 => Self::pss(pss::VerifyingKey::<Sha512>::new(key)),
                    _ => return Err(wrong_kind(algorithm)),
                })
            }
            KeyMaterial::Ec { key_type: KeyType::P256, point } => {
                p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .map(Self::public::<_, p256::ecdsa::Signature>)
                    .map_err(|error| refused("the EC point is not on its curve", error))
            }
            KeyMaterial::Ec { key_type: KeyType::P384, point } => {
                p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                    .map(Self::public::<_, p384::ecdsa::Signature>)
                    .map_err(|error| refused("the EC point is not on its curve", error))
            }
            KeyMaterial::Ec { .. } | KeyMaterial::MlDsa { .. } => Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                format!(
                    "{algorithm} is not available with the backend `rust-crypto`: enable the \
                     feature `aws-lc-rs`"
                ),
            )),
            KeyMaterial::Ed25519(key) => ed25519_dalek::VerifyingKey::from_bytes(key)
                .map(Self::public::<_, ed25519_dalek::Signature>)
                .map_err(|error| refused("the Ed25519 key is not a valid one", error)),
        }
    }

    fn mac<M: Mac + KeyInit + Clone + Send + Sync + 'static>(
        secret: &[u8],
    ) -> Result<Self, ConfigError> {
        let keyed = <M as KeyInit>::new_from_slice(secret)
            .map_err(|error| refused("the secret is not a valid one", error))?;
        Ok(Self(Arc::new(move |message, signature| {
            // In constant time.
            keyed.clone().chain_update(message).verify_slice(signature).is_ok()
        })))
    }

    fn pkcs1<K: Verifier<pkcs1v15::Signature> + Send + Sync + 'static>(key: K) -> Self {
        Self::public::<K, pkcs1v15::Signature>(key)
    }

    fn pss<K: Verifier<pss::Signature> + Send + Sync + 'static>(key: K) -> Self {
        Self::public::<K, pss::Signature>(key)
    }

    fn public<K, S>(key: K) -> Self
    where
        K: Verifier<S> + Send + Sync + 'static,
        S: for<'a> TryFrom<&'a [u8]>,
    {
        Self(Arc::new(move |message, signature| {
            S::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }))
    }

    /// Whether this key signed the message. A signature of the wrong length is invalid.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (self.0)(message, signature)
    }
}

impl fmt::Debug for ParsedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedKey").finish_non_exhaustive()
    }
}

/// The MAC of a message; `None` if the algorithm does not use secrets.
pub(crate) fn mac(secret: &[u8], algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
    fn by<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let keyed = <M as KeyInit>::new_from_slice(secret).ok()?;
        Some(keyed.chain_update(message).finalize().into_bytes().to_vec())
    }
    match algorithm {
        Algorithm::HS256 => by::<Hmac<Sha256>>(secret, message),
        Algorithm::HS384 => by::<Hmac<Sha384>>(secret, message),
        Algorithm::HS512 => by::<Hmac<Sha512>>(secret, message),
        _ => None,
    }
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, ConfigError> {
    let [modulus, exponent] = [modulus, exponent].map(BoxedUint::from_be_slice_vartime);
    PublicKey::new(modulus, exponent)
        .map_err(|error| refused("the RSA key is not a valid one", error))
}

fn refused(
    message: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(material: &KeyMaterial<'_>, algorithm: Algorithm) -> String {
        ParsedKey::parse(material, algorithm).unwrap_err().to_string()
    }

    /// The bits that [`KeyMaterial`] accepts.
    #[test]
    fn rsa_of_2048_to_8192_bits_is_loaded() {
        for bits in [2048, 4096, 8192] {
            let modulus = vec![0xff; bits / 8];
            for exponent in [&[3][..], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
                let material = KeyMaterial::rsa(&modulus, exponent).unwrap();
                for &algorithm in Algorithm::ALL.iter().filter(|a| a.key_type() == KeyType::Rsa) {
                    assert!(ParsedKey::parse(&material, algorithm).is_ok(), "{bits}");
                }
            }
        }
        assert!(KeyMaterial::rsa(&[0xff; 1025], &[3]).is_err());
    }

    #[test]
    fn p_521_is_an_error_at_load() {
        let material = KeyMaterial::ec(KeyType::P521, &[1; 66], &[1; 66]).unwrap();
        assert!(refusal(&material, Algorithm::ES512).contains("`aws-lc-rs`"));
        assert!(refusal(&material, Algorithm::ES384).contains("this kind of key"));
    }

    #[test]
    fn ml_dsa_is_an_error_at_load() {
        let material = KeyMaterial::ml_dsa(KeyType::MlDsa44, &[1; 1312]).unwrap();
        assert!(refusal(&material, Algorithm::MlDsa44).contains("`aws-lc-rs`"));
        assert!(refusal(&material, Algorithm::MlDsa65).contains("this kind of key"));
    }

    /// Compares the crate's check of the curve with the one of this backend.
    #[test]
    fn ed25519_keys_on_the_curve_are_those_of_ed25519_dalek() {
        let mut on_curve = 0;
        for (low, high) in (2..=255).flat_map(|low| [0, 7, 0x55, 0xe5].map(|high| (low, high))) {
            let mut key = [low; 32];
            key[31] = high;
            let theirs = ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok();
            let ours = KeyMaterial::ed25519(&key);
            assert_eq!(ours.is_ok(), theirs, "{key:02x?}");
            if let Ok(material) = ours {
                assert!(ParsedKey::parse(&material, Algorithm::EdDSA).is_ok());
                on_curve += 1;
            }
        }
        assert!((400..600).contains(&on_curve), "{on_curve}");
    }
}
