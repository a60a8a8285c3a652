//! Fetching a document: the trait, and what every answer is held to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};

use super::cache_headers::Lifetime;
use super::fetch_url::FetchUrl;
use super::http_fetch::HttpFetch;
use crate::{JwkSet, KeySourceError};

/// How long a set, and the metadata that leads to it, may take together.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest body of a document.
const MAX_BODY: usize = 256 * 1024;

/// The answer of a [`Fetch`], later.
pub type FetchFuture =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, KeySourceError>> + Send>>;

/// Gets a document by HTTP, for those who do not want the client that comes with the crate: with a
/// client of another kind, through a service mesh, from a test.
///
/// The crate judges the answer (status, type, length, contents) and sets the time that it may take,
/// after which the future is dropped. An implementation sends `GET` to the URL as it is, with what
/// [`FetchRequest`] names; it follows no redirect, sends no cookie, and stops reading a body that is
/// longer than [`max_body`](FetchRequest::max_body).
///
/// # Example: a set that is in memory
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
/// let keys = JwksUrl::new("https://issuer.example/jwks")?.with_fetcher(Fixed(r#"{"keys": []}"#));
/// # let _ = keys;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// Fetches one document. An error means that there was no answer; an answer of any status is
    /// `Ok`.
    fn fetch(&self, request: FetchRequest) -> FetchFuture;
}

impl<F: Fetch + ?Sized> Fetch for Arc<F> {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        (**self).fetch(request)
    }
}

/// What is to be fetched: a URL that was checked.
#[derive(Clone)]
pub struct FetchRequest {
    url: FetchUrl,
    refuses_private_addresses: bool,
}

impl FetchRequest {
    /// The URL: https, or http to this machine.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// For the header `Accept`.
    pub fn accept(&self) -> &'static str {
        "application/json, application/jwk-set+json"
    }

    /// How many octets of the body are read at most; a longer one is refused.
    pub fn max_body(&self) -> usize {
        MAX_BODY
    }

    /// Whether addresses of private networks must not be connected to, whatever name leads there.
    pub fn refuses_private_addresses(&self) -> bool {
        self.refuses_private_addresses
    }

    pub(super) fn checked_url(&self) -> &FetchUrl {
        &self.url
    }
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How documents are fetched, for one source.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    fetch: Arc<dyn Fetch>,
    /// The application's own; else the client that comes with the crate.
    is_own: bool,
    refuses_private_addresses: bool,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            fetch: Arc::new(HttpFetch::default()),
            is_own: false,
            refuses_private_addresses: false,
        }
    }
}

/// A document that passed all checks but those of its contents.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) lifetime: Lifetime,
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
    /// There was no answer, or one that tells of the server's own trouble.
    Unreachable,
    /// The server answered that there is no such document here: it may lie elsewhere.
    Absent,
    /// There is one, which must not be used.
    Wrong,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, message: String) -> Self {
        Self { kind, error: KeySourceError::new(message) }
    }
}

impl Fetcher {
    pub(super) fn with(self, fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), is_own: true, ..self }
    }

    /// With a client that nobody else has: one that was made already follows other rules.
    pub(super) fn refusing_private_addresses(self) -> Self {
        let fetch = match self.is_own {
            true => self.fetch,
            false => Self::default().fetch,
        };
        Self { fetch, refuses_private_addresses: true, ..self }
    }

    /// Fetches and reads a JWK set.
    pub(super) async fn get_set(&self, url: &FetchUrl) -> Result<Loaded, Fault> {
        let document = self.get(url).await?;
        match JwkSet::from_fetched(&document.body) {
            Ok(set) => Ok(Loaded { set, document }),
            Err(error) => {
                let unusable = KeySourceError::new("the JWK set cannot be used");
                Err(Fault { kind: FaultKind::Wrong, error: unusable.with_source(error) })
            }
        }
    }

    pub(super) async fn get(&self, url: &FetchUrl) -> Result<Document, Fault> {
        use FaultKind::{Absent, Unreachable, Wrong};

        let at = url.name();
        if self.refuses_private_addresses && url.names_private_address() {
            return Err(Fault::new(Wrong, format!("{at} leads to a private address")));
        }
        let refuses_private_addresses = self.refuses_private_addresses;
        let request = FetchRequest { url: url.clone(), refuses_private_addresses };
        let response = self.fetch.fetch(request).await.map_err(|error| {
            let error = KeySourceError::new(format!("no answer from {at}")).caused_by(error);
            Fault { kind: Unreachable, error }
        })?;

        let status = response.status();
        if status.is_redirection() {
            let message = format!("{at} redirects ({status}), which is not followed");
            return Err(Fault::new(Absent, message));
        }
        if status != StatusCode::OK {
            let kind = match status {
                // Not now, which says nothing of elsewhere.
                StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS => Unreachable,
                _ if status.is_client_error() => Absent,
                _ => Unreachable,
            };
            return Err(Fault::new(kind, format!("{at} answers {status}")));
        }
        if response.body().len() > MAX_BODY {
            return Err(Fault::new(Wrong, format!("the answer of {at} is longer than 256 KiB")));
        }
        if !is_json(&response) {
            return Err(Fault::new(Absent, format!("the answer of {at} is not of a JSON type")));
        }
        let lifetime = Lifetime::of(response.headers());
        Ok(Document { body: response.into_body(), lifetime })
    }
}

/// Whether the answer is of a JSON type. Without a type, its contents will tell.
fn is_json(response: &Response<Bytes>) -> bool {
    let Some(value) = response.headers().get(CONTENT_TYPE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_a_strict_source_shares_no_client_with_a_lax_one() {
        let lax = Fetcher::default();
        let strict = lax.clone().refusing_private_addresses();
        assert!(!Arc::ptr_eq(&lax.fetch, &strict.fetch));
        // The application's own knows by the request what is asked of it.
        let own = lax.with(HttpFetch::default());
        assert!(Arc::ptr_eq(&own.fetch, &own.clone().refusing_private_addresses().fetch));
    }

    #[test]
    fn a_set_is_of_a_json_type_or_of_none() {
        let is = |value: &str| {
            is_json(&Response::builder().header("content-type", value).body(Bytes::new()).unwrap())
        };
        for value in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/jwk-set+json",
            "application/vnd.example+json ; q=1",
        ] {
            assert!(is(value), "{value}");
        }
        for value in ["", "text/html", "text/plain", "application/jsonp", "text/x+json", "*/*"] {
            assert!(!is(value), "{value}");
        }
        assert!(is_json(&Response::new(Bytes::new())));
    }
}
