use std::fmt;

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization::{self, Token68};
use crate::extract::cookie::Cookie;
use crate::extract::header;
use crate::extract::presented_token::{PresentedToken, TokenScheme};
#[cfg(feature = "query-token")]
use crate::extract::query::Parameter;
use crate::extract::websocket::Protocol;
use crate::rejection::RejectionKind;

/// A part of a request in which a layer looks for the token, for
/// [`JwtAuthLayer::with_sources`](crate::JwtAuthLayer::with_sources). By default a layer looks only in the
/// `Authorization` header.
///
/// Equal sources look in the same part with the same settings.
///
/// # Example: pages with a cookie, and clients with `Authorization`
///
/// ```
/// use tower_jwt_auth::{ConfigError, JwtAuthLayer, JwtVerifier, Source};
///
/// fn layer(verifier: JwtVerifier) -> Result<JwtAuthLayer, ConfigError> {
///     JwtAuthLayer::new(verifier).with_sources([
///         Source::authorization_header(),
///         Source::cookie("__Host-token", ["https://app.example"])?,
///     ])
/// }
/// # let _ = layer;
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Source(Place);

/// The parts of a request that can contain credentials.
pub(super) struct Credentials<'r> {
    pub(super) headers: &'r HeaderMap,
    #[cfg(feature = "query-token")]
    pub(super) query: Option<&'r str>,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    AuthorizationHeader,
    Header(HeaderName),
    Cookie(Cookie),
    WebSocketProtocol(Protocol),
    #[cfg(feature = "query-token")]
    Query(Parameter),
}

impl Source {
    /// The header `Authorization: Bearer` (RFC 6750 section 2.1).
    ///
    /// If a layer has this source, credentials of any scheme in this header count as a credential: together with
    /// a token in another source they are refused.
    pub fn authorization_header() -> Self {
        Self(Place::AuthorizationHeader)
    }

