//! Conversions from the types of `jsonwebtoken` 11, for those who come from it.
//!
//! All checks of a key's loading hold here as well. Nothing here asks the crypto provider of
//! `jsonwebtoken`.

use std::borrow::Cow;
use std::convert::Infallible;

use jsonwebtoken::jwk;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind};

use crate::key::{KeyMaterial, KeyType};
use crate::{Algorithm, ConfigError, ConfigErrorKind, JwkSet, VerificationKey};

impl VerificationKey {
    /// Takes the key of a [`jsonwebtoken::DecodingKey`], for one algorithm: either this crate's or
    /// `jsonwebtoken`'s.
    ///
    /// # Errors
    ///
    /// When the key is not of the algorithm's family, and in all cases in which
    /// [`from_secret`](Self::from_secret), [`from_der`](Self::from_der) or
    /// [`from_jwk`](Self::from_jwk) refuse a key: some of those are loaded by `jsonwebtoken`
    /// without a word.
    ///
    /// # Example: the key of a service that is being moved
    ///
    /// ```
    /// use jsonwebtoken::DecodingKey;
    /// use tower_jwt_auth::{Algorithm, VerificationKey};
    ///
    /// let key = DecodingKey::from_secret(&[7; 32]);
    /// let same = VerificationKey::from_decoding_key(&key, jsonwebtoken::Algorithm::HS256)?;
    /// assert!(same.algorithms().eq([Algorithm::HS256]));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    ///
    /// # Example: what `jsonwebtoken` lets through
    ///
    /// ```
    /// use jsonwebtoken::DecodingKey;
    /// use tower_jwt_auth::{Algorithm, VerificationKey};
    ///
    /// let empty = DecodingKey::from_secret(b"");
    /// assert!(VerificationKey::from_decoding_key(&empty, Algorithm::HS256).is_err());
    /// ```
    pub fn from_decoding_key(
        key: &DecodingKey,
        algorithm: impl TryInto<Algorithm, Error: Into<ConfigError>>,
    ) -> Result<Self, ConfigError> {
        let algorithm = algorithm.try_into().map_err(Into::into)?;
        if !in_family(algorithm, key.family()) {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                format!("{algorithm} is not of the family of this decoding key"),
            ));
        }

        match (key.kind(), algorithm.key_type()) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, _) => {
                Self::for_algorithm(&KeyMaterial::rsa(n, e)?, algorithm)
            }
            (DecodingKeyKind::SecretOrDer(secret), KeyType::Secret) => {
                Self::from_secret(secret, algorithm)
            }
            (DecodingKeyKind::SecretOrDer(der), KeyType::Rsa) => Self::from_der(der, algorithm),
            // From a JWK or a PEM text it is the bare key, from DER whatever was given.
            (DecodingKeyKind::SecretOrDer(key), _)
                if key.first() == Some(&DER_SEQUENCE) && key.len() != 32 =>
            {
                Self::from_der(key, algorithm)
            }
            (DecodingKeyKind::SecretOrDer(key), KeyType::Ed25519) => {
                Self::for_algorithm(&KeyMaterial::ed25519(key)?, algorithm)
            }
            (DecodingKeyKind::SecretOrDer(point), curve) => {
                Self::for_algorithm(&KeyMaterial::ec_point(curve, point)?, algorithm)
            }
        }
    }
}

/// The first octet of a SubjectPublicKeyInfo.
const DER_SEQUENCE: u8 = 0x30;

pub(crate) fn in_family(algorithm: Algorithm, family: AlgorithmFamily) -> bool {
    family
        == match algorithm.key_type() {
            KeyType::Secret => AlgorithmFamily::Hmac,
            KeyType::Rsa => AlgorithmFamily::Rsa,
            KeyType::P256 | KeyType::P384 | KeyType::P521 => AlgorithmFamily::Ec,
            KeyType::Ed25519 => AlgorithmFamily::Ed,
        }
}

/// The algorithms that both crates know.
const PAIRS: [(Algorithm, jsonwebtoken::Algorithm); 12] = [
    (Algorithm::HS256, jsonwebtoken::Algorithm::HS256),
    (Algorithm::HS384, jsonwebtoken::Algorithm::HS384),
    (Algorithm::HS512, jsonwebtoken::Algorithm::HS512),
    (Algorithm::RS256, jsonwebtoken::Algorithm::RS256),
    (Algorithm::RS384, jsonwebtoken::Algorithm::RS384),
    (Algorithm::RS512, jsonwebtoken::Algorithm::RS512),
    (Algorithm::PS256, jsonwebtoken::Algorithm::PS256),
    (Algorithm::PS384, jsonwebtoken::Algorithm::PS384),
    (Algorithm::PS512, jsonwebtoken::Algorithm::PS512),
    (Algorithm::ES256, jsonwebtoken::Algorithm::ES256),
    (Algorithm::ES384, jsonwebtoken::Algorithm::ES384),
    (Algorithm::EdDSA, jsonwebtoken::Algorithm::EdDSA),
];

