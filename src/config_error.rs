use std::borrow::Cow;
use std::convert::Infallible;
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
    /// An issuer, or a template of issuers: missing, empty, not valid, in an
    /// [`IssuerSet`](crate::IssuerSet) already, or not the issuer of the keys. An issuer's name that
    /// is not a URL to fetch from is [`Url`](Self::Url).
    Issuer,
    /// The audience: missing, empty, or one that tokens for other services contain too.
    Audience,
    /// An algorithm: missing, unknown, not of the key's type, or not supported by the crypto backend.
    Algorithm,
    /// A key that cannot be used: unreadable, too weak, private, of an unknown type, or with a `use`
    /// other than verifying. Also a `kid` that a `TokenIssuer` refuses.
    Key,
    /// A set of keys that cannot be used: unreadable, without a usable key, or with keys among which
    /// a token cannot select.
    KeySet,
    /// The path of a `KeyFile` (feature `key-file`).
    KeyFile,
    /// A leeway, age or lifetime out of its bounds.
    Duration,
    /// A limit on the length of tokens or headers out of its bounds.
    Length,
    /// The capacity of a token cache or of a store in memory, or the number of concurrent requests, out of its
    /// bounds.
    Capacity,
    /// The credentials of a client of the authorization server, in a `ClientAuthentication` (feature
    /// `introspection`).
    ClientAuthentication,
    /// The `typ` of tokens: not a name such as `at+jwt`, nor a media type. Also a type that a
    /// [`JwtVerifier`](crate::JwtVerifier) cannot accept.
    TokenType,
    /// Kinds of tokens that cannot be distinguished, in a [`TokenKinds`](crate::TokenKinds).
    TokenKind,
    /// A URL that is not fetched, such as one with plain http or a password, or with a private
    /// address that is refused. Also a host that cannot be listed for plain http, and the public URL
    /// of a `Dpop` (feature `dpop`).
    Url,
    /// A text that is not allowed in a challenge, such as a realm with a line break.
    Challenge,
    /// A domain that is not allowed in a `google.rpc.ErrorInfo`.
    ErrorInfo,
    /// The metadata of a protected resource, in a `ResourceMetadata` (feature `resource-metadata`).
    ResourceMetadata,
    /// A source of tokens that cannot be used, such as a cookie without the origin of its pages.
    Source,
    /// A header for claims that cannot be used.
    Header,
    /// An authorization rule, a scope or a scope hierarchy that cannot be used.
    Rule,
    /// A member of a `LayerConfig` (feature `config`) that is unknown, missing, of another type, or in
    /// contradiction to another one; or that names an unreadable file, or needs a feature that is off.
    Member,
    /// The workloads that a `KnownIssuer` accepts (feature `oidc-discovery`): none is named, or with a value that no
    /// token has.
    Workload,
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

    /// Names the member of a configuration that is wrong.
    #[cfg(feature = "config")]
    pub(crate) fn at(self, place: impl std::fmt::Display) -> Self {
        Self { message: format!("{place}: {}", self.message).into(), ..self }
    }
}

/// Never called. It lets a function that takes what converts to a type also take that type, whose conversion cannot fail.
impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

opaque_error!(ConfigError, kind: ConfigErrorKind);
