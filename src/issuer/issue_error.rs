use std::borrow::Cow;
use std::error::Error;
use std::fmt;

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
    pub(crate) fn new(kind: IssueErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The kind of mistake.
    pub fn kind(&self) -> IssueErrorKind {
        self.kind
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssueError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for IssueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
