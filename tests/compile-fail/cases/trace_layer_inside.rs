//! The body of a `TraceLayer` inside of ours has to be mapped.

use std::convert::Infallible;
use std::future::Ready;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_http::trace::TraceLayer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
use tower_layer::Layer;
use tower_service::Service;

#[derive(Clone)]
struct Handler;

impl Service<Request<String>> for Handler {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        std::future::ready(Ok(Response::default()))
    }
}

fn serve(_: impl Service<Request<String>>) {}

fn main() {
    let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key).unwrap();
    let inner = TraceLayer::new_for_http().layer(Handler);
    serve(JwtAuthLayer::new(verifier).layer(inner));
}
