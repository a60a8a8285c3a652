use std::fmt;

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization::{self, Token68};
use crate::extract::cookie::Cookie;
use crate::extract::header;
use crate::extract::presented_token::PresentedToken;
#[cfg(feature = "query-token")]
use crate::extract::query::Parameter;
use crate::extract::websocket::Protocol;
use crate::rejection::RejectionKind;
use crate::scheme::{Schemes, TokenScheme};

/// A part of a request in which a layer looks for the token.
/// [`JwtAuthLayer::with_sources`](crate::JwtAuthLayer::with_sources) takes a list of sources. By default a layer looks
/// only in the `Authorization` header.
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
    /// The header `Authorization: Bearer` (RFC 6750 section 2.1). If the verifier accepts the scheme `DPoP`, also
    /// `Authorization: DPoP` (RFC 9449 section 7.1), which no other source can contain.
    ///
    /// Credentials of any scheme in this header count as a credential: a request that also has a token in another
    /// source is refused.
    pub fn authorization_header() -> Self {
        Self(Place::AuthorizationHeader)
    }

    /// Another header, for example one that a proxy sets. Its value is the token, alone or after `Bearer` and a
    /// space.
    ///
    /// If a proxy sets the header, it must remove a header of this name that the client sent. Two lines of the header
    /// are refused with 400.
    ///
    /// # Errors
    ///
    /// When the name is not a header name, or when the header has another meaning: `Authorization`, `Client-Cert`,
    /// `Cookie`, `DPoP`, `Host`, `Origin`, the headers of the connection, and names that begin with `access-control-`, `content-`,
    /// `grpc-`, `proxy-` or `sec-`.
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        match header::checked_name(name) {
            Ok(name) => Ok(Self(Place::Header(name))),
            Err(message) => Err(ConfigError::new(ConfigErrorKind::Source, message)),
        }
    }

    /// A cookie, for requests that pages of these origins make. Its value is the token. A request with two cookies of
    /// this name is refused with 400.
    ///
    /// A browser adds cookies to *every* request to a host, even if an attacker's page makes the request (cross-site
    /// request forgery, CSRF). So the layer checks the headers in which the browser names the origin of the request,
    /// for every method and for WebSocket handshakes. A request from elsewhere is refused with 403
    /// ([`ForeignOrigin`](RejectionKind::ForeignOrigin)), before the token is verified; an
    /// [optional](crate::JwtAuthLayer::optional) layer forwards it without a token. The cookie is accepted
    ///
    /// - if `Origin` is one of `origins`;
    /// - if there is no `Origin`, or it is `null`, and `Sec-Fetch-Site` is `same-origin`: browsers send no `Origin`
    ///   with a `GET` to the origin of the page, and `null` with a form on a page with `Referrer-Policy: no-referrer`;
    /// - if there is no `Origin`, and the user opened the URL: a `GET` or `HEAD` with `Sec-Fetch-Site: none` and
    ///   `Sec-Fetch-Mode: navigate`. The user typed it, or it is a bookmark **or a link in a mail or another program**:
    ///   a `GET` must not change anything.
    ///
    /// Write each origin as browsers do: the scheme, the host, and the port if it is not the scheme's default, in lower
    /// case. If the API's own origin also serves pages, add it.
    ///
    /// The name should begin with `__Host-`. Otherwise every other host of the domain can set the cookie, and log
    /// visitors in with the attacker's token (login CSRF): see [the page on WebSockets and
    /// cookies](crate::docs::websockets_and_cookies).
    ///
    /// # Errors
    ///
    /// When the name is not a cookie name (RFC 6265 section 4.1.1), when `origins` is empty, or when an origin is not
    /// written as browsers write it.
    pub fn cookie<I>(name: &str, origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Cookie::new(name, origins).map(|cookie| Self(Place::Cookie(cookie)))
    }

    /// A sub-protocol of a WebSocket handshake, in the form that Kubernetes uses:
    /// `base64url.bearer.authorization.k8s.io.` and the token in base64url without padding.
    ///
    /// The layer removes this sub-protocol from `Sec-WebSocket-Protocol` before it forwards the handshake, so the inner
    /// service can only select another one. If the client offers no other one, and the inner service selects none, the
    /// layer selects the removed one in the response, since browsers fail the connection otherwise. The response then
    /// contains the token. To avoid that, let the client offer a second sub-protocol, and let the service select it
    /// (with axum, by `WebSocketUpgrade::protocols`).
    ///
    /// The layer reads this source only in a WebSocket handshake: an upgrade over HTTP/1.1 (RFC 6455 section 4.1), or
    /// an extended `CONNECT` (RFC 8441). In other requests the header is ignored.
    pub fn websocket_protocol() -> Self {
        Self(Place::WebSocketProtocol(Protocol::kubernetes()))
    }

    /// A sub-protocol of a WebSocket handshake that consists of this prefix and the token without encoding, such as
    /// `bearer.eyJ…` with the prefix `bearer.`. In all else it is like
    /// [`websocket_protocol`](Self::websocket_protocol).
    ///
    /// A JWT contains only characters that are allowed in a sub-protocol. A token with `/` or `=` needs
    /// [`websocket_protocol`](Self::websocket_protocol).
    ///
    /// # Errors
    ///
    /// When the prefix is empty or contains a character that a sub-protocol cannot contain (RFC 6455 section 4.1).
    pub fn websocket_protocol_with_prefix(prefix: &str) -> Result<Self, ConfigError> {
        Protocol::with_prefix(prefix).map(|protocol| Self(Place::WebSocketProtocol(protocol)))
    }

    /// A parameter of the query (RFC 6750 section 2.3), usually `access_token`. A request with two parameters of this
    /// name is refused with 400.
    ///
    /// **Dangerous**: URLs appear in the logs of servers and proxies, in the history of browsers and in `Referer`.
    /// OAuth 2.1 forbids tokens there. Use it only for clients that have no other way to send a token, with tokens of a
    /// short lifetime.
    ///
    /// The layer removes the parameter from the URI, so that no service inside of the layer logs it. It cannot remove
    /// copies that were made outside of the layer, by a trace layer or in axum's `OriginalUri`. A 2xx response gets
    /// `Cache-Control: private`, unless it already has this directive or `no-store`.
    ///
    /// # Errors
    ///
    /// When the name is empty or contains other characters than letters, digits, `-`, `.`, `_` and `~`.
    #[cfg(feature = "query-token")]
    pub fn dangerous_query(name: &str) -> Result<Self, ConfigError> {
        Parameter::new(name).map(|parameter| Self(Place::Query(parameter)))
    }

    /// The credential of this source; `None` if there is none. `credentials` can be what an outer layer removed, while
    /// `head` is always that of the request: the origin of a cookie and the kind of the request are checked there.
    pub(super) fn find(
        &self,
        credentials: &Credentials<'_>,
        head: &Parts,
        schemes: Schemes,
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
        Some(found.and_then(|token| match schemes.contains(TokenScheme::Bearer) {
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
    /// `header` means only `Authorization` (RFC 6750 section 2.1), and `query` only the parameter `access_token`
    /// (section 2.3).
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
    /// Writes the source with its settings, such as `cookie __Host-token from https://app.example`.
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