impl TryFrom<jsonwebtoken::Algorithm> for Algorithm {
    type Error = ConfigError;

    /// The algorithm of this name (RFC 7518 section 3.1).
    ///
    /// # Errors
    ///
    /// When the algorithm came to `jsonwebtoken` later and is not known here: today, never.
    ///
    /// # Example: of one name
    ///
    /// ```
    /// use tower_jwt_auth::Algorithm;
    ///
    /// assert_eq!(Algorithm::try_from(jsonwebtoken::Algorithm::ES256)?, Algorithm::ES256);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    fn try_from(algorithm: jsonwebtoken::Algorithm) -> Result<Self, ConfigError> {
        PAIRS
            .iter()
            .find_map(|(ours, theirs)| (*theirs == algorithm).then_some(*ours))
            .ok_or_else(|| unknown("this algorithm of `jsonwebtoken` is not supported here"))
    }
}

impl TryFrom<Algorithm> for jsonwebtoken::Algorithm {
    type Error = ConfigError;

    /// The algorithm of this name (RFC 7518 section 3.1).
    ///
    /// # Errors
    ///
    /// For `ES512` and `Ed25519`, which `jsonwebtoken` 11 does not know.
    ///
    /// # Example: known there or not
    ///
    /// ```
    /// use tower_jwt_auth::Algorithm;
    ///
    /// assert!(jsonwebtoken::Algorithm::try_from(Algorithm::ES384).is_ok());
    /// assert!(jsonwebtoken::Algorithm::try_from(Algorithm::ES512).is_err());
    /// ```
    fn try_from(algorithm: Algorithm) -> Result<Self, ConfigError> {
        PAIRS
            .iter()
            .find_map(|(ours, theirs)| (*ours == algorithm).then_some(*theirs))
            .ok_or_else(|| unknown(format!("`jsonwebtoken` does not know {algorithm}")))
    }
}

/// So that [`VerificationKey::from_decoding_key`] takes an [`Algorithm`] of either crate.
impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl TryFrom<&jwk::Jwk> for VerificationKey {
    type Error = ConfigError;

    /// Takes a JWK that `jsonwebtoken` has read. It drops the members that it does not know, among
    /// them the private ones; [`VerificationKey::from_jwk`] sees them all.
    ///
    /// # Errors
    ///
    /// As [`VerificationKey::from_jwk`].
    ///
    /// # Example: a key that was read already
    ///
    /// ```
    /// use jsonwebtoken::jwk::Jwk;
    /// use tower_jwt_auth::VerificationKey;
    ///
    /// let jwk: Jwk = serde_json::from_str(
    ///     r#"{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01", "alg": "EdDSA",
    ///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert_eq!(VerificationKey::try_from(&jwk)?.kid(), Some("2026-01"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn try_from(jwk: &jwk::Jwk) -> Result<Self, ConfigError> {
        Self::from_jwk(&to_json(jwk, ConfigErrorKind::Key)?)
    }
}

impl TryFrom<&jwk::JwkSet> for JwkSet {
    type Error = ConfigError;

    /// Takes a JWK set that `jsonwebtoken` has read.
    ///
    /// # Errors
    ///
    /// As [`JwkSet::from_json`].
    ///
    /// # Example: a set that was read already
    ///
    /// ```
    /// use tower_jwt_auth::JwkSet;
    ///
    /// let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(
    ///     r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
    ///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    /// )?;
    /// assert_eq!(JwkSet::try_from(&set)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn try_from(set: &jwk::JwkSet) -> Result<Self, ConfigError> {
        Self::from_json(&to_json(set, ConfigErrorKind::KeySet)?)
    }
}

fn to_json(value: &impl serde::Serialize, kind: ConfigErrorKind) -> Result<String, ConfigError> {
    serde_json::to_string(value).map_err(|error| {
        ConfigError::new(kind, "the JWK cannot be written as JSON").with_source(error)
    })
}

fn unknown(message: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Algorithm, message)
}
