//! Fetching a document: the trait, and the checks of every response.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use crate::config_error::ConfigError;
use crate::key::{JwkSet, KeyUse};
use crate::key_source::error::KeySourceError;
use crate::key_source::remote::document::{Document, content_coding, page_type};
use crate::key_source::remote::fetch_url::FetchUrl;
use crate::key_source::remote::retry_after::retry_after;
use crate::key_source::remote::schedule::after;

/// The time limit for a set together with the metadata that lead to it.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How much earlier a request gives up, so that the error contains its URL.
const MARGIN: Duration = Duration::from_millis(100);
/// The maximum length of a document, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// The future that [`Fetch::fetch`] returns.
pub type FetchFuture =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, KeySourceError>> + Send>>;

/// Fetches a document over HTTP: with any HTTP client, through a service mesh, or in a test.
///
/// The feature `reqwest-0_13` contains an implementation, which `JwksUrl::new` and
/// `JwtVerifier::discover` use.
///
/// An implementation sends the method, the URL, the headers and the body of the [`FetchRequest`]
/// unchanged. It may add headers. It must not follow a redirect or send a cookie, and it must respect
/// [`refuses_private_addresses`](FetchRequest::refuses_private_addresses). It stops reading a body
/// that is longer than [`max_body`](FetchRequest::max_body), and returns what it has read or an
/// error. The crate drops the future after at most 5 seconds, and checks the response.
///
/// Keys and metadata are fetched with `GET`, without a body. `Introspection` (feature `introspection`)
/// sends a `POST` with a token, and often with credentials: an implementation must not log its headers and its
/// body. An implementation that cannot send a part of a request returns an error, so that the request
/// is never sent without that part: an implementation that only sends `GET` refuses every other
/// [`method`](FetchRequest::method).
///
/// | response | result |
/// |---|---|
/// | 200 | the document, with any `Content-Type` except HTML |
/// | any other status | a failed fetch; `Retry-After` of 429 and 503 is read, in seconds or as a date |
/// | `Content-Encoding` other than `identity` | a failed fetch: a client that decodes the body must remove the header |
/// | a body that is longer than `max_body` | a failed fetch |
/// | `Cache-Control`, `Age` | how long the document is fresh (RFC 9111) |
///
/// # Example: a set in memory
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use tower_jwt_auth::{Fetch, FetchFuture, FetchRequest, JwksUrl};
///
/// #[derive(Debug)]
/// struct Fixed(&'static str);
///
/// impl Fetch for Fixed {
///     fn fetch(&self, _: FetchRequest) -> FetchFuture {
///         let response = Response::new(Bytes::from_static(self.0.as_bytes()));
///         Box::pin(async move { Ok(response) })
///     }
/// }
/// let keys = JwksUrl::new_with("https://issuer.example/jwks", Fixed(r#"{"keys": []}"#))?;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// Fetches one document.
    ///
    /// # Errors
    ///
    /// When there is no response. A response with any status is `Ok`. A time that the error sets with
    /// [`with_retry_after`](KeySourceError::with_retry_after) counts like the header `Retry-After`.
    fn fetch(&self, request: FetchRequest) -> FetchFuture;
}

impl<F: Fetch + ?Sized> Fetch for Arc<F> {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        (**self).fetch(request)
    }
}

/// The request that a [`Fetch`] sends. The crate has checked the [URL](Self::url): its scheme, and that it has no user
/// name and no password. The implementation checks the IP address, if
/// [`refuses_private_addresses`](Self::refuses_private_addresses) is `true`.
#[derive(Clone)]
pub struct FetchRequest {
    url: FetchUrl,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    max_body: usize,
    refuses_private_addresses: bool,
}

impl FetchRequest {
    /// A `GET` of a JSON document.
    pub(super) fn get(url: &FetchUrl, refuses_private_addresses: bool) -> Self {
        let mut headers = HeaderMap::with_capacity(2);
        // JSON is preferred, anything else is accepted (RFC 9110 section 12.5.1).
        let accepted = "application/json, application/jwk-set+json, */*;q=0.1";
        headers.insert(ACCEPT, HeaderValue::from_static(accepted));
        // Without this header a server may choose any coding (RFC 9110 section 12.5.3).
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (url, method, body) = (url.clone(), Method::GET, Bytes::new());
        Self { url, method, headers, body, max_body: MAX_BODY, refuses_private_addresses }
    }

