//! A closure is set as responder by `with_rejection_fn`.

use http::{Request, Response};
use tower::{Service, ServiceBuilder, service_fn};
use tower_jwt_auth::{JwtAuthLayer, Rejection, any_bearer};

fn serve(_: impl Service<Request<()>>) {}

fn respond(rejection: &Rejection, _: &http::request::Parts) -> Response<String> {
    Response::new(rejection.to_string())
}

fn main() {
    let inner = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::<String>::default()));
    let layer = JwtAuthLayer::new(any_bearer()).with_rejection_response(respond);
    serve(ServiceBuilder::new().layer(layer).service(inner));
}
