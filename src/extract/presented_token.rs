use std::fmt;
use std::ops::Range;

use http::HeaderValue;

use crate::crypto::constant_time;
use crate::extract::authorization;
use crate::rejection::{Rejection, RejectionKind};

/// A token as the client presented it: its text, its [scheme](TokenScheme), and its
/// [source](TokenSource).
///
/// The text is a non-empty `token68` (RFC 6750 section 2.1, RFC 9110 section 11.2); nothing else is known
/// of it. Cloning it copies no text: the clones share the header value. `Debug` does not show the token.
///
/// # Example: a test of a custom rule
///
/// ```
/// use tower_jwt_auth::{PresentedToken, TokenScheme};
///
/// let token = PresentedToken::bearer("demo-key-alice")?;
/// assert_eq!(token.as_str(), "demo-key-alice");
/// assert_eq!(token.scheme(), TokenScheme::Bearer);
/// assert!(!format!("{token:?}").contains("alice"));
/// # Ok::<(), tower_jwt_auth::Rejection>(())
/// ```
#[derive(Clone)]
pub struct PresentedToken {
    /// Visible ASCII throughout the range: [`extract`] checks it.
    value: HeaderValue,
    range: Range<usize>,
    scheme: TokenScheme,
    source: TokenSource,
}

/// How a client proves that a token is its own: the authentication scheme (RFC 9110 section 11.1).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenScheme {
    /// Whoever has the token may use it (RFC 6750).
    Bearer,
}

impl TokenScheme {
    /// The registered name, as in a challenge: `Bearer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
        }
    }
}

impl fmt::Display for TokenScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of a request that a token was found in.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenSource {
    /// The `Authorization` header (RFC 9110 section 11.6.2).
    AuthorizationHeader,
}

impl PresentedToken {
    pub(super) fn from_header(
        value: HeaderValue,
        range: Range<usize>,
        scheme: TokenScheme,
    ) -> Self {
        Self { value, range, scheme, source: TokenSource::AuthorizationHeader }
    }

    /// A bearer token that does not come with a request, as if its `Authorization` header were
    /// `Bearer <token>`: for tests, and for calls of [`verify_token`](crate::VerifyToken::verify_token).
    ///
    /// # Errors
    ///
    /// [`RejectionKind::MalformedCredentials`] when it is not a `token68`.
    pub fn bearer(token: &str) -> Result<Self, Rejection> {
        match HeaderValue::from_str(token) {
            Ok(mut value) if authorization::is_token68(token.as_bytes()) => {
                value.set_sensitive(true);
                Ok(Self::from_header(value, 0..token.len(), TokenScheme::Bearer))
            }
            _ => Err(RejectionKind::MalformedCredentials.into()),
        }
    }

    /// The token: a secret of the client, which must not be logged. To compare it with a secret, use
    /// [`matches`](Self::matches), not `==`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The scheme that it was presented with.
    pub fn scheme(&self) -> TokenScheme {
        self.scheme
    }

    /// Where it was found.
    pub fn source(&self) -> TokenSource {
        self.source
    }

    /// Whether the token is this secret. How long that takes tells nothing of the secret but its length
    /// in steps of 64 bytes: the SHA-256 hashes of both are compared in constant time.
    ///
    /// No token is empty, so an empty secret matches none. A secret has to be random: this does not slow
    /// down guessing.
    ///
    /// # Example: one API key
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, PresentedToken, Rejection, verify_fn};
    ///
    /// fn layer(api_key: String) -> JwtAuthLayer<&'static str> {
    ///     JwtAuthLayer::new(verify_fn(move |token: &PresentedToken| match token.matches(&api_key) {
    ///         true => Ok("the batch job"),
    ///         false => Err(Rejection::invalid_token()),
    ///     }))
    /// }
    /// ```
    pub fn matches(&self, secret: impl AsRef<[u8]>) -> bool {
        constant_time::are_equal(self.as_bytes(), secret.as_ref())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.value.as_bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for PresentedToken {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken")
            .field("scheme", &self.scheme)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