    /// A `POST` of a form.
    #[cfg(feature = "introspection")]
    pub(super) fn post(
        url: &FetchUrl,
        mut headers: HeaderMap,
        form: String,
        max_body: usize,
        refuses_private_addresses: bool,
    ) -> Self {
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(http::header::CONTENT_TYPE, form_type);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (url, method, body) = (url.clone(), Method::POST, Bytes::from(form));
        Self { url, method, headers, body, max_body, refuses_private_addresses }
    }

    /// The method of the request: `GET`, or `POST` for an introspection.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The header fields: `Accept` and `Accept-Encoding: identity`; with a body also `Content-Type`.
    /// Credentials (`Authorization`) are marked as sensitive.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body of the request; empty for `GET`. The form of an introspection contains a token, and can contain a
    /// secret.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The URL to fetch: https, or http to `localhost`, a loopback address or a host that the application
    /// listed.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The maximum length of the response body, in bytes: 256 KiB, or 64 KiB for an introspection. A
    /// longer response is a failed fetch.
    pub fn max_body(&self) -> usize {
        self.max_body
    }

    /// Whether connections to addresses outside the public internet are forbidden, under any host name;
    /// `false` by default. See
    /// [`JwksUrl::refuse_private_addresses`](crate::JwksUrl::refuse_private_addresses).
    pub fn refuses_private_addresses(&self) -> bool {
        self.refuses_private_addresses
    }

    #[cfg(feature = "reqwest-0_13")]
    pub(super) fn checked_url(&self) -> &FetchUrl {
        &self.url
    }
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The time limit for the documents of one load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The deadline of a load that begins now.
    pub(super) fn of_load() -> Self {
        Self(after(Instant::now(), FETCH_TIMEOUT.saturating_sub(MARGIN)))
    }
}

/// Fetches and checks the documents of one source.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    fetch: Arc<dyn Fetch>,
    refuses_private_addresses: bool,
    key_use: Option<KeyUse>,
}

/// A document that is a JWK set with at least one usable key.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) set: JwkSet,
    pub(super) document: Document,
}

/// Why there is no document.
#[derive(Debug)]
pub(super) struct Fault {
    #[cfg_attr(not(feature = "oidc-discovery"), allow(dead_code))]
    pub(super) kind: FaultKind,
    pub(super) error: KeySourceError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// There was no response, or one that reports a problem of the server itself.
    Unreachable,
    /// The server responded that the document is not here: it may be elsewhere.
    Absent,
    /// The document is not the requested one: that one may be elsewhere.
    Unfit,
    /// The document must not be used.
    Wrong,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, message: String) -> Self {
        Self { kind, error: KeySourceError::new(message) }
    }

    #[cfg(feature = "oidc-discovery")]
    pub(super) fn may_be_elsewhere(&self) -> bool {
        matches!(self.kind, FaultKind::Absent | FaultKind::Unfit)
    }

    pub(super) fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: self.error.with_source(source), ..self }
    }
}

