//! A layer written for this comparison alone: it knows the bytes of the header, decodes into the stack, reads the
//! claims once, boxes nothing, and refuses with a constant. Not a product: it takes only the tokens of the fixture.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use futures_util::future::{Either, Ready, ready};
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tower_service::Service;

use super::bare::Key;
use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Claims, Fixture, ISSUER, LEEWAY, seconds_since_epoch};

const MAX_TOKEN: usize = 4096;

/// What the layer asks for the claims of a token.
pub(super) trait Verify {
    type Claims: Clone + Send + Sync + 'static;

    fn verify(&self, token: &[u8]) -> Option<Self::Claims>;
}

pub(super) struct Verifier {
    /// The encoded header, and the dot after it.
    prefix: String,
    key: Key,
}

impl Verifier {
    pub(super) fn new(fixture: &Fixture) -> Self {
        Self { prefix: format!("{}.", fixture.header()), key: Key::new(fixture) }
    }
}

impl Verify for Verifier {
    type Claims = Claims;

    fn verify(&self, token: &[u8]) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let rest = token.strip_prefix(self.prefix.as_bytes())?;
        let dot = rest.iter().rposition(|&byte| byte == b'.')?;
        let (payload, signature) = (&rest[..dot], &rest[dot + 1..]);
        let message = &token[..self.prefix.len() + dot];

        let mut buffer = [0; MAX_TOKEN];
        if !self.key.verify(message, decode(signature, &mut buffer)?) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(decode(payload, &mut buffer)?).ok()?;
        let now = seconds_since_epoch();
        let valid = claims.iss == ISSUER
            && claims.aud == AUDIENCE
            && claims.exp + LEEWAY > now
            && claims.nbf <= now + LEEWAY;
        valid.then_some(claims)
    }
}

fn decode<'a>(text: &[u8], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let out = base64_simd::Out::from_slice(buffer);
    base64_simd::URL_SAFE_NO_PAD.decode(text, out).ok().map(|bytes| &*bytes)
}

pub(super) struct Floor<S, V> {
    pub(super) inner: S,
    pub(super) verifier: Arc<V>,
}

impl<S, V> Service<Request<Body>> for Floor<S, V>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    V: Verify,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let token = request.headers().get(AUTHORIZATION).and_then(bearer);
        match token.and_then(|token| self.verifier.verify(token)) {
            Some(claims) => {
                request.extensions_mut().insert(claims);
                Either::Left(self.inner.call(request))
            }
            None => Either::Right(ready(Ok(unauthorized()))),
        }
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

fn unauthorized() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

pub(super) fn contender<V: Verify + 'static>(name: &'static str, verifier: V) -> Contender {
    let inner = Handler::<Body>::finding::<V::Claims>();
    Contender::layer::<Body, _>(name, Group::Limit, Floor { inner, verifier: Arc::new(verifier) })
}

pub(super) fn new(fixture: &Fixture) -> Contender {
    contender("floor of a layer", Verifier::new(fixture))
}
