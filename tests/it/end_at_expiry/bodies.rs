//! How the body of a response ends, for each kind of response.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::Response;
use http_body::{Body, Frame};
use tokio::time::sleep;

use super::{
    LEEWAY, LIFETIME, MESSAGE, TimerClock, data, next, request, request_of, respond, response_of,
    stream as body, trailers,
};

const HTTP: &str = "application/json";
const GRPC: &str = "application/grpc+proto";
const END: u64 = LIFETIME + LEEWAY;

#[tokio::test(start_paused = true)]
async fn grpc_stream_ends_with_unauthenticated() {
    let clock = TimerClock::new();
    let frames = stream::iter([data(b"a"), data(b"b")]).chain(stream::pending());
    let mut body = response_of(clock, GRPC, frames).await.into_body();
    assert_eq!([next(&mut body).await, next(&mut body).await], ["a", "b"]);
    assert_eq!(clock.seconds(), 0);
    assert_eq!(next(&mut body).await, "status 16 the token has expired");
    assert_eq!(clock.seconds(), END);
    assert!(body.is_end_stream());
    assert_eq!(next(&mut body).await, "end");
}

#[tokio::test(start_paused = true)]
async fn http_stream_ends_with_an_error() {
    for content_type in [HTTP, "text/event-stream", "application/grpcx", ""] {
        let clock = TimerClock::new();
        let frames = stream::iter([data(b"a")]).chain(stream::pending());
        let mut body = response_of(clock, content_type, frames).await.into_body();
        assert_eq!(next(&mut body).await, "a");
        assert_eq!(next(&mut body).await, "expired");
        assert_eq!(clock.seconds(), END);
        assert_eq!(next(&mut body).await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn stream_that_never_said_anything_ends_too() {
    for (content_type, end) in [(GRPC, "status 16 the token has expired"), (HTTP, "expired")] {
        let clock = TimerClock::new();
        let mut body = response_of(clock, content_type, stream::pending()).await.into_body();
        assert_eq!(next(&mut body).await, end);
        assert_eq!(clock.seconds(), END);
    }
}

#[tokio::test(start_paused = true)]
async fn stream_that_always_has_data_ends() {
    let clock = TimerClock::new();
    let frames = stream::repeat_with(|| data(MESSAGE.as_bytes()));
    let mut body = response_of(clock, GRPC, frames).await.into_body();
    for _ in 0..100 {
        assert_eq!(next(&mut body).await, MESSAGE);
    }
    sleep(Duration::from_secs(END - 1)).await;
    assert_eq!(next(&mut body).await, MESSAGE);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(next(&mut body).await, "status 16 the token has expired");
}

#[tokio::test(start_paused = true)]
async fn stream_that_ends_before_keeps_its_own_end() {
    let clock = TimerClock::new();
    let frames = stream::iter([data(b"a"), trailers("5")]);
    let mut body = response_of(clock, GRPC, frames).await.into_body();
    assert_eq!([next(&mut body).await, next(&mut body).await], ["a", "status 5"]);
    assert_eq!(next(&mut body).await, "end");
    let frames = stream::iter([data(b"a"), Err("broken".into())]);
    let mut body = response_of(clock, HTTP, frames).await.into_body();
    assert_eq!([next(&mut body).await, next(&mut body).await], ["a", "broken"]);
}

/// A service that took its time has done its work: its client must not do it again.
#[tokio::test(start_paused = true)]
async fn late_response_of_one_message_is_not_cut_off() {
    let message = || data(MESSAGE.as_bytes());
    for (content_type, frames, expected) in [
        (GRPC, vec![message(), trailers("0")], [MESSAGE, "status 0"]),
        (HTTP, vec![data(b"a")], ["a", "end"]),
        (GRPC, vec![message(), message()], [MESSAGE, "status 16 the token has expired"]),
        (HTTP, vec![data(b"a"), data(b"b")], ["a", "expired"]),
    ] {
        let mut body =
            response_of(TimerClock::new(), content_type, stream::iter(frames)).await.into_body();
        sleep(Duration::from_secs(2 * END)).await;
        assert_eq!([next(&mut body).await, next(&mut body).await], expected, "{content_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn late_message_in_several_frames_is_not_cut_off() {
    let frames = MESSAGE.as_bytes().chunks(2).map(data).chain([trailers("0")]);
    let frames = stream::iter(frames.collect::<Vec<_>>());
    let mut body = response_of(TimerClock::new(), GRPC, frames).await.into_body();
    sleep(Duration::from_secs(2 * END)).await;
    let mut sent = String::new();
    for _ in 0..3 {
        sent.push_str(&next(&mut body).await);
    }
    assert_eq!(sent, MESSAGE);
    assert_eq!([next(&mut body).await, next(&mut body).await], ["status 0", "end"]);
}

/// tonic packs the messages that are ready into one frame of data.
#[tokio::test(start_paused = true)]
async fn late_frame_with_several_messages_is_cut_after_the_first_one() {
    let bytes = [MESSAGE; 3].concat();
    for start in 0..MESSAGE.len() {
        let (begin, rest) = bytes.split_at(start);
        let frames = [begin, rest].map(|it| Ok(Frame::data(it.as_bytes().to_vec().into())));
        let frames = stream::iter(frames).chain(stream::iter([trailers("0")]));
        let mut body = response_of(TimerClock::new(), GRPC, frames).await.into_body();
        sleep(Duration::from_secs(2 * END)).await;
        let sent = next(&mut body).await + &next(&mut body).await;
        assert_eq!(sent, MESSAGE, "{start}");
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
        assert_eq!(next(&mut body).await, "status 16 the token has expired");
        assert!(body.is_end_stream());
        assert_eq!(next(&mut body).await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn frame_with_several_messages_passes_before_the_end() {
    let bytes = [MESSAGE; 3].concat();
    let frames = [Ok(Frame::data(bytes.clone().into())), trailers("0")];
    let mut body = response_of(TimerClock::new(), GRPC, stream::iter(frames)).await.into_body();
    sleep(Duration::from_secs(END - 1)).await;
    assert_eq!([next(&mut body).await, next(&mut body).await], [&*bytes, "status 0"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_trailers_of_a_grpc_service() {
    for is_late in [false, true] {
        let frames = stream::iter([data(MESSAGE.as_bytes()), trailers("0")]);
        let frames = frames.chain(stream::pending());
        let mut body = response_of(TimerClock::new(), GRPC, frames).await.into_body();
        if is_late {
            sleep(Duration::from_secs(2 * END)).await;
        }
        assert_eq!([next(&mut body).await, next(&mut body).await], [MESSAGE, "status 0"]);
        assert_eq!(next(&mut body).await, "end");
    }
}

/// The uploader of a file may have chosen its type. Without an error, a client would take the part for the whole.
#[tokio::test(start_paused = true)]
async fn response_is_grpc_only_if_its_request_is() {
    let file = |content_type: &str| {
        let frames = stream::iter([data(MESSAGE.as_bytes())]).chain(stream::pending());
        Response::builder().header("content-type", content_type).body(body(frames)).unwrap()
    };
    let web = "application/grpc-web";
    for (content_type, asked) in [
        (GRPC, request(String::new())),
        (web, request(String::new())),
        (GRPC, request_of(HTTP, String::new())),
        (web, request_of(HTTP, String::new())),
        (GRPC, request_of(web, String::new())),
        (web, request_of(GRPC, String::new())),
    ] {
        let mut response = respond(TimerClock::new(), asked, file(content_type)).await.into_body();
        assert_eq!(next(&mut response).await, MESSAGE);
        assert_eq!(next(&mut response).await, "expired", "{content_type}");
    }
    let mut get = request_of(GRPC, String::new());
    *get.method_mut() = http::Method::GET;
    let mut response = respond(TimerClock::new(), get, file(GRPC)).await.into_body();
    assert_eq!([next(&mut response).await, next(&mut response).await], [MESSAGE, "expired"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_added_to_a_response_with_a_length() {
    for content_type in [GRPC, "application/grpc-web", "application/grpc-web-text"] {
        let response = Response::builder()
            .header("content-type", content_type)
            .header("content-length", "100")
            .body(body(stream::pending()));
        let asked = request_of(content_type, String::new());
        let response = respond(TimerClock::new(), asked, response.unwrap()).await;
        assert_eq!(next(&mut response.into_body()).await, "expired", "{content_type}");
    }
}

#[cfg(feature = "grpc-error-info")]
#[tokio::test(start_paused = true)]
async fn end_of_a_stream_has_the_error_info_of_the_layer() {
    use http_body_util::BodyExt;
    use tonic_types::StatusExt;
    use tower::{Layer, ServiceExt, service_fn};
    use tower_jwt_auth::{EndAtExpiryLayer, RegisteredClaims};

    let layer = EndAtExpiryLayer::new().with_grpc_error_info("orders.example").unwrap();
    let layer = layer.with_claims::<RegisteredClaims>().clone();
    let service = super::auth(TimerClock::new()).layer(layer.layer(service_fn(async |_| {
        let response = Response::builder().header("content-type", GRPC);
        Ok::<_, tower::BoxError>(response.body(body(stream::pending())).unwrap())
    })));
    let response = service.oneshot(request_of(GRPC, String::new())).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    let status = tonic::Status::from_header_map(body.trailers().unwrap()).unwrap();
    let info = status.get_details_error_info().unwrap();
    assert_eq!((&*info.reason, &*info.domain), ("EXPIRED_TOKEN", "orders.example"));
    assert_eq!(info.metadata["error"], "invalid_token");
    assert!(EndAtExpiryLayer::new().with_grpc_error_info("a b").is_err());
}

#[tokio::test(start_paused = true)]
async fn stream_of_the_service_is_dropped_when_it_ends() {
    let witness = Arc::new(());
    let held = Arc::clone(&witness);
    let frames = stream::pending().map(move |frame| {
        let _ = &held;
        frame
    });
    let mut body = response_of(TimerClock::new(), GRPC, frames).await.into_body();
    assert_eq!(Arc::strong_count(&witness), 2);
    assert_eq!(next(&mut body).await, "status 16 the token has expired");
    assert_eq!(Arc::strong_count(&witness), 1);
}
