//! The reasons to refuse a token request, and one table with the response to each.

use std::time::Duration;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::request::{NO_CACHE, NO_STORE};
use crate::failure_log::store_failed;
use crate::observe::facts;
use crate::service::REALM;
use crate::store::StoreError;

/// Why a request to `/token`, `/revoke` or `/introspect` is refused.
#[derive(Clone, Copy, Debug)]
pub enum TokenError {
    /// The request is malformed, for this reason.
    InvalidRequest(&'static str),
    /// The body is too large.
    TooLarge,
    /// The client is unknown, or its credentials are wrong. Which of the two is not revealed.
    InvalidClient,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The name or the password is wrong, in a request without a registered client. The field tells whether the challenge is
    /// for Basic.
    WrongPassword { basic: bool },
    /// The code or the refresh token is refused, for this reason.
    InvalidGrant(&'static str),
    /// There is no such grant.
    UnsupportedGrantType,
    /// A scope that the user or the client may not have, or that was not granted.
    InvalidScope,
    /// A resource that this service issues no tokens for, or that was not granted (RFC 8707).
    InvalidTarget,
    /// Too many wrong guesses. The next one is possible after this time.
    TooManyGuesses(Duration),
    /// Too many requests of one client. The next one is possible after this time.
    TooManyRequests(Duration),
    /// Too many logins at once, or the store failed.
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
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client is unknown or not authenticated",
            ),
            Self::UnauthorizedClient => (
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                "the client may not use this grant",
            ),
            Self::WrongPassword { .. } => {
                (StatusCode::UNAUTHORIZED, "invalid_grant", "the username or the password is wrong")
            }
            Self::InvalidGrant(why) => (StatusCode::BAD_REQUEST, "invalid_grant", why),
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "the grant_type is none of those in the metadata",
            ),
            Self::InvalidScope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                "not every scope that is asked for can be granted",
            ),
            Self::InvalidTarget => (
                StatusCode::BAD_REQUEST,
                "invalid_target",
                "not every resource that is asked for can be granted",
            ),
            Self::TooManyGuesses(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "too many wrong passwords or secrets: try again later",
            ),
            Self::TooManyRequests(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "too many requests: try again later",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the service is busy: try again later",
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
            Self::InvalidClient | Self::WrongPassword { basic: true } => {
                Some(format!("Basic realm=\"{REALM}\", charset=\"UTF-8\""))
            }
            Self::WrongPassword { basic: false } => Some(format!("Bearer realm=\"{REALM}\"")),
            _ => None,
        }
    }

    /// In whole seconds, rounded up.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooManyGuesses(wait) | Self::TooManyRequests(wait) => {
                Some(wait.as_millis().div_ceil(1000).max(1) as u64)
            }
            Self::Unavailable => Some(5),
            _ => None,
        }
    }
}

/// The refusal for a failure of the store, which is logged.
pub(crate) fn unavailable(error: &StoreError) -> TokenError {
    store_failed(error);
    TokenError::Unavailable
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
        facts::refused(error);
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
