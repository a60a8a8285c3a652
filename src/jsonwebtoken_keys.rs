//! Conversions from the types of `jsonwebtoken`, which are the same for each of its versions.
//!
//! Keys of `jsonwebtoken` get all checks of the keys that this crate loads. The crypto provider of
//! `jsonwebtoken` is never called.

use std::borrow::Cow;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyMaterial, KeyType};
#[cfg(feature = "issuer")]
use crate::issuer::SigningKey;
use crate::key::VerificationKey;

/// A `DecodingKey` of any `jsonwebtoken` version whose feature is enabled.
///
/// This trait is sealed. It only lets [`VerificationKey::from_decoding_key`] accept the
/// `DecodingKey` of any of these versions.
pub trait JsonwebtokenDecodingKey: sealed::Decoding {}

impl<K: sealed::Decoding> JsonwebtokenDecodingKey for K {}

/// An `EncodingKey` of any `jsonwebtoken` version whose feature is enabled.
///
/// This trait is sealed. It only lets [`SigningKey::from_encoding_key`] accept the `EncodingKey` of
/// each of these versions.
#[cfg(feature = "issuer")]
pub trait JsonwebtokenEncodingKey: sealed::Encoding {}

#[cfg(feature = "issuer")]
impl<K: sealed::Encoding> JsonwebtokenEncodingKey for K {}

pub(crate) mod sealed {
    use crate::crypto::Algorithm;

    /// The content of a decoding key.
    #[derive(Debug)]
    pub enum Content<'a> {
        SecretOrDer(&'a [u8]),
        Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    }

    pub trait Decoding {
        /// Whether the key is of this algorithm's family.
        fn is_for(&self, algorithm: Algorithm) -> bool;
        fn content(&self) -> Content<'_>;
    }

    #[cfg(feature = "issuer")]
    pub trait Encoding {
        fn is_for(&self, algorithm: Algorithm) -> bool;
        fn bytes(&self) -> &[u8];
    }
}

/// The first byte of a SubjectPublicKeyInfo.
const DER_SEQUENCE: u8 = 0x30;

impl VerificationKey {
    /// Converts a [`jsonwebtoken::DecodingKey`] for use with one algorithm: an [`Algorithm`] of
    /// this crate, or one of `jsonwebtoken`. A `DecodingKey` contains no key ID: set it with
    /// [`with_kid`](Self::with_kid).
    ///
    /// # Errors
    ///
    /// When the key is not of the algorithm's family (HMAC, RSA, EC, Ed25519), when the algorithm is
    /// one of `jsonwebtoken` alone (today there is none), and when [`from_secret`](Self::from_secret),
    /// [`from_der`](Self::from_der) or [`from_jwk`](Self::from_jwk) refuses the key. `jsonwebtoken`
    /// accepts some of these keys, such as secrets that are too short.
    ///
    /// # Example: migrating a key of `jsonwebtoken`
    ///
    /// ```
    /// # #[cfg(feature = "jsonwebtoken-12")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use jsonwebtoken::DecodingKey;
    /// use tower_jwt_auth::{Algorithm, VerificationKey};
    ///
    /// let key = DecodingKey::from_secret(&[7; 32])?;
    /// let same = VerificationKey::from_decoding_key(&key, jsonwebtoken::Algorithm::HS256)?;
    /// assert!(same.algorithms().eq([Algorithm::HS256]));
    ///
    /// let short = DecodingKey::from_secret(b"secret")?;
    /// assert!(VerificationKey::from_decoding_key(&short, Algorithm::HS256).is_err());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "jsonwebtoken-12"))]
    /// # fn main() {}
    /// ```
    #[cfg_attr(
        not(feature = "jsonwebtoken-12"),
        doc = "[`jsonwebtoken::DecodingKey`]: https://docs.rs/jsonwebtoken"
    )]
    pub fn from_decoding_key<K: JsonwebtokenDecodingKey>(
        key: &K,
        algorithm: impl TryInto<Algorithm, Error: Into<ConfigError>>,
    ) -> Result<Self, ConfigError> {
        let algorithm = algorithm.try_into().map_err(Into::into)?;
        if !key.is_for(algorithm) {
            return Err(unknown(format!("{algorithm} is not of the family of this decoding key")));
        }
        match (key.content(), algorithm.key_type()) {
            (sealed::Content::Rsa { modulus, exponent }, _) => {
                Self::for_algorithm(&KeyMaterial::rsa(modulus, exponent)?, algorithm)
            }
            (sealed::Content::SecretOrDer(secret), KeyType::Secret) => {
                Self::from_secret(secret, algorithm)
            }
            (sealed::Content::SecretOrDer(der), KeyType::Rsa) => Self::from_der(der, algorithm),
            // The bytes are the bare key if they come from a JWK or a PEM text, and the given DER
            // otherwise.
            (sealed::Content::SecretOrDer(key), _)
                if key.first() == Some(&DER_SEQUENCE) && key.len() != 32 =>
            {
                Self::from_der(key, algorithm)
            }
            (sealed::Content::SecretOrDer(key), KeyType::Ed25519) => {
                Self::for_algorithm(&KeyMaterial::ed25519(key)?, algorithm)
            }
            (sealed::Content::SecretOrDer(point), curve) => {
                Self::for_algorithm(&KeyMaterial::ec_point(curve, point)?, algorithm)
            }
        }
    }
}

