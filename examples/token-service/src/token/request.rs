//! What `/token`, `/revoke` and `/introspect` have in common: a form from a client, and a response that is not stored.

use std::fmt;
use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::TokenError;
use crate::Service;
use crate::client::{self, Caller, Endpoint};
use crate::form::Form;

pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
pub(super) const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// A request whose client is known.
pub(crate) struct Request {
    pub(crate) form: Form,
    pub(crate) caller: Caller,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// Reads the form, and finds out who sent it.
pub(crate) async fn read(
    service: &Service,
    endpoint: Endpoint,
    address: SocketAddr,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Request, TokenError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => TokenError::TooLarge,
        _ => TokenError::InvalidRequest("the body cannot be read"),
    })?;
    let form = Form::read(headers, &body).map_err(TokenError::InvalidRequest)?;
    let caller = client::authenticate(service, headers, &form, endpoint, address.ip()).await?;
    Ok(Request { form, caller })
}

/// The response, which no cache stores.
pub(crate) fn respond<T: Serialize>(result: Result<T, TokenError>) -> Response {
    match result {
        Ok(body) => ([(CACHE_CONTROL, NO_STORE), (PRAGMA, NO_CACHE)], Json(body)).into_response(),
        Err(error) => {
            tracing::debug!(error = error.code(), "a request is refused");
            error.into_response()
        }
    }
}
