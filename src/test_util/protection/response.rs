//! What a response says about the credential of its request.

use std::fmt;

use http::header::WWW_AUTHENTICATE;
use http::response::Parts;
use http::{Response, StatusCode};

use crate::test_util::protection::credential::is_grpc;
use crate::test_util::protection::report::ProtectionFault;

/// The statuses of gRPC that matter here.
const OK: i32 = 0;
const UNKNOWN: i32 = 2;
const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

// Refusals of the request as such, whatever its credential.
const TIMEOUT: StatusCode = StatusCode::REQUEST_TIMEOUT;
const TOO_LARGE: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;
const URI_TOO_LONG: StatusCode = StatusCode::URI_TOO_LONG;
const TYPE: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;
const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;
const HEADERS_TOO_LARGE: StatusCode = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;

/// What a set-up answers to a bad credential in its own way.
pub(super) type RefusedBy = Box<dyn Fn(&Parts) -> bool + Send + Sync>;

/// What makes a response to an attack a refusal.
pub(super) struct Expected {
    /// The request may be too long.
    pub(super) is_long: bool,
    /// 403 is a check of the origin.
    pub(super) is_cookie: bool,
}

/// The status of a response.
pub(super) struct Answer {
    status: StatusCode,
    /// Of a gRPC response: its status, if it is in the headers.
    grpc: Option<Option<i32>>,
    has_challenge: bool,
    /// By the rule of the set-up.
    is_refused: bool,
}

impl Answer {
    pub(super) fn of<R>(response: Response<R>, refused_by: Option<&RefusedBy>) -> Self {
        let (head, _) = response.into_parts();
        let headers = &head.headers;
        let grpc_status = headers.get("grpc-status").and_then(|value| value.to_str().ok());
        Self {
            status: head.status,
            grpc: is_grpc(headers).then(|| grpc_status.and_then(|status| status.parse().ok())),
            has_challenge: headers.contains_key(WWW_AUTHENTICATE),
            is_refused: refused_by.is_some_and(|is_refusal| is_refusal(&head)),
        }
    }

    /// Whether the request succeeded. A gRPC response without a status in its headers comes from
    /// the method that was called.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success() && matches!(self.grpc, None | Some(None | Some(OK)))
    }

    /// Whether the request succeeded, and not as one without a token does.
    pub(super) fn is_success_with_token(&self) -> bool {
        self.is_success() && !self.is_refused
    }

    /// What is wrong with this response to an attack.
    pub(super) fn fault(&self, expected: &Expected) -> Option<ProtectionFault> {
        let Expected { is_long, is_cookie } = *expected;
        match (self.grpc, self.status) {
            (Some(Some(UNAUTHENTICATED | INVALID_ARGUMENT)), StatusCode::OK) => None,
            (Some(Some(UNKNOWN | INTERNAL | UNAVAILABLE)), _) => Some(ProtectionFault::ServerError),
            (_, status) if status.is_server_error() => Some(ProtectionFault::ServerError),
            _ if self.is_refused => None,
            (Some(Some(RESOURCE_EXHAUSTED)), StatusCode::OK) if is_long => None,
            (Some(Some(RESOURCE_EXHAUSTED)), StatusCode::OK) => Some(ProtectionFault::Inconclusive),
            (_, TOO_LARGE | URI_TOO_LONG | HEADERS_TOO_LARGE) if is_long => None,
            (_, TOO_MANY | TIMEOUT | TYPE | TOO_LARGE | URI_TOO_LONG | HEADERS_TOO_LARGE) => {
                Some(ProtectionFault::Inconclusive)
            }
            (None, StatusCode::BAD_REQUEST) => None,
            (None, StatusCode::FORBIDDEN) if is_cookie => None,
            (None, StatusCode::UNAUTHORIZED) if self.has_challenge => None,
            (None, StatusCode::UNAUTHORIZED) => Some(ProtectionFault::MissingChallenge),
            _ => Some(ProtectionFault::LetThrough),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.grpc {
            None => write!(f, "{}", self.status),
            Some(None) => write!(f, "gRPC without a status in the headers, {}", self.status),
            Some(Some(status)) if self.status == StatusCode::OK => {
                write!(f, "gRPC status {status}")
            }
            Some(Some(status)) => write!(f, "gRPC status {status}, {}", self.status),
        }
    }
}