#[cfg(feature = "issuer")]
impl SigningKey {
    /// Converts a [`jsonwebtoken::EncodingKey`] for use with one algorithm: an [`Algorithm`] of
    /// this crate, or one of `jsonwebtoken`. An `EncodingKey` contains no key ID, so the result has the
    /// default one: see [`with_kid`](Self::with_kid).
    ///
    /// # Errors
    ///
    /// When the key is not of the algorithm's family (HMAC, RSA, EC, Ed25519), when the algorithm is
    /// one of `jsonwebtoken` alone (today there is none), and when [`from_secret`](Self::from_secret)
    /// or [`from_der`](Self::from_der) refuses the key. `jsonwebtoken` accepts some of these keys,
    /// such as secrets that are too short.
    ///
    /// # Example: migrating a key of `jsonwebtoken`
    ///
    /// ```
    /// # #[cfg(feature = "jsonwebtoken-12")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use jsonwebtoken::EncodingKey;
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let key = EncodingKey::from_secret(&[7; 32])?;
    /// let same = SigningKey::from_encoding_key(&key, jsonwebtoken::Algorithm::HS256)?;
    /// assert_eq!(same.algorithm(), Algorithm::HS256);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "jsonwebtoken-12"))]
    /// # fn main() {}
    /// ```
    #[cfg_attr(
        not(feature = "jsonwebtoken-12"),
        doc = "[`jsonwebtoken::EncodingKey`]: https://docs.rs/jsonwebtoken"
    )]
    pub fn from_encoding_key<K: JsonwebtokenEncodingKey>(
        key: &K,
        algorithm: impl TryInto<Algorithm, Error: Into<ConfigError>>,
    ) -> Result<Self, ConfigError> {
        let algorithm = algorithm.try_into().map_err(Into::into)?;
        if !key.is_for(algorithm) {
            return Err(unknown(format!("{algorithm} is not of the family of this encoding key")));
        }
        match algorithm.key_type() {
            KeyType::Secret => Self::from_secret(key.bytes(), algorithm),
            // The bytes are PKCS#1 for an RSA key in PEM, PKCS#8 for any other PEM, and otherwise
            // the given DER.
            _ => Self::from_der(key.bytes(), algorithm),
        }
    }
}

pub(crate) fn to_json(
    value: &impl serde::Serialize,
    kind: ConfigErrorKind,
) -> Result<String, ConfigError> {
    serde_json::to_string(value).map_err(|error| {
        ConfigError::new(kind, "the JWK cannot be written as JSON").with_source(error)
    })
}

pub(crate) fn unknown(message: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Algorithm, message)
}

