use std::fmt;
use std::ops::Range;

use http::HeaderValue;

use crate::constant_time;
use crate::token::extract;
use crate::{Rejection, RejectionKind};

/// A bearer token as it came: a non-empty `token68` (RFC 6750 section 2.1, RFC 9110 section 11.2)
/// of which nothing else is known.
///
/// Owned, and cheap to clone: it shares the header value it was found in. `Debug` does not show it.
///
/// # Example: for a test of one's own rule
///
/// ```
/// use tower_jwt_auth::BearerToken;
///
/// let token: BearerToken = "demo-key-alice".parse()?;
/// assert_eq!(token.as_str(), "demo-key-alice");
/// assert_eq!(format!("{token:?}"), "BearerToken(..)");
/// assert!("not a token".parse::<BearerToken>().is_err());
/// # Ok::<(), tower_jwt_auth::Rejection>(())
/// ```
#[derive(Clone)]
pub struct BearerToken {
    /// Visible ASCII throughout the range: [`extract`] saw to it.
    value: HeaderValue,
    range: Range<usize>,
}

impl BearerToken {
    pub(super) fn new(value: HeaderValue, range: Range<usize>) -> Self {
        Self { value, range }
    }

    /// The token, a secret of the client's: it belongs in no log. To compare it with a secret, use
    /// [`matches`](Self::matches), not `==`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
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
    /// use tower_jwt_auth::{BearerToken, JwtAuthLayer, Rejection, verify_fn};
    ///
    /// fn layer(api_key: String) -> JwtAuthLayer<&'static str> {
    ///     JwtAuthLayer::new(verify_fn(move |token: &BearerToken| match token.matches(&api_key) {
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

impl std::str::FromStr for BearerToken {
    type Err = Rejection;

    /// A token from elsewhere than a request, such as a test.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::MalformedCredentials`] when it is not a `token68`.
    fn from_str(token: &str) -> Result<Self, Rejection> {
        match HeaderValue::from_str(token) {
            Ok(mut value) if extract::is_token68(token.as_bytes()) => {
                value.set_sensitive(true);
                Ok(Self::new(value, 0..token.len()))
            }
            _ => Err(RejectionKind::MalformedCredentials.into()),
        }
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}
