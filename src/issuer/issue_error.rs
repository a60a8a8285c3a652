use std::borrow::Cow;
use std::error::Error;

use crate::opaque_error::opaque_error;

/// The cause of an [`IssueError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueErrorKind {
    /// The claims cannot be those of a token: they cannot be written as a JSON object, they contain
    /// a claim that only the issuer sets, a duplicate claim or a registered claim of the wrong
    /// type, they make the token longer than 16 KiB, or they are nested more than 64 levels deep.
    Claims,
    /// There is no audience, neither from the issuer nor among the claims, or `aud` in the claims
    /// is empty or contains an empty string.
    Audience,
    /// The lifetime is less than a second, or more than a hundred years.
    Lifetime,
    /// The algorithm of the key cannot be used for this kind of token: no standard defines `at_hash` of an ID token for
    /// ML-DSA.
    Algorithm,
    /// The crypto backend could not sign, or had no random bytes.
    Signing,
}

/// Why no token was issued. The cause is in the server, not in a request of a client.
///
/// The error text names claims and never contains their values.
///
/// # Example: no audience
///
/// ```
/// use tower_jwt_auth::{Algorithm, IssueErrorKind, SigningKey, TokenIssuer};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let issuer = TokenIssuer::new("https://issuer.example", key)?;
/// let error = issuer.issue(&serde_json::json!({"sub": "alice"})).unwrap_err();
/// assert_eq!(error.kind(), IssueErrorKind::Audience);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct IssueError {
    kind: IssueErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl IssueError {
    /// The cause of the error.
    pub fn kind(&self) -> IssueErrorKind {
        self.kind
    }
}

opaque_error!(IssueError, kind: IssueErrorKind);
