//! The reasons to refuse a token request, and one table with the response to each.

use std::time::Duration;

use super::*;
use crate::service::REALM;

/// Why a token request is refused.
#[derive(Clone, Copy, Debug)]
pub enum TokenError {
    /// The request is malformed, for this reason.
    InvalidRequest(&'static str),
    /// The body is too large.
    TooLarge,
    /// The client credentials are unknown.
    InvalidClient,
    /// The name or the password is wrong. The field tells whether the challenge is for Basic.
    InvalidGrant { basic: bool },
    /// Another grant than `password`.
    UnsupportedGrantType,
    /// A scope that the user may not have.
    InvalidScope,
    /// A resource that this service issues no tokens for (RFC 8707).
    InvalidTarget,
    /// Too many wrong guesses. The next one is possible after this time.
    TooManyGuesses(Duration),
    /// Too many logins at once.
    Unavailable,
}

impl TokenError {
    /// The status, `error` and `error_description` (RFC 6749 section 5.2).
    const fn table(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is too large")
            }
            Self::InvalidClient => {
                (StatusCode::UNAUTHORIZED, "invalid_client", "there is no such client")
            }
            Self::InvalidGrant { .. } => {
                (StatusCode::UNAUTHORIZED, "invalid_grant", "the username or the password is wrong")
            }
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "the only grant_type here is password",
            ),
            Self::InvalidScope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                "the user may not have every scope that is asked for",
            ),
            Self::InvalidTarget => (
                StatusCode::BAD_REQUEST,
                "invalid_target",
                "the only resource here is the issuer's URL",
            ),
            Self::TooManyGuesses(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "too many wrong passwords: try again later",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "too many logins at once: try again later",
            ),
        }
    }

    /// The `error`.
    pub fn code(self) -> &'static str {
        self.table().1
    }

    /// The scheme of the challenge, on a 401.
    fn challenge(self) -> Option<String> {
        match self {
            Self::InvalidClient | Self::InvalidGrant { basic: true } => {
                Some(format!("Basic realm=\"{REALM}\", charset=\"UTF-8\""))
            }
            Self::InvalidGrant { basic: false } => Some(format!("Bearer realm=\"{REALM}\"")),
            _ => None,
        }
    }

    /// In whole seconds, rounded up.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooManyGuesses(wait) => Some(wait.as_millis().div_ceil(1000).max(1) as u64),
            Self::Unavailable => Some(5),
            _ => None,
        }
    }
}

/// The body of a refusal (RFC 6749 section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenErrorBody {
    #[schema(example = "invalid_grant")]
    error: &'static str,
    #[schema(example = "the username or the password is wrong")]
    error_description: &'static str,
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let (status, error, error_description) = self.table();
        let mut response =
            (status, Json(TokenErrorBody { error, error_description })).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(PRAGMA, NO_CACHE);
        if let Some(Ok(challenge)) = self.challenge().map(HeaderValue::try_from) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
