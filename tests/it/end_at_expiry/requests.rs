//! The body of a request ends too, and what a service makes of a part of it is not its response.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::sleep;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jwt_auth::{EndAtExpiryLayer, ExpiringBody, Rejection, RejectionKind};

use super::{
    LEEWAY, LIFETIME, TimerClock, Written, auth, data, next, request, request_of, send,
    stream as body, trailers,
};

const END: u64 = LIFETIME + LEEWAY;

fn grpc<B>(body: B) -> Request<B> {
    request_of("application/grpc", body)
}

/// Sends one frame and then nothing, without an end.
fn upload() -> Written {
    body(stream::iter([data(b"a")]).chain(stream::pending()))
}

/// Reads the whole body, and returns the status whatever happens.
async fn read(request: Request<ExpiringBody<Written>>, status: StatusCode) -> Response<Written> {
    let mut incoming = request.into_body();
    assert_eq!(next(&mut incoming).await, "a");
    assert_eq!(next(&mut incoming).await, "expired");
    assert_eq!(next(&mut incoming).await, "end");
    let mut response = Response::new(body(stream::iter([data(b"done")])));
    *response.status_mut() = status;
    response
}

#[tokio::test(start_paused = true)]
async fn upload_is_cut_off_and_refused_whatever_the_service_responds() {
    for status in [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR] {
        let clock = TimerClock::new();
        let response = send(clock, request(upload()), move |request| read(request, status)).await;
        assert_eq!(clock.seconds(), END);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("the token has expired"), "{challenge}");
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), RejectionKind::ExpiredToken);
        assert_eq!(next(&mut response.into_body()).await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn client_stream_is_cut_off_and_refused_by_grpc() {
    let response =
        send(TimerClock::new(), grpc(upload()), |request| read(request, StatusCode::OK)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "16");
    assert_eq!(response.headers()["grpc-message"], "the token has expired");
}

#[tokio::test(start_paused = true)]
async fn request_that_was_cut_off_is_refused_also_when_the_service_fails() {
    let inner = service_fn(async |request: Request<ExpiringBody<Written>>| {
        request.into_body().collect().await.map(|_| Response::new(body(stream::empty())))
    });
    for (request, status) in
        [(request(upload()), StatusCode::UNAUTHORIZED), (grpc(upload()), StatusCode::OK)]
    {
        let service = auth(TimerClock::new()).layer(EndAtExpiryLayer::new().layer(inner));
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), RejectionKind::ExpiredToken);
        assert_eq!(next(&mut response.into_body()).await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_of_the_service_is_passed_on_if_the_request_was_not_cut_off() {
    let inner = service_fn(async |_: Request<ExpiringBody<Written>>| {
        sleep(Duration::from_secs(2 * END)).await;
        Err::<Response<Written>, BoxError>("broken".into())
    });
    let service = auth(TimerClock::new()).layer(EndAtExpiryLayer::new().layer(inner));
    let error = service.oneshot(request(upload())).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "broken");
}

/// A service that sends back what it gets, and ends with this frame when its input does.
async fn echo(request: Request<ExpiringBody<Written>>, last: &'static str) -> Response<Written> {
    let frames = stream::unfold(Some(request.into_body()), move |incoming| async move {
        let mut incoming = incoming?;
        Some(match &*next(&mut incoming).await {
            "a" => (data(b"a"), Some(incoming)),
            _ if last == "broken" => (Err("broken".into()), None),
            _ => (trailers(last), None),
        })
    });
    let response = Response::builder().header(CONTENT_TYPE, "application/grpc");
    response.body(body(frames)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bidirectional_stream_ends_with_unauthenticated_whatever_the_service_says_last() {
    for last in ["0", "2", "broken"] {
        let clock = TimerClock::new();
        let response = send(clock, grpc(upload()), move |request| echo(request, last)).await;
        let mut outgoing = response.into_body();
        assert_eq!(next(&mut outgoing).await, "a");
        assert_eq!(next(&mut outgoing).await, "status 16 the token has expired");
        assert_eq!(clock.seconds(), END);
        assert_eq!(next(&mut outgoing).await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn request_that_was_read_is_not_cut_off_by_a_slow_service() {
    let response = send(
        TimerClock::new(),
        request(String::from("order")),
        |request: Request<ExpiringBody<String>>| async {
            let mut incoming = request.into_body();
            assert_eq!(next(&mut incoming).await, "order");
            assert_eq!(next(&mut incoming).await, "end");
            sleep(Duration::from_secs(2 * END)).await;
            Response::new(body(stream::iter([data(b"done")])))
        },
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut incoming = response.into_body();
    assert_eq!([next(&mut incoming).await, next(&mut incoming).await], ["done", "end"]);
}

#[tokio::test(start_paused = true)]
async fn request_that_is_read_late_keeps_its_first_frame() {
    let response = send(
        TimerClock::new(),
        request(String::from("order")),
        |request: Request<ExpiringBody<String>>| async {
            sleep(Duration::from_secs(2 * END)).await;
            let mut incoming = request.into_body();
            assert_eq!(next(&mut incoming).await, "order");
            Response::new(body(stream::iter([data(b"done")])))
        },
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
}
