//! Refusals: what went wrong, and the answers it gets, from one table.

pub(crate) mod challenge;
pub(crate) mod grpc;
mod kind;
mod request_summary;
mod responder;
pub(crate) mod response;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub use self::kind::RejectionKind;
pub use self::request_summary::RequestSummary;
pub use self::responder::{EmptyBody, ProblemJson, RejectionFn, ResponseForRejection};
use crate::claims::Scope;

/// The most characters of a description that are written into a header field.
pub(crate) const MAX_DESCRIPTION: usize = 256;

/// Why a request is refused, for the client: the reason, and the answer that follows from it.
///
/// A refusal's response carries it in its extensions, for outer layers to log. It never holds the
/// token or anything that the client sent.
///
/// # Example: expired told from invalid
///
/// ```
/// use tower_jwt_auth::{Rejection, RejectionKind};
///
/// fn advice(rejection: &Rejection) -> &'static str {
///     match rejection.kind() {
///         RejectionKind::ExpiredToken => "ask for a new token",
///         _ if rejection.is_invalid_token() => "log in again",
///         _ => "see the documentation",
///     }
/// }
/// assert_eq!(advice(&Rejection::from(RejectionKind::ExpiredToken)), "ask for a new token");
/// ```
///
/// # Example: the answers that follow
///
/// ```
/// use tower_jwt_auth::{Rejection, RejectionKind};
///
/// let rejection = Rejection::from(RejectionKind::ExpiredToken);
/// assert_eq!(rejection.status(), 401);
/// assert_eq!(rejection.error_code(), Some("invalid_token"));
/// assert_eq!(rejection.description(), "the token has expired");
/// assert_eq!(rejection.to_string(), rejection.description());
/// ```
#[derive(Clone)]
pub struct Rejection {
    kind: RejectionKind,
    details: Option<Arc<Details>>,
}

#[derive(Clone, Default)]
struct Details {
    description: Option<Cow<'static, str>>,
    scope: Option<Scope>,
    acr_values: Option<String>,
    max_age: Option<u64>,
    retry_after: Option<Duration>,
    expected: Option<Arc<str>>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    headers: Option<HeaderMap>,
}

impl Rejection {
    /// How long a client is asked to wait when nothing else is said.
    const RETRY_AFTER: u64 = 5;

    /// The token is not accepted: 401 `invalid_token` (RFC 6750 section 3.1). For rules of one's own
    /// ([`verify_fn`](crate::verify_fn)).
    ///
    /// # Example: no such API key
    ///
    /// ```
    /// use tower_jwt_auth::{Rejection, RejectionKind};
    ///
    /// fn user(key: &str) -> Result<&'static str, Rejection> {
    ///     match key {
    ///         "demo-key-alice" => Ok("alice"),
    ///         _ => Err(Rejection::invalid_token()),
    ///     }
    /// }
    /// let rejection = user("another").unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::InvalidToken);
    /// assert_eq!(rejection.status(), 401);
    /// ```
    pub fn invalid_token() -> Self {
        RejectionKind::InvalidToken.into()
    }

    /// The token is good, but does not permit this: 403 `insufficient_scope`, naming the scope that
    /// would (RFC 6750 section 3.1).
    ///
    /// # Example: an action of its own
    ///
    /// ```
    /// use tower_jwt_auth::{Rejection, Scope};
    ///
    /// let rejection = Rejection::insufficient_scope(Scope::from("orders:write"));
    /// assert_eq!(rejection.status(), 403);
    /// ```
    pub fn insufficient_scope(scope: Scope) -> Self {
        Self::from(RejectionKind::InsufficientScope).with(|details| details.scope = Some(scope))
    }

