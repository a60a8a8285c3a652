//! A closure is set as responder by `with_rejection_fn`.

use std::convert::Infallible;
use std::future::Ready;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, JwtVerifier, Rejection, RequestSummary, VerificationKey,
};
use tower_layer::Layer;
use tower_service::Service;

#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
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

fn respond(rejection: &Rejection, _: &RequestSummary) -> Response<String> {
    Response::new(rejection.to_string())
}

fn main() {
    let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key).unwrap();
    let layer = JwtAuthLayer::new(verifier).with_rejection_response(respond);
    serve(layer.layer(Inner));
}