/// The conversions of one version; the argument is the name of its crate here.
macro_rules! conversions {
    ($jsonwebtoken:ident) => {
        use $jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind, jwk};

        use crate::config_error::{ConfigError, ConfigErrorKind};
        use crate::crypto::{Algorithm, KeyType};
        use crate::jsonwebtoken_keys::{sealed, to_json, unknown};
        use crate::key::{JwkSet, VerificationKey};

        fn is_family_of(algorithm: Algorithm, family: AlgorithmFamily) -> bool {
            let of_algorithm = match algorithm.key_type() {
                KeyType::Secret => AlgorithmFamily::Hmac,
                KeyType::Rsa => AlgorithmFamily::Rsa,
                KeyType::P256 | KeyType::P384 | KeyType::P521 => AlgorithmFamily::Ec,
                KeyType::Ed25519 => AlgorithmFamily::Ed,
                // `jsonwebtoken` has no keys for ML-DSA.
                KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87 => return false,
            };
            family == of_algorithm
        }

        impl sealed::Decoding for DecodingKey {
            fn is_for(&self, algorithm: Algorithm) -> bool {
                is_family_of(algorithm, self.family())
            }

            fn content(&self) -> sealed::Content<'_> {
                match self.kind() {
                    DecodingKeyKind::SecretOrDer(bytes) => sealed::Content::SecretOrDer(bytes),
                    DecodingKeyKind::RsaModulusExponent { n, e } => {
                        sealed::Content::Rsa { modulus: n, exponent: e }
                    }
                }
            }
        }

        #[cfg(feature = "issuer")]
        impl sealed::Encoding for $jsonwebtoken::EncodingKey {
            fn is_for(&self, algorithm: Algorithm) -> bool {
                is_family_of(algorithm, self.family())
            }

            fn bytes(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        /// The algorithms that both crates support.
        const PAIRS: [(Algorithm, $jsonwebtoken::Algorithm); 12] = [
            (Algorithm::HS256, $jsonwebtoken::Algorithm::HS256),
            (Algorithm::HS384, $jsonwebtoken::Algorithm::HS384),
            (Algorithm::HS512, $jsonwebtoken::Algorithm::HS512),
            (Algorithm::RS256, $jsonwebtoken::Algorithm::RS256),
            (Algorithm::RS384, $jsonwebtoken::Algorithm::RS384),
            (Algorithm::RS512, $jsonwebtoken::Algorithm::RS512),
            (Algorithm::PS256, $jsonwebtoken::Algorithm::PS256),
            (Algorithm::PS384, $jsonwebtoken::Algorithm::PS384),
            (Algorithm::PS512, $jsonwebtoken::Algorithm::PS512),
            (Algorithm::ES256, $jsonwebtoken::Algorithm::ES256),
            (Algorithm::ES384, $jsonwebtoken::Algorithm::ES384),
            (Algorithm::EdDSA, $jsonwebtoken::Algorithm::EdDSA),
        ];

        impl TryFrom<$jsonwebtoken::Algorithm> for Algorithm {
            type Error = ConfigError;

            /// Converts to the algorithm with the same name (RFC 7518 section 3.1).
            ///
            /// # Errors
            ///
            /// When only `jsonwebtoken` supports the algorithm; today there is no such algorithm.
            fn try_from(algorithm: $jsonwebtoken::Algorithm) -> Result<Self, ConfigError> {
                PAIRS
                    .iter()
                    .find_map(|(ours, theirs)| (*theirs == algorithm).then_some(*ours))
                    .ok_or_else(|| {
                        unknown("this algorithm of `jsonwebtoken` is not supported here")
                    })
            }
        }

        impl TryFrom<Algorithm> for $jsonwebtoken::Algorithm {
            type Error = ConfigError;

            /// Converts to the algorithm with the same name (RFC 7518 section 3.1).
            ///
            /// # Errors
            ///
            /// When the algorithm is `ES512`, `Ed25519` or one of ML-DSA: `jsonwebtoken` does not support them.
            fn try_from(algorithm: Algorithm) -> Result<Self, ConfigError> {
                PAIRS
                    .iter()
                    .find_map(|(ours, theirs)| (*ours == algorithm).then_some(*theirs))
                    .ok_or_else(|| unknown(format!("`jsonwebtoken` does not know {algorithm}")))
            }
        }

        impl TryFrom<&jwk::Jwk> for VerificationKey {
            type Error = ConfigError;

            /// Converts a JWK that `jsonwebtoken` has parsed.
            ///
            /// `jsonwebtoken` drops the members that it does not know, also those of a private key.
            /// So a private JWK is accepted here as a public key.
            /// [`VerificationKey::from_jwk`] reads all members, and refuses it.
            ///
            /// # Errors
            ///
            /// When [`VerificationKey::from_jwk`] refuses the JWK.
            fn try_from(jwk: &jwk::Jwk) -> Result<Self, ConfigError> {
                Self::from_jwk(&to_json(jwk, ConfigErrorKind::Key)?)
            }
        }

        impl TryFrom<&jwk::JwkSet> for JwkSet {
            type Error = ConfigError;

            /// Converts a JWK set that `jsonwebtoken` has parsed, without the members that
            /// `jsonwebtoken` does not know: a private JWK is accepted as a public key.
            ///
            /// # Errors
            ///
            /// When [`JwkSet::from_json`] refuses the set.
            fn try_from(set: &jwk::JwkSet) -> Result<Self, ConfigError> {
                Self::from_json(&to_json(set, ConfigErrorKind::KeySet)?)
            }
        }
    };
}

pub(crate) use conversions;