    /// Another header, for example one that a proxy sets. Its value is the token, alone or after `Bearer` and a
    /// space.
    ///
    /// If a proxy sets the header, the proxy must remove the header that the client sent.
    ///
    /// # Errors
    ///
    /// When the name is not a header name, or when the header has another meaning: `Authorization`, `Cookie`,
    /// `Host`, `Origin`, the headers of the connection, and names that begin with `access-control-`, `content-`,
    /// `grpc-`, `proxy-` or `sec-`.
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        match header::checked_name(name) {
            Ok(name) => Ok(Self(Place::Header(name))),
            Err(message) => Err(ConfigError::new(ConfigErrorKind::Source, message)),
        }
    }

    /// A cookie, for requests that pages of these origins make. Its value is the token. Of two cookies with the
    /// name neither is chosen: 400.
    ///
    /// A browser adds cookies to *every* request to a host, also if a page of an attacker makes the request
    /// (cross-site request forgery, CSRF). So the layer accepts the cookie only if the browser names the page's
    /// origin, for every method and for WebSocket handshakes. Otherwise the request is refused with 403
    /// ([`ForeignOrigin`](RejectionKind::ForeignOrigin)), before the token is verified; an
    /// [optional](crate::JwtAuthLayer::optional) layer forwards it without a token. The cookie is accepted
    ///
    /// - if `Origin` is one of `origins`;
    /// - if there is no `Origin`, or it is `null`, and `Sec-Fetch-Site` is `same-origin`: browsers send no `Origin` with
    ///   a `GET` to the origin of the page, and `null` with a form of a page without a referrer;
    /// - if there is no `Origin`, and the user opened the URL: a `GET` or `HEAD` with `Sec-Fetch-Site: none` and
    ///   `Sec-Fetch-Mode: navigate`. The user typed it, or it is a bookmark **or a link in a mail or another program**: a
    ///   `GET` must change nothing.
    ///
    /// Write each origin as browsers do: the scheme, the host and a port other than the scheme's default, in lower
    /// case. Name also the origin of the API itself, if pages come from there.
    ///
    /// The name should begin with `__Host-`. Otherwise every other host of the domain can set the cookie, and log its
    /// visitors in with a token of its own (login CSRF): see [the page on WebSockets and
    /// cookies](crate::docs::websockets_and_cookies).
    ///
    /// # Errors
    ///
    /// When the name is not a cookie name (RFC 6265 section 4.1.1), when there is no origin, or when one is not
    /// written as browsers write it.
    pub fn cookie<I>(name: &str, origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Cookie::new(name, origins).map(|cookie| Self(Place::Cookie(cookie)))
    }

    /// A sub-protocol of a WebSocket handshake, in the form of Kubernetes:
    /// `base64url.bearer.authorization.k8s.io.` and the token in base64url without padding.
    ///
    /// The layer takes this sub-protocol out of `Sec-WebSocket-Protocol` before it forwards the handshake, so the
    /// inner service selects one of the others. If the client offers no other one, and the inner service selects
    /// none, the layer selects it in the response, since browsers fail the connection otherwise. The response then
    /// contains the token: clients should offer a second sub-protocol.
    ///
    /// The source counts only in a WebSocket handshake: an upgrade over HTTP/1.1 (RFC 6455 section 4.1), or an
    /// extended `CONNECT` (RFC 8441). In other requests the header is ignored.
    pub fn websocket_protocol() -> Self {
        Self(Place::WebSocketProtocol(Protocol::kubernetes()))
    }

    /// A sub-protocol of a WebSocket handshake that consists of this prefix and the token as it is, such as
    /// `bearer.eyJ…` with the prefix `bearer.`. Otherwise it is like
    /// [`websocket_protocol`](Self::websocket_protocol).
    ///
    /// A JWT has only characters that a sub-protocol can contain. A token with `/` or `=` needs
    /// [`websocket_protocol`](Self::websocket_protocol).
    ///
    /// # Errors
    ///
    /// When the prefix is empty or contains a character that a sub-protocol cannot contain (RFC 6455 section 4.1).
    pub fn websocket_protocol_with_prefix(prefix: &str) -> Result<Self, ConfigError> {
        Protocol::with_prefix(prefix).map(|protocol| Self(Place::WebSocketProtocol(protocol)))
    }

    /// A parameter of the query (RFC 6750 section 2.3), usually `access_token`. Two parameters with the name are
    /// 400.
    ///
    /// **Dangerous**: URLs are in the logs of servers and proxies, in the history of browsers and in `Referer`.
    /// OAuth 2.1 forbids tokens there. Use it only for clients that can send a token in no other way, with tokens of
    /// a short lifetime.
    ///
    /// The layer removes the parameter from the URI, so that nothing inside of the layer logs it. It cannot remove it
    /// from what services outside of the layer have seen or kept: a trace layer, or axum's `OriginalUri`. A 2xx
    /// response gets `Cache-Control: private`, unless it already has this directive or `no-store`.
    ///
    /// # Errors
    ///
    /// When the name is empty or contains other characters than letters, digits, `-`, `.`, `_` and `~`.
    #[cfg(feature = "query-token")]
    pub fn dangerous_query(name: &str) -> Result<Self, ConfigError> {
        Parameter::new(name).map(|parameter| Self(Place::Query(parameter)))
    }

    /// The credential of this source; `None` if there is none. Who sent it, and whether the request is a handshake, is
    /// in the head in any case.
    pub(super) fn find(
        &self,
        credentials: &Credentials<'_>,
        head: &Parts,
        schemes: &[TokenScheme],
    ) -> Option<Result<PresentedToken, RejectionKind>> {
        let headers = credentials.headers;
        let found = match &self.0 {
            Place::AuthorizationHeader => {
                let found = authorization::extract(headers, schemes, Token68::First);
                return found.map_or_else(
                    |kind| (kind != RejectionKind::MissingCredentials).then_some(Err(kind)),
                    |token| Some(Ok(token)),
                );
            }
            Place::Header(name) => header::find(headers, name)?,
            Place::Cookie(cookie) => cookie.find(headers, head)?,
            Place::WebSocketProtocol(protocol) => protocol.find(headers, head)?,
            #[cfg(feature = "query-token")]
            Place::Query(parameter) => parameter.find(credentials.query?)?,
        };
        Some(found.and_then(|token| match schemes.contains(&TokenScheme::Bearer) {
            true => Ok(token),
            false => Err(RejectionKind::UnsupportedScheme),
        }))
    }

    pub(super) fn is_authorization_header(&self) -> bool {
        self.0 == Place::AuthorizationHeader
    }

    pub(super) fn as_header(&self) -> Option<&HeaderName> {
        match &self.0 {
            Place::Header(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn as_cookie(&self) -> Option<&Cookie> {
        match &self.0 {
            Place::Cookie(cookie) => Some(cookie),
            _ => None,
        }
    }

    pub(super) fn as_protocol(&self) -> Option<&Protocol> {
        match &self.0 {
            Place::WebSocketProtocol(protocol) => Some(protocol),
            _ => None,
        }
    }

    #[cfg(feature = "query-token")]
    pub(super) fn as_parameter(&self) -> Option<&Parameter> {
        match &self.0 {
            Place::Query(parameter) => Some(parameter),
            _ => None,
        }
    }

    /// The name of this source in `bearer_methods_supported` (RFC 9728 section 2); `None` if there is no name for it:
    /// `header` is `Authorization` (RFC 6750 section 2.1) and no other field, `query` is `access_token` (section 2.3) and
    /// no other parameter.
    #[cfg(feature = "resource-metadata")]
    pub(super) fn bearer_method(&self) -> Option<&'static str> {
        match &self.0 {
            Place::AuthorizationHeader => Some("header"),
            Place::Header(_) | Place::Cookie(_) | Place::WebSocketProtocol(_) => None,
            #[cfg(feature = "query-token")]
            Place::Query(parameter) => (parameter.name() == "access_token").then_some("query"),
        }
    }

    /// Whether a credential could be in both sources at once.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Place::Cookie(a), Place::Cookie(b)) => a.name() == b.name(),
            (Place::WebSocketProtocol(a), Place::WebSocketProtocol(b)) => a.overlaps(b),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Source {
    /// Writes the name of the source, such as `cookie __Host-token`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::AuthorizationHeader => f.write_str("header authorization"),
            Place::Header(name) => write!(f, "header {name}"),
            Place::Cookie(cookie) => {
                write!(f, "cookie {} from {}", cookie.name(), cookie.origins())
            }
            Place::WebSocketProtocol(protocol) => {
                write!(f, "WebSocket sub-protocol {}", protocol.prefix())
            }
            #[cfg(feature = "query-token")]
            Place::Query(parameter) => write!(f, "query parameter {}", parameter.name()),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}
