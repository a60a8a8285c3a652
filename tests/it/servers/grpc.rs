//! gRPC: tonic's server and client, also beside HTTP on one port.

use std::net::SocketAddr;

use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::service::interceptor::InterceptedService;
use tonic::service::{LayerExt, Routes};
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower_jwt_auth::{JwtAuthLayer, VerifiedToken};

use super::{
    CHECK, EXPIRED, Version, assert_guards_http, expired, good, layer, listen, request, send,
    serve_axum,
};

async fn client(address: SocketAddr) -> HealthClient<Channel> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    HealthClient::new(channel.connect().await.unwrap())
}

/// As a gRPC client sends it, without tonic; the body is no message, for what is refused before it
/// is read.
fn grpc_request(address: SocketAddr, path: &str) -> http::request::Builder {
    Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
}

pub(super) fn call(authorization: Option<&str>) -> tonic::Request<HealthCheckRequest> {
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    request
}

/// A refusal as tonic's client tells it: code, message, challenge.
fn told(status: &Status) -> (Code, &str, &str) {
    let challenge = status.metadata().get("www-authenticate").unwrap();
    (status.code(), status.message(), challenge.to_str().unwrap())
}

/// A server with the health service: a good token passes, and no other does.
async fn assert_guards_health(address: SocketAddr) {
    let mut client = client(address).await;
    let passed = client.check(call(Some(&good()))).await.unwrap();
    assert_eq!(passed.into_inner().status(), ServingStatus::Serving);

    let missing = client.check(call(None)).await.unwrap_err();
    assert_eq!(
        told(&missing),
        (Code::Unauthenticated, "no bearer token was given", r#"Bearer realm="api""#)
    );
    let refused = client.check(call(Some(&expired()))).await.unwrap_err();
    assert_eq!(told(&refused), (Code::Unauthenticated, "the token has expired", EXPIRED));
    let refused = client.watch(call(Some(&expired()))).await.unwrap_err();
    assert_eq!(told(&refused), (Code::Unauthenticated, "the token has expired", EXPIRED));
}

#[tokio::test]
async fn tonic_the_whole_server_by_layer() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (listener, address) = listen().await;
    tokio::spawn(
        tonic::transport::Server::builder()
            .layer(layer())
            .add_service(health)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    assert_guards_health(address).await;
}

#[tokio::test]
async fn tonic_one_service_by_named_layer() {
    const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

    let (_reporter, health) = tonic_health::server::health_reporter();
    let open = tonic_reflection::server::Builder::configure().build_v1().unwrap();
    let (listener, address) = listen().await;
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(layer().named_layer(health))
            .add_service(open)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    assert_guards_health(address).await;
    // The other service is as open as before: a call without a message ends well.
    let answer = send(address, Version::Http2, grpc_request(address, REFLECTION)).await;
    assert_eq!(answer.headers()["grpc-status"], "0");
}

#[tokio::test]
async fn a_stream_goes_on_behind_the_layer() {
    let (reporter, health) = tonic_health::server::health_reporter();
    let (listener, address) = listen().await;
    tokio::spawn(
        tonic::transport::Server::builder()
            .layer(layer())
            .add_service(health)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    let mut watch = client(address).await.watch(call(Some(&good()))).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    let second = watch.message().await.unwrap().unwrap();
    assert_eq!(second.status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn a_tonic_interceptor_sees_the_credentials_and_the_token() {
    fn intercept(request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        let token: &VerifiedToken = VerifiedToken::from_extensions(request.extensions())
            .map_err(|missing| Status::internal(missing.to_string()))?;
        let seen = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        match (token.sub.as_deref(), seen) {
            (Some("alice"), Some(seen)) if seen == good() => Ok(request),
            other => Err(Status::internal(format!("{other:?}"))),
        }
    }
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (listener, address) = listen().await;
    tokio::spawn(
        tonic::transport::Server::builder()
            .layer(layer())
            .add_service(InterceptedService::new(health, intercept))
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    assert_guards_health(address).await;
}

/// gRPC and HTTP behind one layer, on one port.
async fn serve_mixed(layer: JwtAuthLayer) -> SocketAddr {
    let me = async |Extension(token): Extension<VerifiedToken>| token.sub.clone().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let router = Routes::from(Router::new().route("/me", get(me))).add_service(health);
    serve_axum(router.into_axum_router().layer(layer)).await
}

#[tokio::test]
async fn a_mixed_server_answers_grpc_to_grpc_and_http_to_the_rest() {
    let address = serve_mixed(layer()).await;
    assert_guards_http(address).await;
    assert_guards_health(address).await;

    // The path does not matter, what kind of request it is does.
    let as_http = Request::post(format!("http://{address}{CHECK}"));
    let refused = send(address, Version::Http2, as_http).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(!refused.headers().contains_key("grpc-status"));
    let refused = send(address, Version::Http2, grpc_request(address, "/me")).await;
    assert_eq!(refused.status(), StatusCode::OK);
    assert_eq!(refused.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn a_refused_call_is_http_200_and_trailers_only() {
    let address = serve_mixed(layer()).await;
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = grpc_request(address, CHECK).body(Full::new(Bytes::new())).unwrap();
    let response = sender.send_request(request).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    assert_eq!(response.headers()["grpc-status"], "16");
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);
    // END_STREAM stands on the header frame: neither data nor trailers follow.
    assert!(hyper::body::Body::is_end_stream(response.body()));
}

#[tokio::test]
async fn a_malformed_request_does_not_read_as_an_internal_error() {
    let address = serve_mixed(layer()).await;
    // Over HTTP this is a 400, which a gRPC client would take for INTERNAL.
    let status = client(address).await.check(call(Some("Bearer a b"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let refused = send(address, Version::Http2, request(address, Some("Bearer a b"))).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_grpc_a_client_makes_its_own_of_the_http_status() {
    let address = serve_mixed(layer().without_grpc()).await;
    let refused = send(address, Version::Http2, grpc_request(address, CHECK)).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let headers: &HeaderMap = refused.headers();
    assert!(!headers.contains_key("grpc-status"));
    let status = client(address).await.check(call(None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
