//! How the body of a response ends, for each kind of response.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body::Body;
use tokio::time::sleep;

use super::{LEEWAY, LIFETIME, TimerClock, data, next, response_of, trailers};

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
    let frames = stream::repeat_with(|| data(b"a"));
    let mut body = response_of(clock, GRPC, frames).await.into_body();
    for _ in 0..100 {
        assert_eq!(next(&mut body).await, "a");
    }
    sleep(Duration::from_secs(END - 1)).await;
    assert_eq!(next(&mut body).await, "a");
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
    for (content_type, frames, expected) in [
        (GRPC, vec![data(b"a"), trailers("0")], ["a", "status 0"]),
        (HTTP, vec![data(b"a")], ["a", "end"]),
        (GRPC, vec![data(b"a"), data(b"b")], ["a", "status 16 the token has expired"]),
        (HTTP, vec![data(b"a"), data(b"b")], ["a", "expired"]),
    ] {
        let mut body =
            response_of(TimerClock::new(), content_type, stream::iter(frames)).await.into_body();
        sleep(Duration::from_secs(2 * END)).await;
        assert_eq!([next(&mut body).await, next(&mut body).await], expected, "{content_type}");
    }
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