    /// The user has to authenticate more strongly or anew: 401
    /// `insufficient_user_authentication` (RFC 9470 section 3).
    ///
    /// `acr_values`, in the order of preference, and `max_age`, in whole seconds, say how; leave
    /// out what does not matter.
    ///
    /// # Example: a login within the last five minutes
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::Rejection;
    ///
    /// let five_minutes = Duration::from_secs(300);
    /// let rejection = Rejection::insufficient_user_authentication(&[], Some(five_minutes));
    /// assert_eq!(rejection.status(), 401);
    /// ```
    pub fn insufficient_user_authentication(
        acr_values: &[&str],
        max_age: Option<Duration>,
    ) -> Self {
        Self::from(RejectionKind::InsufficientUserAuthentication).with(|details| {
            details.acr_values = (!acr_values.is_empty()).then(|| acr_values.join(" "));
            details.max_age = max_age.map(|age| age.as_secs());
        })
    }

    /// The token cannot be verified at the moment, and why, for the operator's log: 503 with `Retry-After`
    /// (RFC 9110 sections 15.6.4 and 10.2.3), 5 seconds by default. Never an answer to a bad token.
    ///
    /// The cause is the [`source()`](Error::source) of the rejection and is never sent to the client.
    ///
    /// # Example: the database is down
    ///
    /// ```
    /// use std::error::Error;
    /// use std::time::Duration;
    /// use tower_jwt_auth::Rejection;
    ///
    /// let error = std::io::Error::other("the connection was lost");
    /// let rejection = Rejection::unavailable(error).with_retry_after(Duration::from_secs(30));
    /// assert_eq!(rejection.status(), 503);
    /// assert_eq!(rejection.source().unwrap().to_string(), "the connection was lost");
    /// ```
    pub fn unavailable<E>(source: E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::from(RejectionKind::Unavailable)
            .with(|details| details.cause = Some(Arc::from(source.into())))
    }

