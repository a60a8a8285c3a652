//! What a response says about the credential of its request.

use std::fmt;

use http::header::WWW_AUTHENTICATE;
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

/// The status of a response.
pub(super) struct Answer {
    status: StatusCode,
    /// Of a gRPC response: its status, if it is in the headers.
    grpc: Option<Option<i32>>,
    has_challenge: bool,
}

impl Answer {
    pub(super) fn of<R>(response: &Response<R>) -> Self {
        let headers = response.headers();
        let grpc_status = headers.get("grpc-status").and_then(|value| value.to_str().ok());
        Self {
            status: response.status(),
            grpc: is_grpc(headers).then(|| grpc_status.and_then(|status| status.parse().ok())),
            has_challenge: headers.contains_key(WWW_AUTHENTICATE),
        }
    }

    /// Whether the request succeeded. A gRPC response without a status in its headers comes from
    /// the method that was called.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success() && matches!(self.grpc, None | Some(None | Some(OK)))
    }

    /// What is wrong with this response to an attack.
    pub(super) fn fault(&self, is_long: bool) -> Option<ProtectionFault> {
        match (self.grpc, self.status) {
            (Some(Some(UNAUTHENTICATED | INVALID_ARGUMENT)), StatusCode::OK) => None,
            (Some(Some(RESOURCE_EXHAUSTED)), StatusCode::OK) if is_long => None,
            (Some(Some(UNKNOWN | INTERNAL | UNAVAILABLE)), _) => Some(ProtectionFault::ServerError),
            (_, status) if status.is_server_error() => Some(ProtectionFault::ServerError),
            (None, StatusCode::BAD_REQUEST) => None,
            (None, StatusCode::PAYLOAD_TOO_LARGE) if is_long => None,
            (None, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) if is_long => None,
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
