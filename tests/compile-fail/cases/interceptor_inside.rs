//! The body of an interceptor of tonic inside of ours has to be mapped.

use std::convert::Infallible;
use std::future::Ready;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::service::interceptor::InterceptorLayer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
use tower_layer::Layer;
use tower_service::Service;

#[derive(Clone)]
struct Handler;

impl Service<Request<()>> for Handler {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(Response::default()))
    }
}

fn serve(_: impl Service<Request<()>>) {}

fn main() {
    let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key).unwrap();
    let inner = InterceptorLayer::new(Ok).layer(Handler);
    serve(JwtAuthLayer::new(verifier).layer(inner));
}
