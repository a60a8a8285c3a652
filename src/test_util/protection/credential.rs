//! Where an attack puts its credential.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

/// Puts a token into a request.
pub(super) type Place = Box<dyn Fn(&mut Parts, &str) + Send + Sync>;

/// A credential, and its place in the request.
pub(super) enum Credential {
    /// A bearer token in the place where the service expects it.
    Bearer(String),
    /// The field lines of `Authorization`.
    Authorization(Vec<Vec<u8>>),
    /// `Proxy-Authorization`.
    ProxyAuthorization(String),
    /// The parameter `access_token` of the query.
    Query(String),
    /// The parameter `access_token` of a form.
    Form(String),
    /// Cookies with the names that applications use.
    Cookie(String),
}

impl Credential {
    pub(super) fn one(value: impl Into<Vec<u8>>) -> Self {
        Self::Authorization(vec![value.into()])
    }

    pub(super) fn none() -> Self {
        Self::Authorization(Vec::new())
    }

    /// The request with this credential; `None` if a request of this kind cannot have it. A bearer token is in
    /// `Authorization` if no other place is given.
    pub(super) fn into_request(
        self,
        request: &Request<Bytes>,
        place: Option<&Place>,
    ) -> Option<Request<Bytes>> {
        let (mut head, body) = request.clone().into_parts();
        match self {
            Self::Bearer(token) => match place {
                Some(place) => place(&mut head, &token),
                None => {
                    append(&mut head.headers, AUTHORIZATION, format!("Bearer {token}").as_bytes())
                }
            },
            Self::Authorization(lines) => {
                for line in &lines {
                    append(&mut head.headers, AUTHORIZATION, line);
                }
            }
            Self::ProxyAuthorization(token) => {
                append(
                    &mut head.headers,
                    PROXY_AUTHORIZATION,
                    format!("Bearer {token}").as_bytes(),
                );
            }
            Self::Query(token) => add_to_query(&mut head, &token),
            Self::Form(_) if is_grpc(&head.headers) => return None,
            Self::Form(token) => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                head.headers.insert(CONTENT_TYPE, form);
                return Some(Request::from_parts(head, format!("access_token={token}").into()));
            }
            Self::Cookie(token) => {
                let cookies = format!("access_token={token}; token={token}; jwt={token}");
                append(&mut head.headers, COOKIE, cookies.as_bytes());
            }
        }
        Some(Request::from_parts(head, body))
    }
}

/// Whether a message is one of gRPC, by its content type.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Adds a field line that `Debug` does not show.
fn append(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    let mut value = HeaderValue::from_bytes(value).expect("a credential that a header can have");
    value.set_sensitive(true);
    headers.append(name, value);
}

fn add_to_query(head: &mut Parts, token: &str) {
    let separator = if head.uri.query().is_some() { '&' } else { '?' };
    let path = head.uri.path_and_query().map_or(Cow::from("/"), |path| path.as_str().into());
    let path = PathAndQuery::try_from(format!("{path}{separator}access_token={token}"));
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.path_and_query = Some(path.expect("a token that a query can have"));
    head.uri = Uri::from_parts(uri).expect("a URI that differs only in its query");
}
