//! Posting a form, and the checks of the response.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::json_member;
use crate::key_source::error::KeySourceError;
use crate::key_source::remote::document::{Document, content_coding, page_type};
use crate::key_source::remote::fetch::{Fetch, FetchRequest};
use crate::key_source::remote::fetch_url::FetchUrl;
use crate::key_source::remote::retry_after::retry_after;
use crate::strict_json;

/// The maximum length of a response, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Posts forms to one URL.
#[derive(Clone, Debug)]
pub(crate) struct Poster {
    fetch: Arc<dyn Fetch>,
    url: FetchUrl,
    refuses_private_addresses: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum PostFault {
    /// The server refuses the credentials of the request (401, or 400 `invalid_client`).
    Credentials(KeySourceError),
    /// The server asks to be left alone for this time (429 and 503).
    Busy(Duration, KeySourceError),
    /// The server cannot handle a token of this kind (400 `unsupported_token_type`, RFC 7009 section 2.2.1).
    UnsupportedToken,
    /// Anything else.
    Other(KeySourceError),
}

impl Poster {
    pub(crate) fn new(url: FetchUrl, fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), url, refuses_private_addresses: false }
    }

    pub(crate) fn with(self, fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), ..self }
    }

    pub(crate) fn refusing_private_addresses(self) -> Self {
        Self { refuses_private_addresses: true, ..self }
    }

    pub(crate) fn url(&self) -> &FetchUrl {
        &self.url
    }

    /// Posts a form, and returns the text of the response if its status is 200.
    pub(crate) async fn post(&self, headers: HeaderMap, form: String) -> Result<String, PostFault> {
        let at = self.url.name();
        let refuses_private_addresses = self.refuses_private_addresses;
        let request =
            FetchRequest::post(&self.url, headers, form, MAX_BODY, refuses_private_addresses);
        let response = self.fetch.fetch(request).await.map_err(|error| {
            let wait = error.retry_after_that_was_set();
            let error = KeySourceError::new(format!("{at} cannot be reached")).caused_by(error);
            busy_or_other(wait, error)
        })?;

        let (status, headers) = (response.status(), response.headers());
        let fault = |message: String| PostFault::Other(KeySourceError::new(message));
        if status != StatusCode::OK {
            let error = KeySourceError::new(format!("{at} responds with {status}"));
            return Err(match status {
                StatusCode::UNAUTHORIZED => PostFault::Credentials(error),
                StatusCode::BAD_REQUEST => match error_code(response.body()).as_deref() {
                    Some("unsupported_token_type") => PostFault::UnsupportedToken,
                    Some("invalid_client") => PostFault::Credentials(error),
                    _ => PostFault::Other(error),
                },
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    busy_or_other(retry_after(headers), error)
                }
                _ => PostFault::Other(error),
            });
        }
        if let Some(page) = page_type(headers) {
            return Err(fault(format!("the response of {at} is a web page ({page})")));
        }
        if let Some(coding) = content_coding(headers) {
            return Err(fault(format!("the response of {at} has a Content-Encoding ({coding})")));
        }
        if response.body().len() > MAX_BODY {
            return Err(fault(format!("the response of {at} is longer than 64 KiB")));
        }
        let (head, body) = response.into_parts();
        let document = Document::new(&head.headers, body);
        document.text().map(str::to_owned).map_err(|reason| {
            let media_type = document.described_type();
            let error = format!("the response of {at} cannot be used ({media_type})");
            PostFault::Other(KeySourceError::new(error).with_source(reason))
        })
    }
}

/// The `error` of an error response (RFC 6749 section 5.2).
fn error_code(body: &[u8]) -> Option<Cow<'_, str>> {
    let error = strict_json::text(body).and_then(|json| json_member::member(json, "error").ok()?);
    error.and_then(json_member::text)
}

fn busy_or_other(wait: Option<Duration>, error: KeySourceError) -> PostFault {
    match wait {
        Some(wait) => PostFault::Busy(wait, error.with_retry_after(wait)),
        None => PostFault::Other(error),
    }
}
