//! Signing: the only file of `issuer/` that uses a crypto crate.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac, rand};
use zeroize::Zeroizing;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyMaterial, KeyType, material};
use crate::issuer::private_key::PrivateKeyDer;
use crate::key::der;

/// A private key or a secret, parsed.
pub(super) enum KeyPair {
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

/// The private numbers of an RSA key (RFC 7518 section 6.3.2).
pub(super) struct RsaNumbers {
    pub(super) d: Zeroizing<Vec<u8>>,
    pub(super) p: Zeroizing<Vec<u8>>,
    pub(super) q: Zeroizing<Vec<u8>>,
    pub(super) dp: Zeroizing<Vec<u8>>,
    pub(super) dq: Zeroizing<Vec<u8>>,
    pub(super) qi: Zeroizing<Vec<u8>>,
}

impl KeyPair {
    /// Prepares a secret whose length is already checked.
    pub(super) fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        let hmac = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => return Err(material::mismatch(algorithm, KeyType::Secret)),
        };
        Ok(Self::Hmac(Box::new(hmac::Key::new(hmac, secret))))
    }

    /// Parses a private key of the type that the algorithm needs.
    pub(super) fn from_private_key(
        key: &PrivateKeyDer<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        let pair = match (algorithm.key_type(), key) {
            (KeyType::Rsa, PrivateKeyDer::Pkcs8 { whole, .. }) => {
                RsaKeyPair::from_pkcs8(whole).map(Self::Rsa)
            }
            (KeyType::Rsa, PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der).map(Self::Rsa),
            (KeyType::Ed25519, PrivateKeyDer::Pkcs8 { whole, .. }) => {
                Ed25519KeyPair::from_pkcs8(whole).map(Self::Ed25519)
            }
            (
                KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87,
                PrivateKeyDer::Pkcs8 { whole, .. },
            ) => PqdsaKeyPair::from_pkcs8(ml_dsa(algorithm)?, whole).map(Self::MlDsa),
            (_, PrivateKeyDer::Pkcs8 { whole, .. }) => {
                EcdsaKeyPair::from_pkcs8(ecdsa(algorithm)?, whole).map(Self::Ecdsa)
            }
            (_, PrivateKeyDer::Sec1(der)) => {
                EcdsaKeyPair::from_private_key_der(ecdsa(algorithm)?, der).map(Self::Ecdsa)
            }
            (_, PrivateKeyDer::Pkcs1(_)) => {
                return Err(material::mismatch(algorithm, KeyType::Rsa));
            }
        };
        pair.map_err(|error| rejected(algorithm, error))
    }

    /// Generates a key pair; not for an algorithm that uses secrets.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        match algorithm.key_type() {
            KeyType::Secret => return Err(material::mismatch(algorithm, KeyType::Secret)),
            KeyType::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rsa),
            KeyType::P256 | KeyType::P384 | KeyType::P521 => {
                EcdsaKeyPair::generate(ecdsa(algorithm)?).map(Self::Ecdsa)
            }
            KeyType::Ed25519 => Ed25519KeyPair::generate().map(Self::Ed25519),
            KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87 => {
                PqdsaKeyPair::generate(ml_dsa(algorithm)?).map(Self::MlDsa)
            }
        }
        .map_err(not_generated)
    }

    /// Builds a key from its numbers, which the backend compares with each other.
    pub(super) fn from_rsa_numbers(
        public: &KeyMaterial<'_>,
        private: &RsaNumbers,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        let KeyMaterial::Rsa { modulus, exponent } = public else {
            return Err(material::mismatch(algorithm, public.key_type()));
        };
        RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents { n: *modulus, e: *exponent },
            d: &*private.d,
            p: &*private.p,
            q: &*private.q,
            dP: &*private.dp,
            dQ: &*private.dq,
            qInv: &*private.qi,
        })
        .map(Self::Rsa)
        .map_err(|error| rejected(algorithm, error))
    }

    /// Builds a key from its private number, which the backend compares with the public point.
    pub(super) fn from_ec_numbers(
        public: &KeyMaterial<'_>,
        private: &[u8],
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        let KeyMaterial::Ec { point, .. } = public else {
            return Err(material::mismatch(algorithm, public.key_type()));
        };
        EcdsaKeyPair::from_private_key_and_public_key(ecdsa(algorithm)?, private, point)
            .map(Self::Ecdsa)
            .map_err(|error| rejected(algorithm, error))
    }

    /// Expands the seed of a key (RFC 8032 section 5.1.5), and compares its public half.
    pub(super) fn from_ed25519_seed(
        seed: &[u8; 32],
        public: &[u8],
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map(Self::Ed25519)
            .map_err(|error| rejected(algorithm, error))
    }

    /// Expands the seed of a key (FIPS 204 section 6.1).
    pub(super) fn from_ml_dsa_seed(
        seed: &[u8; 32],
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        PqdsaKeyPair::from_seed(ml_dsa(algorithm)?, seed)
            .map(Self::MlDsa)
            .map_err(|error| rejected(algorithm, error))
    }

    /// The public half, with the checks of every loaded key; a secret has none.
    pub(super) fn public_key(
        &self,
        key_type: KeyType,
    ) -> Result<Option<KeyMaterial<'_>>, ConfigError> {
        match self {
            Self::Hmac(_) => Ok(None),
            Self::Rsa(pair) => der::rsa_public_key(pair.public_key().as_ref()).map(Some),
            Self::Ecdsa(pair) => {
                KeyMaterial::ec_point(key_type, pair.public_key().as_ref()).map(Some)
            }
            Self::Ed25519(pair) => KeyMaterial::ed25519(pair.public_key().as_ref()).map(Some),
            Self::MlDsa(pair) => {
                KeyMaterial::ml_dsa(key_type, pair.public_key().as_ref()).map(Some)
            }
        }
    }

    /// The private key in PKCS#8; `None` for a secret.
    pub(super) fn to_pkcs8(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Unspecified> {
        let copy = |der: &[u8]| Some(Zeroizing::new(der.to_vec()));
        Ok(match self {
            Self::Hmac(_) => None,
            Self::Rsa(pair) => copy(AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref()),
            Self::Ecdsa(pair) => copy(pair.to_pkcs8v1()?.as_ref()),
            Self::Ed25519(pair) => copy(pair.to_pkcs8v1()?.as_ref()),
            Self::MlDsa(pair) => copy(pair.to_pkcs8v1()?.as_ref()),
        })
    }

    /// Signs with the algorithm that the key was parsed for.
    pub(super) fn sign(
        &self,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = rsa_encoding(algorithm).ok_or(Unspecified)?;
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").finish_non_exhaustive()
    }
}

