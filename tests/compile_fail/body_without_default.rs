//! The inner service's body must have an empty form; that of hyper's client has none.

use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, service_fn};
use tower_jwt_auth::{JwtAuthLayer, any_bearer};

async fn forward(_: Request<()>) -> Result<Response<Incoming>, std::io::Error> {
    Err(std::io::ErrorKind::NotConnected.into())
}

fn serve(_: impl Service<Request<()>>) {}

fn main() {
    let layer = JwtAuthLayer::new(any_bearer());
    serve(ServiceBuilder::new().layer(layer).service(service_fn(forward)));
}