    /// Replaces the time after which the client may try again: whole seconds, at least 1; 5 by default.
    /// Only a 503 has it.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Duration) -> Self {
        self.with(|details| details.retry_after = Some(retry_after))
    }

    /// Replaces the description; by default that of the table at [`RejectionKind`].
    ///
    /// The client sees it, as `error_description` and as the gRPC message, so it must not hold what
    /// clients should not learn. Any text will do: control characters become spaces; in a challenge, so do
    /// other characters that must not be there (RFC 6750 section 3), and a quotation mark becomes `'`. Header
    /// fields get the first 256 characters. A responder that writes HTML has to escape it.
    ///
    /// # Example: what the client should do
    ///
    /// ```
    /// use tower_jwt_auth::Rejection;
    ///
    /// let rejection = Rejection::invalid_token().with_description("the key was revoked: ask for a new one");
    /// assert_eq!(rejection.description(), "the key was revoked: ask for a new one");
    /// ```
    #[must_use]
    pub fn with_description<T>(self, description: T) -> Self
    where
        T: Into<Cow<'static, str>>,
    {
        let mut description = description.into();
        if description.contains(char::is_control) {
            description = Cow::Owned(description.replace(char::is_control, " "));
        }
        self.with(|details| details.description = Some(description))
    }

    /// Adds a header field to the response, in every form of it; none by default.
    ///
    /// A field that the response already has is left as it is, except that challenges
    /// (`WWW-Authenticate`) are added to those that are there. Further calls with one name add values.
    ///
    /// # Example: where to read more
    ///
    /// ```
    /// use http::{HeaderValue, header::LINK};
    /// use tower_jwt_auth::Rejection;
    ///
    /// let help = HeaderValue::from_static("</docs/tokens>; rel=\"help\"");
    /// let rejection = Rejection::invalid_token().with_header(LINK, help);
    /// ```
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|details| {
            // A map that is full (32,768 fields) stays as it is.
            let _ = details.headers.get_or_insert_default().try_append(name, value);
        })
    }

    pub(crate) fn with_expected(self, expected: &Arc<str>) -> Self {
        self.with(|details| details.expected = Some(Arc::clone(expected)))
    }

    fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(self.details.get_or_insert_default()));
        self
    }

    /// The reason.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Whether it is the token that is bad, for whatever reason: `error="invalid_token"`.
    pub fn is_invalid_token(&self) -> bool {
        self.error_code() == Some("invalid_token")
    }

    /// The HTTP status: 400, 401, 403 or 503 (RFC 6750 section 3.1, RFC 9110 section 15).
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The OAuth error code (RFC 6750 section 3.1); `None` when no credentials were given.
    pub fn error_code(&self) -> Option<&'static str> {
        self.kind.error_code()
    }

    /// The gRPC status code: 7 (permission denied), 14 (unavailable) or 16 (unauthenticated).
    ///
    /// # Example: in a service of tonic's
    ///
    /// ```
    /// use tower_jwt_auth::Rejection;
    ///
    /// fn status(rejection: &Rejection) -> tonic::Status {
    ///     tonic::Status::new(rejection.grpc_status().into(), rejection.to_string())
    /// }
    /// assert_eq!(status(&Rejection::invalid_token()).code(), tonic::Code::Unauthenticated);
    /// ```
    pub fn grpc_status(&self) -> i32 {
        self.kind.grpc_status()
    }

    /// The reason in a sentence, such as "the token has expired".
    pub fn description(&self) -> &str {
        self.details
            .as_ref()
            .and_then(|details| details.description.as_deref())
            .unwrap_or_else(|| self.kind.description())
    }

    /// What the token did not match: an issuer, an audience or a limit that is configured, or the
    /// name of the claim that is missing, has the wrong type, does not fit the type of the claims, or
    /// shows another kind of token. For the operator's log, never sent to the client; it never holds
    /// a value of the token.
    ///
    /// # Example: a token for another service
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let token = issuer.token().audience("https://other.test").build();
    /// let rejection = issuer.verifier().verify_now(&token).unwrap_err();
    /// assert_eq!(rejection.expected(), Some("https://api.test"));
    /// assert_eq!(rejection.to_string(), "the token is for another audience");
    /// # }
    /// ```
    pub fn expected(&self) -> Option<&str> {
        self.details.as_ref()?.expected.as_deref()
    }

    /// The scope that the token lacks, of a rejection that [`insufficient_scope`](Self::insufficient_scope)
    /// made.
    pub fn scope(&self) -> Option<&Scope> {
        self.details.as_ref()?.scope.as_ref()
    }

    /// The authentication context classes that would do, in the order of preference, of a rejection that
    /// [`insufficient_user_authentication`](Self::insufficient_user_authentication) made.
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        let values = self.details.as_ref().and_then(|details| details.acr_values.as_deref());
        values.into_iter().flat_map(str::split_ascii_whitespace)
    }

    /// The greatest age of an authentication that would do, of such a rejection.
    pub fn max_age(&self) -> Option<Duration> {
        self.details.as_ref()?.max_age.map(Duration::from_secs)
    }

    /// The time after which the client may try again; `None` unless it is a 503.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_seconds().map(Duration::from_secs)
    }

    /// The seconds of `Retry-After`.
    pub(crate) fn retry_after_seconds(&self) -> Option<u64> {
        let asked = self.details.as_ref().and_then(|details| details.retry_after);
        (self.status() == StatusCode::SERVICE_UNAVAILABLE)
            .then(|| asked.map_or(Self::RETRY_AFTER, |time| time.as_secs().max(1)))
    }

    pub(crate) fn headers(&self) -> Option<&HeaderMap> {
        self.details.as_ref()?.headers.as_ref()
    }

    fn details(&self) -> Option<&Details> {
        self.details.as_deref()
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self { kind, details: None }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind)
            .field("description", &self.description())
            .field("expected", &self.expected())
            .finish_non_exhaustive()
    }
}

impl Error for Rejection {
    /// Why the token cannot be verified at the moment, for the operator: the cause given to
    /// [`unavailable`](Rejection::unavailable), or the [`KeySourceError`](crate::KeySourceError).
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.details.as_ref()?.cause.as_deref().map(|cause| cause as _)
    }
}
