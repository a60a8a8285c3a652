//! The URI that a proof must name: where a client sent the request to.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::dpop::fault::Fault;
use crate::dpop::forwarded::ProxyHeaders;
use crate::dpop::uri;

/// Tells whether a trusted proxy sent a request.
type IsProxy = dyn Fn(&Parts) -> bool + Send + Sync;

/// Where requests are sent to.
#[derive(Clone)]
pub(super) struct Target {
    place: Place,
    proxy: Option<(ProxyHeaders, Arc<IsProxy>)>,
}

#[derive(Clone)]
enum Place {
    /// The public URLs, without a slash at the end; at least one.
    Public(Vec<Arc<str>>),
    /// The host of each request, with this scheme unless the request has one.
    OfRequest(&'static str),
}

impl Target {
    pub(super) fn public(url: &str) -> Result<Self, ConfigError> {
        Ok(Self { place: Place::Public(vec![public_url(url)?]), proxy: None })
    }

    pub(super) fn of_request(scheme: &str) -> Result<Self, ConfigError> {
        match ["https", "http"].into_iter().find(|known| *known == scheme) {
            Some(scheme) => Ok(Self { place: Place::OfRequest(scheme), proxy: None }),
            None => Err(unusable("the scheme of the requests must be https or http")),
        }
    }

    pub(super) fn add_public(&mut self, url: &str) -> Result<(), ConfigError> {
        let url = public_url(url)?;
        match &mut self.place {
            Place::Public(urls) => urls.push(url),
            Place::OfRequest(_) => {
                return Err(unusable(
                    "with the host of each request, there is no public URL to add",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn set_proxy(&mut self, headers: ProxyHeaders, is_proxy: Arc<IsProxy>) {
        self.proxy = Some((headers, is_proxy));
    }

    pub(super) fn is_dangerous(&self) -> bool {
        matches!(self.place, Place::OfRequest(_))
    }

    /// Checks that the `htu` of a proof is the URI of the request, without query and fragment (RFC 9449 section 4.3).
    pub(super) fn check(&self, htu: &str, head: &Parts) -> Result<(), Fault> {
        let path = uri::path_of_request(head.uri.path()).ok_or(Fault::UnusableRequestUri)?;
        let forwarded = match &self.proxy {
            Some((headers, is_proxy)) if is_proxy(head) => headers.origin(&head.headers)?,
            _ => None,
        };
        match (forwarded, &self.place) {
            (Some(origin), Place::Public(urls)) => {
                let origin = uri::normal(&origin).ok_or(Fault::UnusableRequestUri)?;
                let mut of_origin = urls.iter().filter(|url| is_of_origin(url, &origin)).peekable();
                // The proxy must not make this server one of another name.
                of_origin.peek().ok_or(Fault::UnusableRequestUri)?;
                check_any(htu, of_origin, path)
            }
            (Some(origin), Place::OfRequest(_)) => check_equal(htu, &[&origin, path]),
            (None, Place::Public(urls)) => check_any(htu, urls, path),
            (None, Place::OfRequest(scheme)) => {
                let scheme = head.uri.scheme_str().unwrap_or(scheme);
                check_equal(htu, &[scheme, "://", authority(head)?, path])
            }
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Public(urls) => f.debug_tuple("Public").field(urls).finish(),
            Place::OfRequest(scheme) => f.debug_tuple("OfRequest").field(scheme).finish(),
        }
    }
}

/// Whether a public URL has this origin, which ends with a slash.
fn is_of_origin(url: &str, origin: &str) -> bool {
    url.starts_with(origin) || Some(url) == origin.strip_suffix('/')
}

/// Checks that the `htu` is one of the public URLs, followed by the path.
fn check_any<'u>(
    htu: &str,
    urls: impl IntoIterator<Item = &'u Arc<str>>,
    path: &str,
) -> Result<(), Fault> {
    let check = |url: &Arc<str>| match check_equal(htu, &[url, path]) {
        // A router that removes the prefix leaves `/` in both cases: with and without a slash after the prefix.
        Err(Fault::WrongUri) if path == "/" => check_equal(htu, &[url]),
        result => result,
    };
    urls.into_iter().map(check).reduce(Result::or).unwrap_or(Err(Fault::WrongUri))
}

fn check_equal(htu: &str, parts: &[&str]) -> Result<(), Fault> {
    // Most clients write it as the server expects it.
    if parts.iter().try_fold(htu, |rest, part| rest.strip_prefix(part)) == Some("") {
        return Ok(());
    }
    let expected = uri::normal(&parts.concat()).ok_or(Fault::UnusableRequestUri)?;
    match uri::normal(htu) == Some(expected) {
        true => Ok(()),
        false => Err(Fault::WrongUri),
    }
}

/// The authority of a request: `:authority` or that of an absolute target, or the one `Host` (RFC 9110 section 7.2,
/// RFC 9113 section 8.3.1).
fn authority(head: &Parts) -> Result<&str, Fault> {
    let host = single(&head.headers, &HOST)?;
    match (head.uri.authority().map(|authority| authority.as_str()), host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Fault::UnusableRequestUri)
        }
        (Some(authority), _) | (None, Some(authority)) if is_authority(authority) => Ok(authority),
        _ => Err(Fault::UnusableRequestUri),
    }
}

/// The value of a field that a request has at most once.
fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Fault::UnusableRequestUri),
        (Some(_), Some(_)) => Err(Fault::UnusableRequestUri),
    }
}

/// Whether a text can be put before a path, so that the path stays the path. [`uri::normal`] checks the rest.
pub(super) fn is_authority(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '?', '#', '@', '\\'])
}

fn public_url(text: &str) -> Result<Arc<str>, ConfigError> {
    if text.contains(['?', '#']) {
        return Err(unusable("the public URL must not have a query or a fragment"));
    }
    let normal = uri::normal(text).ok_or_else(|| {
        unusable("the public URL must be an https or http URL without a user name")
    })?;
    Ok(normal.trim_end_matches('/').into())
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Url, message)
}
