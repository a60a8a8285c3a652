//! Layers inside of ours whose response bodies are types of their own.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::service::interceptor::InterceptorLayer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutBody};
use tower_http::trace::TraceLayer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, Rejection, RejectionKind, ResponseForRejection};

use crate::support::{claims, key};

fn auth() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

async fn hello<B>(_: Request<B>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from("hello")))
}

fn request(token: Option<&str>, content_type: &str) -> Request<Body> {
    let mut request =
        Request::post("/").header("content-type", content_type).header("te", "trailers");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

/// A good token passes; a request without one is refused over HTTP and over gRPC, with this body.
async fn assert_accepts_and_refuses<S, B>(service: S, refused: &str)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: std::fmt::Debug,
    B: HttpBody,
    B::Error: std::fmt::Debug,
{
    let good = key(Algorithm::ES256).token(&claims());
    for (request, status, body) in [
        (request(Some(&good), "text/plain"), 200, "hello"),
        (request(None, "text/plain"), 401, refused),
        (request(None, "application/grpc"), 200, ""),
    ] {
        let is_refused = request.headers().get("authorization").is_none();
        let (head, sent) = service.clone().oneshot(request).await.unwrap().into_parts();
        assert_eq!(head.status, status);
        let kind = head.extensions.get::<Rejection>().map(Rejection::kind);
        assert_eq!(kind, is_refused.then_some(RejectionKind::MissingCredentials));
        let bytes = sent.collect().await.unwrap().to_bytes();
        assert_eq!(bytes, body.as_bytes());
    }
}

#[tokio::test]
async fn request_body_limit_layer_fits_inside_as_it_is() {
    let service = ServiceBuilder::new()
        .layer(auth())
        .layer(RequestBodyLimitLayer::new(1024))
        .service(service_fn(hello));
    assert_accepts_and_refuses(service, "").await;
}

/// Makes bodies with a time-out, which have no `Default`.
struct WithinFiveSeconds;

impl WithinFiveSeconds {
    fn body(body: Body) -> TimeoutBody<Body> {
        TimeoutBody::new(Duration::from_secs(5), body)
    }
}

impl ResponseForRejection<TimeoutBody<Body>> for WithinFiveSeconds {
    type Remembered = ();

    fn remember(&self, _: &Parts) {}

    fn response_for_rejection(
        &self,
        rejection: &Rejection,
        (): &(),
    ) -> Response<TimeoutBody<Body>> {
        let mut response = Response::new(Self::body(Body::from(rejection.to_string())));
        *response.status_mut() = rejection.status();
        response
    }

    fn empty_body(&self) -> TimeoutBody<Body> {
        Self::body(Body::empty())
    }
}

#[tokio::test]
async fn response_body_timeout_layer_fits_inside_with_a_custom_responder() {
    let service = ServiceBuilder::new()
        .layer(auth().with_rejection_response(WithinFiveSeconds))
        .layer(ResponseBodyTimeoutLayer::new(Duration::from_secs(5)))
        .service(service_fn(hello));
    assert_accepts_and_refuses(service, "no bearer token was given").await;
}

#[tokio::test]
async fn trace_layer_fits_inside_with_map_response_body_between() {
    let service = ServiceBuilder::new()
        .layer(auth())
        .layer(MapResponseBodyLayer::new(Body::new))
        .layer(TraceLayer::new_for_http())
        .service(service_fn(hello));
    assert_accepts_and_refuses(service, "").await;
}

#[tokio::test]
async fn interceptor_of_tonic_fits_inside_with_map_response_body_between() {
    let service = ServiceBuilder::new()
        .layer(auth())
        .layer(MapResponseBodyLayer::new(tonic::body::Body::new))
        .layer(InterceptorLayer::new(Ok))
        .service(service_fn(hello));
    assert_accepts_and_refuses(service, "").await;
}
