//! The layer in real servers, on loopback, with real clients: `axum::serve`, plain hyper connections
//! and tonic's server.

mod frames;
mod grpc;
mod grpc_streams;
#[cfg(feature = "axum")]
mod grpc_web;
mod sources;
mod web;

use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tower_jwt_auth::{Algorithm, JwtAuthLayer};

use crate::support::{NOW, claims, claims_with, key};

const EXPIRED: &str =
    r#"Bearer realm="api", error="invalid_token", error_description="the token has expired""#;
const CHECK: &str = "/grpc.health.v1.Health/Check";

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::EdDSA).verifier())
}

fn good() -> String {
    format!("Bearer {}", key(Algorithm::EdDSA).token(&claims()))
}

fn expired() -> String {
    format!("Bearer {}", key(Algorithm::EdDSA).token(&claims_with("exp", NOW - 31)))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve_axum(router: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
}

const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];

/// One request over a connection of its own; the trailers are added to the header fields.
async fn send(
    address: SocketAddr,
    version: Version,
    request: http::request::Builder,
) -> Response<Bytes> {
    send_with_body(address, version, request, b"").await
}

async fn send_with_body(
    address: SocketAddr,
    version: Version,
    request: http::request::Builder,
    body: &'static [u8],
) -> Response<Bytes> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let request = request.body(Full::new(Bytes::from_static(body))).unwrap();
    let response = match version {
        Version::Http1 => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        Version::Http2 => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    };
    let (mut head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    head.headers.extend(body.trailers().cloned().unwrap_or_default());
    Response::from_parts(head, body.to_bytes())
}

fn request(address: SocketAddr, authorization: Option<&str>) -> http::request::Builder {
    let request = Request::get(format!("http://{address}/me")).header("host", address.to_string());
    match authorization {
        Some(authorization) => request.header("authorization", authorization),
        None => request,
    }
}

/// A server that answers `/me` with the subject: a good token passes, and no other does.
async fn assert_guards_http(address: SocketAddr) {
    for version in VERSIONS {
        let passed = send(address, version, request(address, Some(&good()))).await;
        assert_eq!((passed.status(), &passed.body()[..]), (StatusCode::OK, &b"alice"[..]));
        assert!(!passed.headers().contains_key("www-authenticate"));

        for (authorization, challenge) in
            [(None, r#"Bearer realm="api""#), (Some(&*expired()), EXPIRED)]
        {
            let refused = send(address, version, request(address, authorization)).await;
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{version:?}");
            assert_eq!(refused.headers()["www-authenticate"], challenge);
            assert_eq!(refused.headers()["cache-control"], "no-store");
            assert!(refused.body().is_empty());
        }
    }
}
