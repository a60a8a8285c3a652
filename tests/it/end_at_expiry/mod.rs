//! Streams that end when the token of their request expires.

mod bodies;
mod contract;
mod grpc;
mod grpc_web;
mod requests;
mod time;
mod without_expiry;

use std::convert::Infallible;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::time::Instant;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Clock, EndAtExpiryLayer, ExpiringBody, JwtAuthLayer, NumericDate, Rejection,
    RejectionKind,
};

use crate::support::{NOW, claims_with, key};

/// How long the tokens of these tests are valid, and the default leeway of a verifier.
const LIFETIME: u64 = 100;
const LEEWAY: u64 = 30;

/// A clock that goes with the timers of tokio, which tests pause.
#[derive(Clone, Copy, Debug)]
struct TimerClock(Instant);

impl TimerClock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn seconds(self) -> u64 {
        self.0.elapsed().as_secs()
    }
}

impl Clock for TimerClock {
    fn now(&self) -> NumericDate {
        NumericDate::from_unix_seconds(NOW + i64::try_from(self.seconds()).unwrap())
    }
}

/// A message of one byte.
const MESSAGE: &str = "\0\0\0\0\u{1}a";

type BoxedStream = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, BoxError>> + Send>>;
/// What the services of these tests write.
type Written = StreamBody<BoxedStream>;

fn stream(frames: impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static) -> Written {
    StreamBody::new(Box::pin(frames))
}

fn data(bytes: &'static [u8]) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}

fn trailers(status: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::trailers(HeaderMap::from_iter([(
        "grpc-status".parse().unwrap(),
        status.parse().unwrap(),
    )])))
}

/// A token that is valid for [`LIFETIME`] from [`NOW`].
fn authorization() -> String {
    let claims = claims_with("exp", NOW + i64::try_from(LIFETIME).unwrap());
    format!("Bearer {}", key(Algorithm::EdDSA).token(&claims))
}

fn auth(clock: impl Clock) -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::EdDSA).verifier().with_clock(clock))
}

fn request<B>(body: B) -> Request<B> {
    Request::post("/").header("authorization", authorization()).body(body).unwrap()
}

/// The request of a client of gRPC, or of another with this type.
fn request_of<B>(content_type: &'static str, body: B) -> Request<B> {
    let mut request = request(body);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// Sends a request through both layers to a service.
async fn send<B, F>(
    clock: impl Clock,
    request: Request<B>,
    respond: impl Fn(Request<ExpiringBody<B>>) -> F + Clone,
) -> Response<ExpiringBody<Written>>
where
    F: Future<Output = Response<Written>>,
{
    let inner = service_fn(move |request| {
        let response = respond(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let service =
        ServiceBuilder::new().layer(auth(clock)).layer(EndAtExpiryLayer::new()).service(inner);
    service.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// The response of a service that writes these frames, to a request of the same type.
async fn response_of(
    clock: impl Clock,
    content_type: &'static str,
    frames: impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static,
) -> Response<ExpiringBody<Written>> {
    let response = Response::builder().header(CONTENT_TYPE, content_type).body(stream(frames));
    respond(clock, request_of(content_type, String::new()), response.unwrap()).await
}

/// What becomes of this response.
async fn respond(
    clock: impl Clock,
    request: Request<String>,
    response: Response<Written>,
) -> Response<ExpiringBody<Written>> {
    let response = std::sync::Arc::new(std::sync::Mutex::new(Some(response)));
    send(clock, request, move |_| {
        let response = response.lock().unwrap().take().unwrap();
        async move { response }
    })
    .await
}

/// The next frame: data as text, trailers as status and message, an error as its reason.
async fn next<B>(body: &mut B) -> String
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    match body.frame().await {
        None => "end".to_owned(),
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => String::from_utf8_lossy(&data).into_owned(),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap();
                let message = trailers.get("grpc-message").map(|it| it.to_str().unwrap());
                let status = trailers["grpc-status"].to_str().unwrap();
                format!("status {status} {}", message.unwrap_or_default()).trim().to_owned()
            }
        },
        Some(Err(error)) => match error.downcast::<Rejection>() {
            Ok(rejection) => match rejection.kind() {
                RejectionKind::ExpiredToken => "expired".to_owned(),
                kind => kind.as_str().to_owned(),
            },
            Err(error) => error.to_string(),
        },
    }
}
