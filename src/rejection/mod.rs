//! Refusals: the reasons, and the responses that one table derives from them.

pub(crate) mod challenge;
#[cfg(feature = "grpc-error-info")]
pub(crate) mod error_info;
#[cfg(not(feature = "grpc-error-info"))]
#[path = "no_error_info.rs"]
pub(crate) mod error_info;
mod exposed;
pub(crate) mod grpc;
mod kind;
mod request_summary;
mod responder;
pub(crate) mod response;
#[cfg(feature = "tonic-0_14")]
mod tonic_0_14;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub use self::exposed::cors_exposed_headers;
pub use self::kind::RejectionKind;
pub use self::request_summary::RequestSummary;
pub use self::responder::{EmptyBody, ProblemJson, RejectionFn, ResponseForRejection};
use crate::claims::Scope;

/// A header field gets at most this many characters of a description.
pub(crate) const MAX_DESCRIPTION: usize = 256;

/// Why a request is refused: the [reason](RejectionKind), and the status and error code that follow from it.
///
/// The layer puts the rejection into the extensions of the response, so that outer layers can log it. This crate
/// never puts the token, or anything else that the client sent, into a rejection.
///
/// # Example: tell an expired token from an invalid one
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
/// # Example: refuse in a custom verifier
///
/// ```
/// use std::error::Error;
/// use std::time::Duration;
/// use tower_jwt_auth::{Rejection, Scope};
///
/// let unknown_key = Rejection::invalid_token().with_description("the key was revoked: ask for a new one");
/// assert_eq!(unknown_key.status(), 401);
/// assert_eq!(unknown_key.error_code(), Some("invalid_token"));
/// assert_eq!(unknown_key.to_string(), "the key was revoked: ask for a new one");
///
/// let may_not_write = Rejection::insufficient_scope(Scope::from("orders:write"));
/// assert_eq!(may_not_write.status(), 403);
///
/// let old_login = Rejection::insufficient_user_authentication(&[], Some(Duration::from_secs(300)));
/// assert_eq!(old_login.status(), 401);
///
/// let database_is_down = Rejection::unavailable(std::io::Error::other("the connection was lost"));
/// assert_eq!(database_is_down.status(), 503);
/// assert_eq!(database_is_down.source().unwrap().to_string(), "the connection was lost");
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

impl Details {
    /// Whether the challenge of the refusal differs from that of its kind.
    fn are_in_challenge(&self) -> bool {
        let Self { description, scope, acr_values, max_age, .. } = self;
        description.is_some() || scope.is_some() || acr_values.is_some() || max_age.is_some()
    }
}

impl Rejection {
    /// The default of `Retry-After`, in seconds.
    const RETRY_AFTER: u64 = 5;

    /// Creates the rejection of a token that a custom verifier (such as [`verify_fn`](crate::verify_fn)) or a
    /// check refuses: 401 `invalid_token` (RFC 6750 section 3.1).
    pub fn invalid_token() -> Self {
        RejectionKind::InvalidToken.into()
    }

    /// Creates the rejection of a valid token that lacks a scope: 403 `insufficient_scope`. The challenge names
    /// `scope`, which the request requires (RFC 6750 section 3.1), but neither `offline_access` nor a value with a
    /// character that a scope cannot contain.
    pub fn insufficient_scope(scope: Scope) -> Self {
        Self::from(RejectionKind::InsufficientScope).with_scope(scope)
    }

    /// Creates a rejection that asks for a new or stronger login of the user (step-up): 401
    /// `insufficient_user_authentication` (RFC 9470 section 3).
    ///
    /// `acr_values` names the accepted authentication context classes, in order of preference and without spaces;
    /// an empty list accepts any. `max_age` is the greatest accepted age of the login, of which a fraction of a
    /// second is dropped; `None` accepts any.
    pub fn insufficient_user_authentication(
        acr_values: &[&str],
        max_age: Option<Duration>,
    ) -> Self {
        Self::from(RejectionKind::InsufficientUserAuthentication).with(|details| {
            details.acr_values = (!acr_values.is_empty()).then(|| acr_values.join(" "));
            details.max_age = max_age.map(|age| age.as_secs());
        })
    }

    /// Creates the rejection of a token that cannot be verified at the moment, for example because a database
    /// is down: 503 with `Retry-After`, 5 seconds by default (RFC 9110 sections 15.6.4 and 10.2.3). For an
    /// invalid token, use [`invalid_token`](Self::invalid_token).
    ///
    /// The cause becomes the [`source()`](Error::source) of the rejection, for the operator's log. It is never
    /// sent to the client.
    pub fn unavailable<E>(source: E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::from(RejectionKind::Unavailable)
            .with(|details| details.cause = Some(Arc::from(source.into())))
    }

