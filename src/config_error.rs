use std::borrow::Cow;
use std::error::Error;

use crate::opaque_error::opaque_error;

/// The part of the configuration that a [`ConfigError`] is about.
///
/// # Example: which setting is wrong
///
/// ```
/// use tower_jwt_auth::{Algorithm, ConfigErrorKind, JwtVerifier, VerificationKey};
///
/// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let error = JwtVerifier::new("https://issuer.example", "", key).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Audience);
///
/// let error = "HS1".parse::<Algorithm>().unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Algorithm);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigErrorKind {
    /// The issuer: missing, empty, or not a valid name of an issuer.
    Issuer,
    /// The audience: missing, empty, or one that tokens for other services contain too.
    Audience,
    /// The allowed algorithms: missing, unknown, or not of the key's type.
    Algorithm,
    /// A key that cannot be used: unreadable, too weak, private, or of an unknown type.
    Key,
    /// A JWK set that cannot be used: unreadable, or without a usable key.
    KeySet,
    /// A leeway, age or lifetime out of its bounds.
    Duration,
    /// A limit on the length of tokens or headers out of its bounds.
    Length,
    /// The capacity of a cache out of its bounds.
    Capacity,
    /// A token type, `typ`, that is not a media type.
    TokenType,
    /// Kinds of tokens that cannot be distinguished, in a [`TokenKinds`](crate::TokenKinds).
    TokenKind,
    /// A URL that is not fetched: not https, or with a password.
    Url,
    /// A text that is not allowed in a challenge, such as a realm with a line break.
    Challenge,
    /// An authorization rule, a scope or a scope hierarchy that cannot be used.
    Rule,
}

/// A mistake in the configuration, for the developer.
///
/// The error text describes the mistake in one sentence and never contains key material. An invalid
/// request of a client is a [`Rejection`](crate::Rejection) instead.
///
/// # Example: a key that is too short
///
/// ```
/// use tower_jwt_auth::{Algorithm, ConfigErrorKind, VerificationKey};
///
/// let error = VerificationKey::from_secret(b"hunter2", Algorithm::HS256).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Key);
/// assert_eq!(error.to_string(), "an HS256 secret needs at least 32 bytes, this one has 7");
/// ```
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    /// The part of the configuration that is wrong.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }
}

opaque_error!(ConfigError, kind: ConfigErrorKind);
