//! Tokens of other sources over the wire: WebSocket handshakes, metadata of gRPC, and pages of other origins.

use std::net::SocketAddr;

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_http::cors::CorsLayer;
use tower_jwt_auth::{Source, VerifiedToken, cors_exposed_headers};

use super::{Version, good, layer, request, send, serve_axum};
use crate::support::b64;

/// The token of [`good`].
fn token() -> String {
    good().replacen("Bearer ", "", 1)
}

fn protocol() -> String {
    format!("base64url.bearer.authorization.k8s.io.{}", b64(token()))
}

async fn live(Extension(token): Extension<VerifiedToken>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["live.v1"]).on_upgrade(async move |mut socket| {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            let answer = format!("{} said {text}", token.sub.as_deref().unwrap());
            socket.send(Message::Text(answer.into())).await.unwrap();
        }
    })
}

async fn server() -> SocketAddr {
    let sources = [Source::authorization_header(), Source::websocket_protocol()];
    let layer = layer().with_sources(sources).unwrap();
    serve_axum(Router::new().route("/live", any(live)).layer(layer)).await
}

/// A handshake over HTTP/1.1: the stream after it, the status line and the selected sub-protocol.
async fn handshake(address: SocketAddr, protocols: &str) -> (TcpStream, String, Option<String>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /live HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {protocols}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    let mut lines = answer.lines();
    let status = lines.next().unwrap().to_owned();
    let selected = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-protocol").then(|| value.trim().to_owned())
    });
    (stream, status, selected)
}

#[tokio::test]
async fn websocket_opens_with_the_token_in_a_sub_protocol() {
    let address = server().await;
    let (mut stream, status, selected) =
        handshake(address, &format!("live.v1, {}", protocol())).await;
    assert!(status.starts_with("HTTP/1.1 101 "), "{status}");
    assert_eq!(selected.as_deref(), Some("live.v1"));

    // A text frame with a mask of zeros: FIN and text, MASK and length, mask, "hi".
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut frame = [0; 15];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame[..2], &[0x81, 13]);
    assert_eq!(&frame[2..], b"alice said hi");
}

#[tokio::test]
async fn websocket_that_offers_the_token_alone_gets_it_selected() {
    let (_, status, selected) = handshake(server().await, &protocol()).await;
    assert!(status.starts_with("HTTP/1.1 101 "), "{status}");
    assert_eq!(selected, Some(protocol()));
}

#[tokio::test]
async fn websocket_without_a_good_token_is_refused_before_it_opens() {
    let address = server().await;
    let bad = format!("live.v1, {}*", protocol());
    for (protocols, expected) in [("live.v1", "401"), (&*bad, "400")] {
        let (_, status, selected) = handshake(address, protocols).await;
        assert!(status.starts_with(&format!("HTTP/1.1 {expected} ")), "{status}");
        assert_eq!(selected, None);
    }
}

#[tokio::test]
async fn websocket_over_http_2_opens_with_the_token_in_a_sub_protocol() {
    let address = server().await;
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async |protocols: &str| {
        let request = Request::connect(format!("http://{address}/live"))
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", protocols)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let selected = response.headers().get("sec-websocket-protocol").cloned();
        (response.status(), selected.map(|value| value.to_str().unwrap().to_owned()))
    };
    let both = format!("live.v1, {}", protocol());
    assert_eq!(ask(&both).await, (StatusCode::OK, Some("live.v1".to_owned())));
    assert_eq!(ask(&protocol()).await, (StatusCode::OK, Some(protocol())));
    assert_eq!(ask("live.v1").await, (StatusCode::UNAUTHORIZED, None));
}

#[tokio::test]
async fn grpc_client_sends_the_token_in_other_metadata() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let layer = layer().with_sources([Source::header("x-token").unwrap()]).unwrap();
    let router = Routes::new(health).into_axum_router().layer(layer);
    let address = serve_axum(router).await;
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    let mut call = async |name: &'static str, value: &str| {
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert(name, value.parse().unwrap());
        client.check(request).await.map(|_| ()).map_err(|status| status.code())
    };
    assert_eq!(call("x-token", &token()).await, Ok(()));
    assert_eq!(call("x-token", "bad").await, Err(Code::Unauthenticated));
    assert_eq!(call("authorization", &good()).await, Err(Code::Unauthenticated));
}

#[tokio::test]
async fn page_of_another_origin_may_read_the_challenge() {
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static("https://app.example"))
        .allow_methods([Method::GET])
        .expose_headers(cors_exposed_headers());
    let address = serve_axum(Router::new().layer(layer()).layer(cors)).await;
    let asked = request(address, None).header("origin", "https://app.example");
    let refused = send(address, Version::Http1, asked).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let exposed = refused.headers()["access-control-expose-headers"].to_str().unwrap();
    let exposed: Vec<&str> = exposed.split(',').collect();
    for name in [
        "www-authenticate",
        "retry-after",
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
    ] {
        assert!(exposed.contains(&name), "{exposed:?}");
    }
}
