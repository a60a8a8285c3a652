//! The body of a service that a rule protects must have an empty form, too.

use std::convert::Infallible;
use std::future::Ready;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_jwt_auth::{AuthorizeLayer, AuthorizeService, Rule};
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
    serve(protect(AuthorizeLayer::new(Rule::scope("orders:read").unwrap())));
}

fn protect(layer: AuthorizeLayer) -> AuthorizeService<Inner> {
    tower_layer::Layer::layer(&layer, Inner)
}