impl Fetcher {
    pub(super) fn new(fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), refuses_private_addresses: false, key_use: None }
    }

    pub(super) fn with(self, fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), ..self }
    }

    /// Replaces the `use` of the keys that are taken from a set; by default `sig` or absent.
    pub(super) fn with_key_use(self, key_use: KeyUse) -> Self {
        Self { key_use: Some(key_use), ..self }
    }

    pub(super) fn refusing_private_addresses(self) -> Self {
        Self { refuses_private_addresses: true, ..self }
    }

    #[cfg(feature = "oidc-discovery")]
    pub(super) fn refuses_private_addresses(&self) -> bool {
        self.refuses_private_addresses
    }

    /// Fetches and reads a JWK set.
    pub(super) async fn get_set(&self, url: &FetchUrl, by: Deadline) -> Result<Loaded, Fault> {
        let document = self.get(url, by).await?;
        let set = match document.text() {
            Ok(text) => self.read_set(text.as_bytes()).map_err(Into::into),
            Err(reason) => Err(KeySourceError::new(reason).into()),
        };
        let set = set.map_err(|reason: Box<dyn Error + Send + Sync>| {
            let (at, media_type) = (url.name(), document.described_type());
            let message = format!("the JWK set at {at} cannot be used ({media_type})");
            Fault::new(FaultKind::Unfit, message).with_source(reason)
        })?;
        Ok(Loaded { set, document })
    }

    /// Reads a JWK set of which this source takes the keys.
    pub(super) fn read_set(&self, json: &[u8]) -> Result<JwkSet, ConfigError> {
        JwkSet::from_fetched(json, self.key_use.as_ref())
    }

    pub(super) async fn get(&self, url: &FetchUrl, by: Deadline) -> Result<Document, Fault> {
        use FaultKind::{Absent, Unreachable, Wrong};

        let at = url.name();
        if self.refuses_private_addresses && url.names_private_address() {
            return Err(Fault::new(Wrong, format!("{at} is at a private address")));
        }
        let request = FetchRequest::get(url, self.refuses_private_addresses);
        let answer = timeout_at(by.0, self.fetch.fetch(request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(KeySourceError::new("no complete response in time")));
        let response = answer.map_err(|error| {
            let error = KeySourceError::new(format!("{at} cannot be fetched")).caused_by(error);
            Fault { kind: Unreachable, error }
        })?;

        let (status, headers) = (response.status(), response.headers());
        if status.is_redirection() {
            let to = redirect_target(headers);
            let message = format!("{at} redirects{to} ({status}), which is not followed");
            return Err(Fault::new(Absent, message));
        }
        if status != StatusCode::OK {
            let kind = match status {
                // A temporary error says nothing about other places.
                StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS => Unreachable,
                _ if status.is_client_error() => Absent,
                // 203 is not accepted either: its document is not the issuer's own (RFC 9110
                // section 15.3.4).
                _ => Unreachable,
            };
            let fault = Fault::new(kind, format!("{at} responds with {status}"));
            let tells_when =
                matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            return Err(match retry_after(headers).filter(|_| tells_when) {
                Some(wait) => Fault { error: fault.error.with_retry_after(wait), ..fault },
                None => fault,
            });
        }
        if let Some(page) = page_type(headers) {
            let message = format!("the response of {at} is a web page ({page}), not JSON");
            return Err(Fault::new(Absent, message));
        }
        if let Some(coding) = content_coding(headers) {
            let message = format!(
                "the response of {at} has a Content-Encoding ({coding}), although the request has \
                 `Accept-Encoding: identity`"
            );
            return Err(Fault::new(Unreachable, message));
        }
        if response.body().len() > MAX_BODY {
            return Err(Fault::new(Wrong, format!("the response of {at} is longer than 256 KiB")));
        }
        let (head, body) = response.into_parts();
        Ok(Document::new(&head.headers, body))
    }
}

/// The target of a redirect, without its query, if it may appear in a log.
fn redirect_target(headers: &HeaderMap) -> String {
    let target = headers.get(LOCATION).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let is_printable = (1..=256).contains(&target.len())
        && target.bytes().all(|byte| byte.is_ascii_graphic())
        && !target.contains('@');
    if is_printable { format!(" to {target}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_source::remote::fetch_url::HttpHosts;

    /// Responds with this status and `Retry-After`, or fails with such a time.
    #[derive(Debug)]
    struct Busy(Option<u16>);

    impl Fetch for Busy {
        fn fetch(&self, _: FetchRequest) -> FetchFuture {
            let answer = match self.0 {
                Some(status) => {
                    Response::builder().status(status).header("retry-after", "7").body(Bytes::new())
                }
                None => {
                    let closed = KeySourceError::new("closed");
                    let closed = closed.with_retry_after(Duration::from_secs(7));
                    return Box::pin(async move { Err(closed) });
                }
            };
            Box::pin(async move { Ok(answer.unwrap()) })
        }
    }

    #[tokio::test]
    async fn retry_after_of_a_busy_server_is_carried_by_the_error() {
        for (status, carries) in [
            (Some(429), true),
            (Some(503), true),
            (None, true),
            (Some(500), false),
            (Some(404), false),
            (Some(200), false),
        ] {
            let url = FetchUrl::parse("https://issuer.test/jwks", &HttpHosts::default()).unwrap();
            let fault = Fetcher::new(Busy(status));
            let fault = fault.get_set(&url, Deadline::of_load()).await.unwrap_err();
            let wait = fault.error.retry_after_that_was_set();
            assert_eq!(wait, carries.then_some(Duration::from_secs(7)), "{status:?}");
        }
    }

    #[test]
    fn redirect_target_is_printed_without_its_query() {
        let target = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, location.parse().unwrap());
            redirect_target(&headers)
        };
        assert_eq!(target("https://a.test/login?state=secret"), " to https://a.test/login");
        assert_eq!(target("/jwks/#fragment"), " to /jwks/");
        for odd in ["", "?a", "https://user:password@a.test/", "/a b", &"/".repeat(257)] {
            assert_eq!(target(odd), "", "{odd}");
        }
        assert_eq!(redirect_target(&HeaderMap::new()), "");
    }
}
