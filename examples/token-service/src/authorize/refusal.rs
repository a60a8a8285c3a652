//! Why an authorization request is refused, and the response to each.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;

use super::redirect_uri::{self, ReturnAddress};
use crate::Service;
use crate::client_documents::{self, Fault};
use crate::observe::facts;
use crate::pages;
use crate::store::StoreError;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no address that the response may go to: a page with this sentence.
    Page(&'static str),
    /// The client learns of it, with this description.
    Redirect(ReturnAddress, Code, &'static str),
    /// Too many documents of clients are asked for. Those of this address may be asked for again after this time.
    TooMany(Option<Duration>),
    /// The store failed.
    Store(StoreError),
}

/// The `error` of a response to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    // RFC 6749 section 4.1.2.1.
    InvalidRequest,
    UnauthorizedClient,
    AccessDenied,
    UnsupportedResponseType,
    InvalidScope,
    // RFC 8707 section 2.
    InvalidTarget,
    // OpenID Connect Core 1.0 section 3.1.2.6.
    LoginRequired,
    ConsentRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
}

impl Code {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Id(why) => Self::Page(why),
            Fault::Document | Fault::Unreachable => Self::Page(
                "The application is not registered here, and its client_id is not the address of a description of it that can \
                 be used.",
            ),
            Fault::TooMany(wait) => Self::TooMany(Some(wait)),
            Fault::Busy => Self::TooMany(None),
            Fault::Store(error) => Self::Store(client_documents::store_error(error)),
        }
    }
}

impl Refusal {
    /// The response.
    pub(crate) fn respond(self, service: &Service) -> Response {
        match self {
            Self::Page(why) => {
                tracing::debug!(error = why, "an authorization request is refused");
                pages::bad_request(service, StatusCode::BAD_REQUEST, why)
            }
            Self::Redirect(to, code, why) => {
                facts::refused(code.as_str());
                tracing::debug!(error = code.as_str(), why, "an authorization request is refused");
                let parameters = [("error", code.as_str()), ("error_description", why)];
                // Otherwise anyone could make an address of this service that leads elsewhere (RFC 9700 section 4.11.2). Who
                // has denied something has decided.
                if to.is_untrusted && code != Code::AccessDenied {
                    let destination = redirect_uri::describe(&to.redirect_uri);
                    return pages::leaving(service, why, &destination, &to.location(&parameters));
                }
                to.response(&parameters)
            }
            Self::TooMany(wait) => pages::busy(service, wait),
            Self::Store(error) => pages::unavailable(service, &error),
        }
    }
}
