use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use crate::opaque_error::opaque_error;
use crate::rejection::Rejection;

/// When a client may retry, unless the error sets another time.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a key source cannot return keys at the moment. It is for the operator's log.
///
/// The client gets 503 with `Retry-After`, not 401. So do not return this error for a key that does not exist:
/// return no candidates.
///
/// # Example: a sealed vault
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{KeyLookup, KeySourceError};
///
/// let sealed = KeySourceError::new("the vault is sealed").with_retry_after(Duration::from_secs(30));
/// assert_eq!(sealed.to_string(), "the vault is sealed");
/// let lookup = KeyLookup::ready(Err(sealed));
/// assert!(lookup.is_ready());
/// ```
pub struct KeySourceError {
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl KeySourceError {
    /// Creates an error with a message for the operator's log. Clients never see the message. They are asked to
    /// retry after 5 seconds; see [`with_retry_after`](Self::with_retry_after).
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), retry_after: None, source: None }
    }

    /// Replaces the time after which a client may retry, `Retry-After` (RFC 9110 section 10.2.3):
    /// rounded down to whole seconds, at least 1; 5 by default. In an error of a `Fetch` (feature
    /// `jwks-url`), it is instead the pause before the next fetch, within the bounds of `JwksUrl`.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Replaces the cause, which [`source`](Error::source) returns; none by default.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The message and its causes, for a log.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    pub(crate) fn retry_after(&self) -> Duration {
        self.retry_after.unwrap_or(DEFAULT_RETRY_AFTER)
    }

    /// The time set by [`with_retry_after`](Self::with_retry_after), if any.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn retry_after_that_was_set(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Sets another error of this type as the cause. Uses its `Retry-After` time if this one has
    /// none.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn caused_by(self, cause: Self) -> Self {
        Self { retry_after: self.retry_after.or(cause.retry_after), ..self }.with_source(cause)
    }
}

opaque_error!(KeySourceError, retry_after);

/// Creates a rejection with status 503, the `Retry-After` time of the error, and the error as the cause.
impl From<KeySourceError> for Rejection {
    fn from(error: KeySourceError) -> Self {
        let retry_after = error.retry_after();
        Self::unavailable(error).with_retry_after(retry_after)
    }
}
