use std::borrow::Cow;
use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// Where a service expects the token, for
/// [`ProtectedRequests::with_place`](super::ProtectedRequests::with_place).
///
/// The other places are attacks of the group `place`: a good token there must not count.
///
/// # Example: a cookie
///
/// ```
/// use tower_jwt_auth::test_util::{Place, ProtectedRequests, TestIssuer};
///
/// let requests = ProtectedRequests::new(TestIssuer::new().token())
///     .with_place(Place::cookie("__Host-token", "https://app.example"))
///     .get("/orders");
/// ```
pub struct Place(Kind);

type Put = Box<dyn Fn(&mut Parts, &str) + Send + Sync>;

enum Kind {
    Authorization,
    Header(HeaderName),
    Cookie { name: String, origin: HeaderValue },
    Query(String),
    Custom(Put),
}

impl Place {
    /// `Authorization: Bearer` (RFC 6750 section 2.1), the default.
    pub fn authorization() -> Self {
        Self(Kind::Authorization)
    }

    /// A header whose value is the token alone.
    ///
    /// # Panics
    ///
    /// When this is not the name of a header.
    #[track_caller]
    pub fn header(name: &str) -> Self {
        Self(Kind::Header(name.parse().expect("the name of a header")))
    }

    /// A cookie, and the `Origin` that its requests have. An attack sends it with another `Origin`.
    ///
    /// # Panics
    ///
    /// When the origin is not a header value.
    #[track_caller]
    pub fn cookie(name: impl Into<String>, origin: &str) -> Self {
        let origin = origin.parse().expect("an origin that a header can have");
        Self(Kind::Cookie { name: name.into(), origin })
    }

    /// A parameter of the query.
    pub fn query(name: impl Into<String>) -> Self {
        Self(Kind::Query(name.into()))
    }

    /// Any other place: the function puts the token into a request. Attacks that would need to know the place are
    /// left out: `place: Authorization` and `place: cookie of another origin`.
    ///
    /// # Example: a WebSocket sub-protocol
    ///
    /// ```
    /// use tower_jwt_auth::test_util::Place;
    ///
    /// let place = Place::custom(|head, token| {
    ///     let protocols = format!("chat, bearer.{token}").parse();
    ///     head.headers.insert("sec-websocket-protocol", protocols.unwrap());
    /// });
    /// ```
    pub fn custom<F>(put: F) -> Self
    where
        F: Fn(&mut Parts, &str) + Send + Sync + 'static,
    {
        Self(Kind::Custom(Box::new(put)))
    }

    /// Puts a token there; `None` if a request cannot have it.
    pub(super) fn put(&self, head: &mut Parts, token: &str) -> Option<()> {
        match &self.0 {
            Kind::Authorization => {
                append(&mut head.headers, AUTHORIZATION, format!("Bearer {token}").as_bytes())
            }
            Kind::Header(name) => append(&mut head.headers, name.clone(), token.as_bytes()),
            Kind::Cookie { name, origin } => {
                head.headers.insert(ORIGIN, origin.clone());
                add_cookies(&mut head.headers, &format!("{name}={token}"))
            }
            Kind::Query(name) => add_to_query(head, name, token),
            Kind::Custom(put) => {
                put(head, token);
                Some(())
            }
        }
    }

    /// Whether the token is a parameter of the query, which a service decodes.
    pub(super) fn is_query(&self) -> bool {
        matches!(self.0, Kind::Query(_))
    }

    /// Whether this parameter of the query is the place.
    pub(super) fn is_query_of(&self, parameter: &str) -> bool {
        matches!(&self.0, Kind::Query(name) if name == parameter)
    }

    pub(super) fn is_cookie_of(&self, cookie: &str) -> bool {
        matches!(&self.0, Kind::Cookie { name, .. } if name == cookie)
    }

    pub(super) fn is_cookie(&self) -> bool {
        matches!(self.0, Kind::Cookie { .. })
    }

    /// Whether `Authorization` is another place.
    pub(super) fn is_beside_authorization(&self) -> bool {
        match &self.0 {
            Kind::Authorization | Kind::Custom(_) => false,
            Kind::Header(name) => name != AUTHORIZATION,
            Kind::Cookie { .. } | Kind::Query(_) => true,
        }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::authorization()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Place");
        match &self.0 {
            Kind::Authorization => shown.field("header", &AUTHORIZATION.as_str()),
            Kind::Header(name) => shown.field("header", &name.as_str()),
            Kind::Cookie { name, origin } => shown.field("cookie", name).field("origin", origin),
            Kind::Query(name) => shown.field("query", name),
            Kind::Custom(_) => &mut shown,
        };
        shown.finish_non_exhaustive()
    }
}

/// Adds a field line that `Debug` does not show; `None` if a header cannot have the value.
pub(super) fn append(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> Option<()> {
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(true);
    headers.append(name, value);
    Some(())
}

/// Adds cookies to those that the request has.
pub(super) fn add_cookies(headers: &mut HeaderMap, cookies: &str) -> Option<()> {
    let value = match headers.remove(COOKIE) {
        Some(others) => [others.as_bytes(), b"; ", cookies.as_bytes()].concat(),
        None => cookies.into(),
    };
    append(headers, COOKIE, &value)
}

/// Adds a parameter to the query; `None` if the URI would be too long.
pub(super) fn add_to_query(head: &mut Parts, name: &str, value: &str) -> Option<()> {
    let separator = if head.uri.query().is_some() { '&' } else { '?' };
    let path = head.uri.path_and_query().map_or(Cow::from("/"), |path| path.as_str().into());
    let parameter = format!("{}={}", percent_encoded(name), percent_encoded(value));
    let path = PathAndQuery::try_from(format!("{path}{separator}{parameter}")).ok()?;
    let mut uri = head.uri.clone().into_parts();
    uri.path_and_query = Some(path);
    head.uri = Uri::from_parts(uri).ok()?;
    Some(())
}

/// A text with all but the unreserved characters encoded (RFC 3986 section 2.1).
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
