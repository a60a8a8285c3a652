//! The signing key of those who come from `jsonwebtoken` 11.

use jsonwebtoken::EncodingKey;

use crate::jsonwebtoken_11::in_family;
use crate::key::KeyType;
use crate::{Algorithm, ConfigError, ConfigErrorKind, SigningKey};

impl SigningKey {
    /// Takes the key of a [`jsonwebtoken::EncodingKey`], for one algorithm: either this crate's or
    /// `jsonwebtoken`'s. Its crypto provider is not asked.
    ///
    /// # Errors
    ///
    /// When the key is not of the algorithm's family, and in all cases in which
    /// [`from_secret`](Self::from_secret) or [`from_der`](Self::from_der) refuse a key: some of
    /// those are loaded by `jsonwebtoken` without a word.
    ///
    /// # Example: the key of a service that is being moved
    ///
    /// ```
    /// use jsonwebtoken::EncodingKey;
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let key = EncodingKey::from_secret(&[7; 32]);
    /// let same = SigningKey::from_encoding_key(&key, jsonwebtoken::Algorithm::HS256)?;
    /// assert_eq!(same.algorithm(), Algorithm::HS256);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_encoding_key(
        key: &EncodingKey,
        algorithm: impl TryInto<Algorithm, Error: Into<ConfigError>>,
    ) -> Result<Self, ConfigError> {
        let algorithm = algorithm.try_into().map_err(Into::into)?;
        if !in_family(algorithm, key.family()) {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                format!("{algorithm} is not of the family of this encoding key"),
            ));
        }
        match algorithm.key_type() {
            KeyType::Secret => Self::from_secret(key.as_bytes(), algorithm),
            // PKCS#1 from an RSA key in PEM, PKCS#8 from any other, from DER whatever was given.
            _ => Self::from_der(key.as_bytes(), algorithm),
        }
    }
}
