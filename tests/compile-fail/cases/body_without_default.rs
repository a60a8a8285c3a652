//! The inner service's body must have an empty form.

use std::convert::Infallible;
use std::future::Ready;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_jwt_auth::{Algorithm, JwtAuth, JwtAuthLayer, JwtVerifier, VerificationKey};
use tower_service::Service;

struct Body;

#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body)))
    }
}

fn serve(_: impl Service<Request<()>>) {}

fn main() {
    let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key).unwrap();
    serve(protect(JwtAuthLayer::new(verifier)));
}

fn protect(layer: JwtAuthLayer) -> JwtAuth<Inner> {
    tower_layer::Layer::layer(&layer, Inner)
}
