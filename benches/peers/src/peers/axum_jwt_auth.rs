//! `axum-jwt-auth` 0.7, with `jsonwebtoken` 10 on RustCrypto, which it turns on itself. It is an extractor and not a
//! layer: this is the thinnest service that runs it and hands its claims on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Response};
use axum_jwt_auth::{Decoder, LocalDecoder};
use http::Request;
use jsonwebtoken10::{DecodingKey, Validation};
use tower_service::Service;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Claims, Fixture, ISSUER};
use crate::providers;

#[derive(Clone)]
struct State(Decoder<Claims>);

impl FromRef<State> for Decoder<Claims> {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

#[derive(Clone)]
struct Extracting<S> {
    inner: S,
    state: State,
}

impl<S> Service<Request<Body>> for Extracting<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut inner, state) = (self.inner.clone(), self.state.clone());
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match axum_jwt_auth::Claims::<Claims>::from_request_parts(&mut parts, &state).await {
                Ok(found) => {
                    parts.extensions.insert(found.claims);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(error) => Ok(error.into_response()),
            }
        })
    }
}

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    use jsonwebtoken10::Algorithm::{ES256, EdDSA, HS256, RS256};
    let bytes = &fixture.public_key;
    let (algorithm, key) = match fixture.algorithm {
        Algorithm::Hs256 => (HS256, DecodingKey::from_secret(fixture.secret.as_bytes())),
        Algorithm::Rs256 => (RS256, DecodingKey::from_rsa_der(bytes)),
        Algorithm::Es256 => (ES256, DecodingKey::from_ec_der(bytes)),
        Algorithm::EdDsa => (EdDSA, DecodingKey::from_ed_der(bytes)),
    };
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.validate_nbf = true;
    let decoder = LocalDecoder::new(vec![key], validation).expect("a decoder");
    let inner = Handler::<Body>::finding::<Claims>();
    let service = Extracting { inner, state: State(Arc::new(decoder)) };
    let contender = Contender::layer::<Body, _>("axum-jwt-auth", Group::Peer, service);
    Some(contender.prepared_by(providers::use_rust_crypto))
}