/// The digest with the hash of a signature algorithm; `None` if no standard says which hash that is.
///
/// Ed25519 hashes with SHA-512. ML-DSA is left out: OpenID Connect does not say what its hash is.
pub(super) fn hash_of(algorithm: Algorithm, text: &[u8]) -> Option<digest::Digest> {
    let hash = match algorithm {
        Algorithm::HS256 | Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => {
            &digest::SHA256
        }
        Algorithm::HS384 | Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => {
            &digest::SHA384
        }
        Algorithm::HS512 | Algorithm::RS512 | Algorithm::PS512 | Algorithm::ES512 => {
            &digest::SHA512
        }
        Algorithm::EdDSA | Algorithm::Ed25519 => &digest::SHA512,
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => return None,
    };
    Some(digest::digest(hash, text))
}

/// A new secret, as long as the hash of the algorithm.
pub(super) fn random_secret(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let length = match algorithm {
        Algorithm::HS256 => 32,
        Algorithm::HS384 => 48,
        _ => 64,
    };
    let mut secret = Zeroizing::new(vec![0; length]);
    rand::fill(&mut secret).map_err(not_generated)?;
    Ok(secret)
}

/// An unpredictable and unique name: 16 random bytes in base64url.
pub(super) fn random_name() -> Result<String, Unspecified> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)?;
    Ok(base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
}

/// The HMAC of an algorithm for secrets. The length of the secret is not checked.
#[cfg(feature = "test-util")]
pub(super) fn hmac(algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let hmac = match algorithm {
        Algorithm::HS256 => hmac::HMAC_SHA256,
        Algorithm::HS384 => hmac::HMAC_SHA384,
        Algorithm::HS512 => hmac::HMAC_SHA512,
        _ => return None,
    };
    Some(hmac::sign(&hmac::Key::new(hmac, secret), message).as_ref().to_vec())
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

fn ecdsa(algorithm: Algorithm) -> Result<&'static EcdsaSigningAlgorithm, ConfigError> {
    match algorithm {
        Algorithm::ES256 => Ok(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => Ok(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::ES512 => Ok(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => Err(ConfigError::new(
            ConfigErrorKind::Algorithm,
            format!("{algorithm} does not use EC keys, but this is one"),
        )),
    }
}

fn ml_dsa(algorithm: Algorithm) -> Result<&'static PqdsaSigningAlgorithm, ConfigError> {
    match algorithm {
        Algorithm::MlDsa44 => Ok(&signature::ML_DSA_44_SIGNING),
        Algorithm::MlDsa65 => Ok(&signature::ML_DSA_65_SIGNING),
        Algorithm::MlDsa87 => Ok(&signature::ML_DSA_87_SIGNING),
        _ => Err(ConfigError::new(
            ConfigErrorKind::Algorithm,
            format!("{algorithm} is not ML-DSA-44, ML-DSA-65 or ML-DSA-87"),
        )),
    }
}

fn not_generated(error: Unspecified) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, "no new key could be generated").with_source(error)
}

fn rejected(algorithm: Algorithm, error: KeyRejected) -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Key,
        format!("the private key is not a valid one for {algorithm}"),
    )
    .with_source(error)
}
