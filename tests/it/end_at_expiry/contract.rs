//! What Tower and bodies promise, and what is logged.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{Algorithm, EndAtExpiryLayer, ExpiringBody, ProblemJson};

use super::{TimerClock, auth, authorization, data, next, request, request_of, response_of};
use crate::support::key;

/// A service that cannot be cloned, and whose readiness counts. Its future holds a permit.
struct Once {
    is_ready: bool,
    permit: Arc<()>,
}

impl Service<Request<ExpiringBody<String>>> for Once {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ExpiringBody<String>>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "the instance that was polled ready is called");
        let permit = Arc::clone(&self.permit);
        Box::pin(std::future::poll_fn(move |_| {
            let _held = &permit;
            Poll::Ready(Ok(Response::new("done".into())))
        }))
    }
}

#[tokio::test]
async fn inner_service_is_not_cloned_and_its_future_is_dropped_when_it_completes() {
    let permit = Arc::new(());
    let inner = Once { is_ready: false, permit: Arc::clone(&permit) };
    let mut service = EndAtExpiryLayer::new().layer(inner);
    let authorization = authorization();
    let token = authorization.strip_prefix("Bearer ").unwrap();
    let token = key(Algorithm::EdDSA).verifier().verify_now(token).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let held = Arc::strong_count(&permit);
    for _ in 0..2 {
        let mut request = request(String::new());
        request.extensions_mut().insert(token.clone());
        let mut future = service.ready().await.unwrap().call(request);
        assert_eq!(Arc::strong_count(&permit), held + 1);
        let Poll::Ready(Ok(response)) = Pin::new(&mut future).poll(&mut context) else {
            panic!("the service responds at once");
        };
        assert_eq!(response.status(), 200);
        assert_eq!(Arc::strong_count(&permit), held, "the future of the service is dropped");
        assert!(Pin::new(&mut future).poll(&mut context).is_pending());
    }
    assert!(format!("{:?}", EndAtExpiryLayer::new()).contains("EndAtExpiryLayer"));
}

/// The length is known if nothing can be added: the end is then an error.
#[tokio::test(start_paused = true)]
async fn length_is_kept_for_http_and_unknown_for_grpc() {
    for (content_type, length) in
        [("text/plain", Some(4)), ("application/grpc", None), ("application/grpc-web", None)]
    {
        let inner = service_fn(move |_: Request<ExpiringBody<String>>| async move {
            let response = Response::builder().header("content-type", content_type);
            Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(b"done"))).unwrap())
        });
        let service = ServiceBuilder::new()
            .layer(auth(TimerClock::new()))
            .layer(EndAtExpiryLayer::new())
            .service(inner);
        let request = request_of(content_type, String::new());
        let body = service.oneshot(request).await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), length);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "done");
    }
    assert_eq!(ExpiringBody::<String>::default().size_hint().exact(), Some(0));
    assert!(ExpiringBody::<String>::default().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn responder_outside_writes_the_body_of_a_refusal() {
    let inner = service_fn(async |request: Request<ExpiringBody<Full<Bytes>>>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(request.uri().to_string()))))
    });
    let service = ServiceBuilder::new()
        .layer(auth(TimerClock::new()).with_rejection_response(ProblemJson::new()))
        .layer(EndAtExpiryLayer::new())
        .service(inner);
    let request = Request::new(Full::new(Bytes::new()));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 401);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"{"), "{body:?}");
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn end_of_a_stream_is_one_event_at_debug() {
    use crate::support::log_text::Log;

    let (log, _guard) = Log::start(tracing::Level::DEBUG);
    let frames = stream::iter([data(b"a")]).chain(stream::pending());
    let mut body = response_of(TimerClock::new(), "application/grpc", frames).await.into_body();
    while next(&mut body).await != "end" {}
    let text = log.text();
    assert_eq!(text.matches("ended a stream").count(), 1, "{text}");
    assert!(text.contains("DEBUG") && text.contains("reason=ExpiredToken"), "{text}");
}
