use std::borrow::Cow;
use std::error::Error;

use crate::opaque_error::opaque_error;

/// The kind of mistake that an [`IssueError`] reports.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueErrorKind {
    /// Claims that do not form a token: not a JSON object, a claim that only the issuer sets, a
    /// duplicate claim, a registered claim of the wrong type, or too many claims for a verifier.
    Claims,
    /// No audience, neither from the issuer nor among the claims.
    Audience,
    /// A lifetime of less than a second, or of more than a hundred years.
    Lifetime,
    /// The crypto backend could not sign, or had no random bytes.
    Signing,
}

/// Why no token was issued: a mistake of the server, not of a client.
///
/// The text names claims and never contains their values.
///
/// # Example: no audience
///
/// ```
/// use tower_jwt_auth::{IssueErrorKind, SigningKey, TokenIssuer};
///
/// let issuer = TokenIssuer::new("https://issuer.example", SigningKey::generate_es256()?)?;
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
    /// The kind of mistake.
    pub fn kind(&self) -> IssueErrorKind {
        self.kind
    }
}

opaque_error!(IssueError, kind: IssueErrorKind);
