//! gRPC-Web streams end with a frame of trailers, on either side of tonic's translator.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::time::sleep;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::EndAtExpiryLayer;

use super::{
    LEEWAY, LIFETIME, TimerClock, auth, authorization, data, next, request_of, response_of,
    stream as body, trailers,
};
use crate::support::grpc_web::Frames;

/// A message of two bytes.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
/// The same in base64.
const MESSAGE_AS_TEXT: &[u8] = b"AAAAAAIIAQ==";

fn assert_ends_after_one_message(frames: &Frames) {
    assert_eq!(frames.messages, [[8, 1]]);
    assert_eq!(frames.trailer("grpc-status"), Some("16"));
    assert_eq!(frames.trailer("grpc-message"), Some("the token has expired"));
}

#[tokio::test(start_paused = true)]
async fn translated_stream_ends_with_a_frame_of_trailers() {
    for (content_type, message) in [
        ("application/grpc-web", MESSAGE),
        ("application/grpc-web+proto", MESSAGE),
        ("application/grpc-web-text", MESSAGE_AS_TEXT),
        ("application/grpc-web-text+proto", MESSAGE_AS_TEXT),
    ] {
        let frames = stream::iter([data(message)]).chain(stream::pending());
        let response = response_of(TimerClock::new(), content_type, frames).await;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_ends_after_one_message(&match content_type.contains("text") {
            true => Frames::read_text(&bytes),
            false => Frames::read(&bytes),
        });
    }
}

#[tokio::test(start_paused = true)]
async fn stream_ends_with_an_error_within_a_message() {
    let frames = stream::iter([data(&MESSAGE[..6])]).chain(stream::pending());
    let mut body = response_of(TimerClock::new(), "application/grpc-web", frames).await.into_body();
    next(&mut body).await;
    assert_eq!(next(&mut body).await, "expired");
}

#[tokio::test(start_paused = true)]
async fn translator_outside_makes_a_frame_of_the_trailers() {
    let inner = service_fn(async |_| {
        let frames = stream::iter([data(MESSAGE)]).chain(stream::pending());
        let response = Response::builder().header("content-type", "application/grpc");
        Ok::<_, std::convert::Infallible>(
            response.body(tonic::body::Body::new(body(frames))).unwrap(),
        )
    });
    for (content_type, is_text) in
        [("application/grpc-web+proto", false), ("application/grpc-web-text+proto", true)]
    {
        let service = ServiceBuilder::new()
            .layer(GrpcWebLayer::new())
            .layer(auth(TimerClock::new()))
            .layer(EndAtExpiryLayer::new())
            .service(inner);
        let request = Request::post("/test.Streams/Watch")
            .header("content-type", content_type)
            .header("accept", content_type)
            .header("authorization", authorization())
            .body(String::new())
            .unwrap();
        let response = service.oneshot(request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_ends_after_one_message(&if is_text {
            Frames::read_text(&bytes)
        } else {
            Frames::read(&bytes)
        });
    }
}

/// The frame of trailers that a service writes: of an executed call.
const OK: &[u8] = b"\x80\0\0\0\x0fgrpc-status:0\r\n";

fn frame(bytes: &[u8], is_text: bool) -> Frame<Bytes> {
    Frame::data(match is_text {
        false => Bytes::copy_from_slice(bytes),
        true => base64_text(bytes).into(),
    })
}

fn base64_text(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn assert_is_executed(bytes: &[u8], is_text: bool) {
    let frames = if is_text { Frames::read_text(bytes) } else { Frames::read(bytes) };
    assert_eq!(frames.messages, [[8, 1]]);
    assert_eq!(frames.trailer("grpc-status"), Some("0"));
}

/// tonic's translator writes the message and the trailers in two frames of data.
#[tokio::test(start_paused = true)]
async fn late_call_keeps_its_own_status() {
    for (content_type, is_text) in
        [("application/grpc-web+proto", false), ("application/grpc-web-text+proto", true)]
    {
        // As one or two frames, and a byte at a time.
        for size in [1, MESSAGE.len(), MESSAGE.len() + OK.len()] {
            let bytes = [MESSAGE, OK].concat();
            let frames = bytes.chunks(size).map(|it| Ok(frame(it, is_text))).collect::<Vec<_>>();
            let response = response_of(TimerClock::new(), content_type, stream::iter(frames)).await;
            sleep(Duration::from_secs(2 * (LIFETIME + LEEWAY))).await;
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            assert_is_executed(&bytes, is_text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn late_call_keeps_its_own_status_around_the_translator() {
    let inner = service_fn(async |_| {
        let frames = stream::iter([data(MESSAGE), trailers("0")]);
        let response = Response::builder().header("content-type", "application/grpc");
        sleep(Duration::from_secs(2 * (LIFETIME + LEEWAY))).await;
        Ok::<_, std::convert::Infallible>(
            response.body(tonic::body::Body::new(body(frames))).unwrap(),
        )
    });
    for (content_type, is_text) in
        [("application/grpc-web+proto", false), ("application/grpc-web-text+proto", true)]
    {
        let service = ServiceBuilder::new()
            .layer(auth(TimerClock::new()))
            .layer(EndAtExpiryLayer::new())
            .layer(GrpcWebLayer::new())
            .service(inner);
        let mut request = request_of(content_type, String::new());
        request.headers_mut().insert("accept", content_type.parse().unwrap());
        let response = service.oneshot(request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_is_executed(&bytes, is_text);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_trailers_of_the_service() {
    for is_late in [false, true] {
        let frames = stream::iter([data(MESSAGE), data(OK)]).chain(stream::pending());
        let response = response_of(TimerClock::new(), "application/grpc-web", frames).await;
        if is_late {
            sleep(Duration::from_secs(2 * (LIFETIME + LEEWAY))).await;
        }
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_is_executed(&bytes, false);
    }
}

#[tokio::test(start_paused = true)]
async fn late_stream_ends_after_its_first_message() {
    let frames = stream::iter([data(MESSAGE), data(MESSAGE), data(OK)]);
    let response = response_of(TimerClock::new(), "application/grpc-web", frames).await;
    sleep(Duration::from_secs(2 * (LIFETIME + LEEWAY))).await;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_ends_after_one_message(&Frames::read(&bytes));
}

#[tokio::test(start_paused = true)]
async fn late_frame_with_several_messages_is_cut_after_the_first_one() {
    for (content_type, is_text) in
        [("application/grpc-web+proto", false), ("application/grpc-web-text+proto", true)]
    {
        let frames = stream::iter([Ok(frame(&[MESSAGE, MESSAGE, OK].concat(), is_text))]);
        let response = response_of(TimerClock::new(), content_type, frames).await;
        sleep(Duration::from_secs(2 * (LIFETIME + LEEWAY))).await;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_ends_after_one_message(&match is_text {
            true => Frames::read_text(&bytes),
            false => Frames::read(&bytes),
        });
    }
}
