//! The credential of an attack.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request};

use crate::test_util::protection::place::{
    Place, add_cookies, add_to_query, append, percent_encoded,
};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A credential, and its place in the request.
pub(super) enum Credential {
    /// A bearer token in the place where the service expects it.
    Bearer(String),
    /// A bearer token with percent-encoded characters. In a query it would be a good one.
    PercentEncoded(String),
    /// The field lines of `Authorization`.
    Authorization(Vec<Vec<u8>>),
    /// A good token in `Authorization`, if the service expects it elsewhere.
    BesideThePlace(String),
    /// `Proxy-Authorization`.
    ProxyAuthorization(String),
    /// The parameter `access_token` of the query.
    Query(String),
    /// The parameter `access_token` of a form.
    Form(String),
    /// Cookies with the names that applications use.
    Cookie(String),
    /// The cookie that the service expects, sent by a page of another origin.
    ForeignOrigin(String),
}

impl Credential {
    pub(super) fn one(value: impl Into<Vec<u8>>) -> Self {
        Self::Authorization(vec![value.into()])
    }

    pub(super) fn none() -> Self {
        Self::Authorization(Vec::new())
    }

    /// Whether 403 refuses it: a service that answers so to a good token in a cookie has checked the origin.
    pub(super) fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::ForeignOrigin(_))
    }

    /// The request with this credential; `None` if a request of this kind cannot have it.
    pub(super) fn into_request(
        self,
        request: &Request<Bytes>,
        place: &Place,
    ) -> Option<Request<Bytes>> {
        let (mut head, mut body) = request.clone().into_parts();
        let bearer = |token: &str| format!("Bearer {token}").into_bytes();
        match self {
            Self::PercentEncoded(_) if place.is_query() => return None,
            Self::Bearer(token) | Self::PercentEncoded(token) => place.put(&mut head, &token)?,
            Self::Authorization(lines) => {
                for line in &lines {
                    append(&mut head.headers, AUTHORIZATION, line)?;
                }
            }
            Self::BesideThePlace(token) => {
                place.is_beside_authorization().then_some(())?;
                append(&mut head.headers, AUTHORIZATION, &bearer(&token))?;
            }
            Self::ProxyAuthorization(token) => {
                append(&mut head.headers, PROXY_AUTHORIZATION, &bearer(&token))?;
            }
            Self::Query(_) if place.is_query_of("access_token") => return None,
            Self::Query(token) => add_to_query(&mut head, "access_token", &token)?,
            Self::Form(token) => {
                let is_form = is_form(&head.headers);
                let has_body = !body.is_empty() || head.method == Method::CONNECT;
                // Another body would fail for its content.
                if is_grpc(&head.headers) || (has_body && !is_form) {
                    return None;
                }
                head.headers.entry(CONTENT_TYPE).or_insert(FORM);
                head.headers.remove(CONTENT_LENGTH);
                body = with_parameter(&body, &token);
            }
            Self::Cookie(token) => {
                let names = ["access_token", "token", "jwt"];
                let names = names.iter().filter(|name| !place.is_cookie_of(name));
                let cookies: Vec<_> = names.map(|name| format!("{name}={token}")).collect();
                add_cookies(&mut head.headers, &cookies.join("; "))?;
            }
            Self::ForeignOrigin(token) => {
                place.is_cookie().then_some(())?;
                place.put(&mut head, &token)?;
                let origin = HeaderValue::from_static("https://attacker.invalid");
                head.headers.insert(ORIGIN, origin);
            }
        }
        Some(Request::from_parts(head, body))
    }
}

/// Whether a message is one of gRPC, by its content type.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn is_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(FORM.as_bytes()))
}

/// A form with this token in addition.
fn with_parameter(form: &Bytes, token: &str) -> Bytes {
    let mut body = BytesMut::from(&form[..]);
    if !form.is_empty() {
        body.put_u8(b'&');
    }
    body.put(format!("access_token={}", percent_encoded(token)).as_bytes());
    body.freeze()
}
