use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::issuer::key_ring::{KeyRing, Published};

/// A service that publishes the public keys of a [`KeyRing`] as a JWK set (RFC 7517 section 5), at any path.
///
/// | request | response |
/// |---|---|
/// | `GET` or `HEAD` | 200 with the set as `application/jwk-set+json`, or its head |
/// | the same, with an `If-None-Match` that matches | 304 |
/// | another method | 405 |
///
/// The set follows the ring: it has the keys that are not gone, and no secret. Clients may cache it for 10 minutes, or
/// for half of the time for which a key is [published before it signs](KeyRing::with_rotation) if that is shorter; so
/// they have a new key before it signs. The `ETag` depends on the set alone, so it is the same in each process. Pages of
/// any origin may read the set.
///
/// The body `B` is any type that implements `From<Bytes>`, such as axum's body or `http-body-util`'s `Full`.
///
/// # Example: axum
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod example {
/// use axum::{Router, body::Body};
/// use tower_jwt_auth::{JwkSetService, KeyRing};
///
/// pub fn routes(ring: KeyRing) -> Router {
///     Router::new().route_service("/jwks.json", JwkSetService::<Body>::new(ring))
/// }
/// # }
/// # #[cfg(feature = "axum")]
/// # {
/// # use tower_jwt_auth::{Algorithm, KeyRing, SigningKey};
/// # example::routes(KeyRing::new(SigningKey::generate(Algorithm::ES256)?)?);
/// # }
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct JwkSetService<B> {
    keys: KeyRing,
    body: PhantomData<fn() -> B>,
}

impl<B> JwkSetService<B> {
    /// Creates a service for the keys of this ring.
    pub fn new(keys: KeyRing) -> Self {
        Self { keys, body: PhantomData }
    }
}

impl<ReqB, B: From<Bytes>> Service<Request<ReqB>> for JwkSetService<B> {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        ready(Ok(answer(&self.keys, request.method(), request.headers()).map(B::from)))
    }
}

impl<B> Clone for JwkSetService<B> {
    fn clone(&self) -> Self {
        Self::new(self.keys.clone())
    }
}

impl<B> fmt::Debug for JwkSetService<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwkSetService").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The response to a request.
fn answer(keys: &KeyRing, method: &Method, headers: &HeaderMap) -> Response<Bytes> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, Bytes::new());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Published { document, etag } = keys.published();
    let is_known = matches_etag(headers, etag.as_bytes());
    let mut response = match (is_known, method) {
        (true, _) => respond(StatusCode::NOT_MODIFIED, Bytes::new()),
        (false, &Method::HEAD) => respond(StatusCode::OK, Bytes::new()),
        (false, _) => respond(StatusCode::OK, document.clone()),
    };
    let fields = response.headers_mut();
    if !is_known {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
        // The body of a response to HEAD is empty, so the length of the document is set here.
        fields.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    }
    let cache_control = format!("public, max-age={}", keys.max_age().as_secs());
    if let Ok(cache_control) = HeaderValue::try_from(cache_control) {
        fields.insert(CACHE_CONTROL, cache_control);
    }
    fields.insert(ETAG, etag);
    response
}

/// Pages of any origin may read every response: none depends on credentials.
fn respond(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Whether `If-None-Match` is `*` or lists the entity tag (RFC 9110 section 13.1.2). The comparison is weak: a `W/` does
/// not matter.
fn matches_etag(headers: &HeaderMap, etag: &[u8]) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| {
        let value = value.as_bytes().trim_ascii();
        value == b"*" || tags(value).any(|tag| tag == etag)
    })
}

/// The entity tags of a list, with their quotation marks and without `W/`, up to the first element that is not one.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t'))?;
        let element = rest.get(start..)?;
        let element = element.strip_prefix(b"W/").unwrap_or(element);
        let inside = element.strip_prefix(b"\"")?;
        // A backslash is a character like any other in a tag.
        let length = inside.iter().position(|byte| *byte == b'"')?.checked_add(2)?;
        let (tag, after) = element.split_at_checked(length)?;
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entity_tags_of_a_list_are_found() {
        let of = |list: &'static str| -> Vec<&str> {
            tags(list.as_bytes()).map(|tag| str::from_utf8(tag).unwrap()).collect()
        };
        assert_eq!(of(r#""a", W/"b,c"	,,"" ,"d""#), [r#""a""#, r#""b,c""#, r#""""#, r#""d""#]);
        assert_eq!(of(r#""a\", "b""#), [r#""a\""#, r#""b""#]);
        assert_eq!(of(r#""a", b, "c""#), [r#""a""#]);
        assert_eq!(of(r#""a", "c"#), [r#""a""#]);
        assert_eq!(of(r#"w/"a""#), [""; 0]);
        assert_eq!(of(""), [""; 0]);
    }
}
