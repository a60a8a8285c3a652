//! What a source asks of the response to a request that is forwarded.

#[cfg(feature = "query-token")]
use http::HeaderMap;
#[cfg(feature = "query-token")]
use http::header::CACHE_CONTROL;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderValue, Response, StatusCode};

#[cfg(feature = "query-token")]
use crate::list_field;

/// A change of the response to a request that is forwarded.
#[derive(Clone)]
pub(crate) enum OnResponse {
    /// Selects the only sub-protocol that the client offered, if the connection is accepted and the service has
    /// selected none: browsers fail the connection otherwise (RFC 6455 section 4.1, WebSockets Standard).
    SelectProtocol { protocol: HeaderValue, is_connect: bool },
    /// Keeps a 2xx out of shared caches: the URL contained the token (RFC 6750 section 2.3).
    #[cfg(feature = "query-token")]
    KeepPrivate,
}

impl OnResponse {
    #[cold]
    pub(crate) fn change<B>(self, response: &mut Response<B>) {
        let status = response.status();
        let headers = response.headers_mut();
        match self {
            Self::SelectProtocol { protocol, is_connect } => {
                let is_open = status == StatusCode::SWITCHING_PROTOCOLS
                    || (is_connect && status.is_success());
                if is_open && !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
                    let _is_full = headers.try_insert(SEC_WEBSOCKET_PROTOCOL, protocol);
                }
            }
            #[cfg(feature = "query-token")]
            Self::KeepPrivate if status.is_success() => keep_private(headers),
            #[cfg(feature = "query-token")]
            Self::KeepPrivate => {}
        }
    }
}

/// Adds `private`, unless the response is already kept out of shared caches. What contradicts it is left out.
#[cfg(feature = "query-token")]
fn keep_private(headers: &mut HeaderMap) {
    let lines: Vec<HeaderValue> = headers.get_all(CACHE_CONTROL).iter().cloned().collect();
    let all = || lines.iter().flat_map(|line| directives(line.as_bytes()));
    let is = |directive: &[u8], name: &str| directive.eq_ignore_ascii_case(name.as_bytes());
    if all().any(|it| is(it, "private") || is(it, "no-store")) {
        return;
    }
    let contradicts = |directive: &[u8]| {
        let name = directive.split(|&byte| byte == b'=').next().unwrap_or_default();
        is(name.trim_ascii(), "public") || is(name.trim_ascii(), "s-maxage")
    };
    let mut kept: Vec<&[u8]> = all().filter(|it| !contradicts(it)).collect();
    kept.push(b"private");
    if let Ok(value) = HeaderValue::from_bytes(&kept.join(&b", "[..])) {
        let _is_full = headers.try_insert(CACHE_CONTROL, value);
    }
}

/// The directives of a line.
#[cfg(feature = "query-token")]
fn directives(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    list_field::elements(line).map(<[u8]>::trim_ascii).filter(|directive| !directive.is_empty())
}
