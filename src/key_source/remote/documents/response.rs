//! The request, and the checks of the response.

use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use reqwest::Client;

use crate::clock::{Clock, SystemClock};
use crate::key_source::remote::cache_headers;
use crate::key_source::remote::document::{Document, content_coding, media_type};
use crate::key_source::remote::documents::error::{self, DocumentError, DocumentErrorKind};
use crate::key_source::remote::documents::hosts::Access;
use crate::key_source::remote::documents::resolver::{NoAddress, TooManyLookups};
use crate::key_source::remote::fetch_url::FetchUrl;

/// How long a document is fresh if its response says nothing.
const DEFAULT_FRESH: Duration = Duration::from_secs(10 * 60);

/// The limits on a response.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_length: usize,
    /// The bounds of its freshness.
    pub(super) fresh: (Duration, Duration),
}

/// A document that a [`DocumentClient`](crate::DocumentClient) has fetched. It is JSON by its media type; its text has not
/// been parsed.
#[derive(Clone)]
pub struct FetchedDocument {
    text: String,
    fresh_for: Duration,
}

impl FetchedDocument {
    /// The text: UTF-8, not nested deeper than 64 levels, without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How long the document may be used without another fetch, by `Cache-Control`, `Expires` and `Age` (RFC 9111), within the
    /// bounds of [`with_freshness`](crate::DocumentClient::with_freshness).
    pub fn fresh_for(&self) -> Duration {
        self.fresh_for
    }
}

impl fmt::Debug for FetchedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedDocument")
            .field("length", &self.text.len())
            .field("fresh_for", &self.fresh_for)
            .finish_non_exhaustive()
    }
}

pub(super) async fn fetch(
    client: &Client,
    url: &FetchUrl,
    access: Access,
    is_public: fn(IpAddr) -> bool,
    limits: Limits,
) -> Result<FetchedDocument, DocumentError> {
    use DocumentErrorKind::{Forbidden, Unreachable, Unusable};

    let at = url.name();
    let fault = |kind, why: String| DocumentError::new(kind, format!("{at} {why}"));
    let request = client
        .get(url.url().clone())
        .header(ACCEPT, "application/json, application/*+json;q=0.9")
        .header(ACCEPT_ENCODING, "identity");
    let mut response = request.send().await.map_err(|error| failed(at, error))?;
    if access == Access::Global && response.remote_addr().is_none_or(|to| !is_public(to.ip())) {
        return Err(fault(Forbidden, "was answered from another address".to_owned()));
    }

    let (status, headers) = (response.status(), response.headers());
    if status != StatusCode::OK {
        let is_temporary = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        let kind = if is_temporary { Unreachable } else { Unusable };
        return Err(fault(kind, format!("responds with {status}")));
    }
    check_type(headers).map_err(|why| fault(Unusable, why))?;
    let too_long = || fault(Unusable, format!("is longer than {} bytes", limits.max_length));
    if declared_length(headers).is_some_and(|length| length > limits.max_length) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    let headers = headers.clone();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(at, error))? {
        if body.len().saturating_add(chunk.len()) > limits.max_length {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    read(&headers, body.freeze(), limits).map_err(|why| fault(Unusable, why.to_owned()))
}

fn read(headers: &HeaderMap, body: Bytes, limits: Limits) -> Result<FetchedDocument, &'static str> {
    let document = Document::new(headers, body);
    let text = document.text()?.to_owned();
    let now = SystemClock.now().to_system_time().unwrap_or(SystemTime::UNIX_EPOCH);
    let fresh = cache_headers::freshness(headers, now).unwrap_or(DEFAULT_FRESH);
    let (min, max) = limits.fresh;
    Ok(FetchedDocument { text, fresh_for: fresh.clamp(min, max) })
}

/// JSON, as it was sent.
fn check_type(headers: &HeaderMap) -> Result<(), String> {
    let media_type = media_type(headers).ok_or("has no valid Content-Type")?;
    let sub = media_type.strip_prefix("application/").unwrap_or_default();
    if sub != "json" && !sub.ends_with("+json") {
        return Err(format!("is not JSON by its Content-Type ({media_type})"));
    }
    match content_coding(headers) {
        Some(coding) => Err(format!("has a Content-Encoding ({coding})")),
        None => Ok(()),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The error without the URL, whose query may be a secret.
fn failed(at: &str, error: reqwest::Error) -> DocumentError {
    let error = error.without_url();
    let mut causes = successors(error.source(), |&cause| cause.source());
    if causes.any(|cause| cause.is::<TooManyLookups>()) {
        return error::busy();
    }
    let mut causes = successors(error.source(), |&cause| cause.source());
    let kind = match causes.any(|cause| cause.is::<NoAddress>()) {
        true => DocumentErrorKind::Forbidden,
        false => DocumentErrorKind::Unreachable,
    };
    DocumentError::new(kind, format!("{at} cannot be fetched")).with_source(error)
}