    /// Replaces the time after which the client may retry, `Retry-After`: whole seconds, at least 1; 5 by
    /// default. Only the response of a 503 contains it.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Duration) -> Self {
        self.with(|details| details.retry_after = Some(retry_after))
    }

    /// Replaces the description. Each [`RejectionKind`] has a default.
    ///
    /// The client sees the description, as `error_description` and as the gRPC message: leave out what clients
    /// must not learn. Any text is accepted. Control characters become spaces. In a challenge, other characters
    /// that are not allowed there become spaces too, and a quotation mark becomes `'` (RFC 6750 section 3). A
    /// header field contains at most the first 256 characters. A responder that writes HTML must escape the
    /// description.
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

    /// Adds a header field to the response, over HTTP and over gRPC; none by default.
    ///
    /// A second call with the same name adds a value. If the response already has a field with this name, the
    /// field of the response is kept and the added one is left out. `WWW-Authenticate` is the exception: the value
    /// is appended to the existing challenges, and a `Bearer` or `DPoP` challenge takes the place of that of the layer, with
    /// its `scope` and `resource_metadata`.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|details| {
            // If the map is full (32,768 fields), the field is left out.
            let _ = details.headers.get_or_insert_default().try_append(name, value);
        })
    }

    pub(crate) fn with_scope(self, scope: Scope) -> Self {
        self.with(|details| details.scope = Some(scope))
    }

    pub(crate) fn with_expected(self, expected: &Arc<str>) -> Self {
        self.with(|details| details.expected = Some(Arc::clone(expected)))
    }

    fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(self.details.get_or_insert_default()));
        self
    }

    /// The reason of the refusal, which determines the status and the error code.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Whether the token itself is invalid: whether the [error code](Self::error_code) is `invalid_token`.
    pub fn is_invalid_token(&self) -> bool {
        self.error_code() == Some("invalid_token")
    }

    /// The HTTP status: 400, 401, 403 or 503 (RFC 6750 section 3.1, RFC 9110 section 15).
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The OAuth error code (RFC 6750 section 3.1); `None` for a request without bearer credentials, for a
    /// cookie from a foreign origin and for a 503.
    pub fn error_code(&self) -> Option<&'static str> {
        self.kind.error_code()
    }

    /// The gRPC status code: 7 (permission denied), 14 (unavailable) or 16 (unauthenticated).
    ///
    /// # Example: a `Status` in a tonic service
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

    /// The reason in words, such as "the token has expired": the text of
    /// [`with_description`](Self::with_description), or the default of the [`kind`](Self::kind).
    pub fn description(&self) -> &str {
        self.details
            .as_ref()
            .and_then(|details| details.description.as_deref())
            .unwrap_or_else(|| self.kind.description())
    }

    /// The expectation that the token did not meet: the configured issuer, audience or limit, or the name of
    /// the claim that caused the refusal. `None` when there is nothing to name.
    ///
    /// The text is for the operator's log. It never contains a value of the token, and is never sent to the
    /// client.
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

    /// The scope that a client should request: the scope of [`insufficient_scope`](Self::insufficient_scope), the
    /// missing scopes of a [`Rule`](crate::Rule), or the required scope of an
    /// [`AuthorizeLayer`](crate::AuthorizeLayer) that got no token. `None` if the rejection names no scope.
    pub fn scope(&self) -> Option<&Scope> {
        self.details.as_ref()?.scope.as_ref()
    }

    /// The accepted authentication context classes, in order of preference, from
    /// [`insufficient_user_authentication`](Self::insufficient_user_authentication) or a [`Rule`](crate::Rule);
    /// empty if the rejection names none.
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        let values = self.details.as_ref().and_then(|details| details.acr_values.as_deref());
        values.into_iter().flat_map(str::split_ascii_whitespace)
    }

    /// The greatest accepted age of the login, from
    /// [`insufficient_user_authentication`](Self::insufficient_user_authentication) or a [`Rule`](crate::Rule);
    /// `None` if the rejection names none.
    pub fn max_age(&self) -> Option<Duration> {
        self.details.as_ref()?.max_age.map(Duration::from_secs)
    }

    /// The time after which the client may retry; `None` unless the status is 503.
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
    /// The cause given to [`unavailable`](Rejection::unavailable), or the
    /// [`KeySourceError`](crate::KeySourceError) when the keys are unavailable; otherwise `None`.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.details.as_ref()?.cause.as_deref().map(|cause| cause as _)
    }
}
