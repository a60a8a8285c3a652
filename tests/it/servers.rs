//! The layer in real servers, on loopback, with real clients: `axum::serve`, plain hyper connections
//! and tonic's server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::{any, get};
use axum::{Extension, Router};
use axum_extra::TypedHeader;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Bearer;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tonic::service::interceptor::InterceptedService;
use tonic::service::{LayerExt, Routes};
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, VerifiedToken};

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

/// As a gRPC client sends it, without tonic; the body is no message, for what is refused before it
/// is read.
fn grpc_request(address: SocketAddr, path: &str) -> http::request::Builder {
    Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
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

#[tokio::test]
async fn axum_serve() {
    let me = async |Extension(token): Extension<VerifiedToken>| token.sub.clone().unwrap();
    let router = Router::new().route("/me", get(me)).layer(layer());
    assert_guards_http(serve_axum(router).await).await;
}

#[tokio::test]
async fn plain_hyper_connections() {
    async fn me(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let token: &VerifiedToken = VerifiedToken::from_extensions(request.extensions()).unwrap();
        Ok(Response::new(token.sub.clone().unwrap().into()))
    }
    let service = ServiceBuilder::new().layer(layer()).service_fn(me);
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let io = TokioIo::new(listener.accept().await.unwrap().0);
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
            });
        }
    });
    assert_guards_http(address).await;
}

#[tokio::test]
async fn an_inner_typed_header_still_sees_the_credentials() {
    let echo = async |TypedHeader(credentials): TypedHeader<Authorization<Bearer>>| {
        credentials.token().to_owned()
    };
    let router = Router::new().route("/me", get(echo)).layer(layer());
    let address = serve_axum(router).await;
    let answer = send(address, Version::Http1, request(address, Some(&good()))).await;
    assert_eq!(format!("Bearer {}", str::from_utf8(answer.body()).unwrap()), good());
}

async fn client(address: SocketAddr) -> HealthClient<Channel> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    HealthClient::new(channel.connect().await.unwrap())
}

fn call(authorization: Option<&str>) -> tonic::Request<HealthCheckRequest> {
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

/// What a browser, or somebody who looks like one, sends before a request from a page.
fn preflight(address: SocketAddr, path: &str) -> http::request::Builder {
    Request::options(format!("http://{address}{path}"))
        .header("host", address.to_string())
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

#[tokio::test]
async fn preflights_are_answered_outside_of_the_layer_and_never_reach_a_service() {
    /// An empty message of gRPC, for a server that does not look at the method.
    const MESSAGE: &[u8] = &[0; 5];

    let calls = Arc::new(AtomicUsize::new(0));
    let count = {
        let calls = Arc::clone(&calls);
        move || calls.fetch_add(1, Ordering::Relaxed)
    };
    let (_reporter, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, {
        let count = count.clone();
        move |request: tonic::Request<()>| {
            count();
            Ok(request)
        }
    });
    let me = any(async move || {
        count();
        "reached"
    });
    let inner = Routes::from(Router::new().route("/me", me)).add_service(health).into_axum_router();
    let guarded = inner.clone().layer(layer());
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static("https://app.example"))
        .allow_methods([Method::POST])
        .allow_headers([http::header::AUTHORIZATION]);
    let bare = serve_axum(guarded.clone()).await;
    let with_cors = serve_axum(guarded.layer(cors)).await;

    for path in ["/me", CHECK, "/grpc.health.v1.Health/Watch"] {
        for version in VERSIONS {
            let refused = send_with_body(bare, version, preflight(bare, path), MESSAGE).await;
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(!refused.headers().contains_key("grpc-status"), "{path}");

            let request = preflight(with_cors, path);
            let answered = send_with_body(with_cors, version, request, MESSAGE).await;
            assert_eq!(answered.status(), StatusCode::OK, "{path}");
            let headers = answered.headers();
            assert_eq!(headers["access-control-allow-origin"], "https://app.example", "{path}");
            assert_eq!(headers["access-control-allow-headers"], "authorization", "{path}");
            assert!(!headers.contains_key("grpc-status") && answered.body().is_empty(), "{path}");
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0, "no handler was called without a token");

    // A page may read why it was refused.
    let cross_origin = request(with_cors, None).header("origin", "https://app.example");
    let refused = send(with_cors, Version::Http1, cross_origin).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://app.example");

    // Without the layer both services answer whatever the method is: it is the layer that refuses.
    let open = serve_axum(inner).await;
    for (path, expected) in [("/me", 1), (CHECK, 2)] {
        send_with_body(open, Version::Http2, preflight(open, path), MESSAGE).await;
        assert_eq!(calls.load(Ordering::Relaxed), expected, "{path}");
    }
}

#[tokio::test]
async fn an_http_api_refuses_a_request_that_claims_to_be_grpc_web_by_an_http_status() {
    let me = async |Extension(token): Extension<VerifiedToken>| token.sub.clone().unwrap();
    let router = Router::new().route("/me", any(me));
    let plain = serve_axum(router.clone().layer(layer())).await;
    let web = serve_axum(router.layer(layer().with_grpc_web())).await;
    for version in VERSIONS {
        let ask = async |address: SocketAddr| {
            let request = Request::post(format!("http://{address}/me"))
                .header("host", address.to_string())
                .header("content-type", "application/grpc-web");
            send(address, version, request).await
        };
        let refused = ask(plain).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{version:?}");
        assert!(!refused.headers().contains_key("grpc-status"), "{version:?}");
        let refused = ask(web).await;
        assert_eq!(refused.status(), StatusCode::OK, "{version:?}");
        assert_eq!(refused.headers()["grpc-status"], "16", "{version:?}");
    }
}
