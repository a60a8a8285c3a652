//! gRPC-Web: refusals by the frames, on either side of tonic's translator, and by tonic's client.

use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tonic::Code;
use tonic::service::Routes;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_web::{GrpcWebClientLayer, GrpcWebLayer};
use tower::ServiceBuilder;

use super::{CHECK, Version, expired, good, layer, send_with_body, serve_axum};
use crate::support::grpc_web::Frames;

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const MESSAGE: &[u8] = &[0; 5];
/// The same in base64.
const MESSAGE_AS_TEXT: &[u8] = b"AAAAAAA=";

fn health() -> Router {
    let (_reporter, health) = tonic_health::server::health_reporter();
    Routes::default().add_service(health).into_axum_router()
}

/// The layer outside of the translator, and inside of it.
async fn servers() -> [SocketAddr; 2] {
    let outside = health().layer(GrpcWebLayer::new()).layer(layer().with_grpc_web());
    let inside = health().layer(layer()).layer(GrpcWebLayer::new());
    [serve_axum(outside).await, serve_axum(inside).await]
}

async fn call(
    address: SocketAddr,
    version: Version,
    path: &str,
    content_type: &str,
    authorization: Option<&str>,
) -> Response<Bytes> {
    let mut request = Request::post(format!("http://{address}{path}"))
        .header("host", address.to_string())
        .header("content-type", content_type)
        .header("accept", content_type)
        .header("x-grpc-web", "1");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let is_text = content_type.starts_with("application/grpc-web-text");
    let message = if is_text { MESSAGE_AS_TEXT } else { MESSAGE };
    send_with_body(address, version, request, message).await
}

fn read(content_type: &str, body: &[u8]) -> Frames {
    match content_type.starts_with("application/grpc-web-text") {
        true => Frames::read_text(body),
        false => Frames::read(body),
    }
}

const CONTENT_TYPES: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// The protocol allows the status in the header if there is no message ("Trailers-only responses").
#[tokio::test]
async fn refusal_is_in_the_header_and_its_body_has_no_frame() {
    for address in servers().await {
        for content_type in CONTENT_TYPES {
            for version in [Version::Http1, Version::Http2] {
                for path in [CHECK, WATCH] {
                    let token = expired();
                    let refused = call(address, version, path, content_type, Some(&token)).await;
                    assert_eq!(refused.status(), 200);
                    let headers = refused.headers();
                    let echoed = headers["content-type"].to_str().unwrap();
                    assert!(echoed.starts_with(content_type), "{content_type}: {echoed}");
                    assert_eq!(headers["grpc-status"], "16");
                    assert_eq!(headers["grpc-message"], "the token has expired");
                    assert!(headers.contains_key("www-authenticate"));
                    let frames = read(content_type, refused.body());
                    assert_eq!(frames, Frames { messages: vec![], trailers: None });
                }
            }
        }
    }
}

#[tokio::test]
async fn accepted_call_has_a_message_and_then_the_trailers() {
    for address in servers().await {
        for content_type in CONTENT_TYPES {
            let good = good();
            let accepted = call(address, Version::Http1, CHECK, content_type, Some(&good)).await;
            let frames = read(content_type, accepted.body());
            // The field 1 with the value 1: SERVING.
            assert_eq!(frames.messages, [[8, 1]]);
            assert_eq!(frames.trailer("grpc-status"), Some("0"));
        }
    }
}

#[tokio::test]
async fn client_of_tonic_reads_refusal_and_response() {
    let client = Client::builder(TokioExecutor::new()).build_http();
    for address in servers().await {
        let service =
            ServiceBuilder::new().layer(GrpcWebClientLayer::new()).service(client.clone());
        let origin = format!("http://{address}").parse().unwrap();
        let mut client = HealthClient::with_origin(service, origin);
        let request = |authorization: Option<String>| {
            let mut request = tonic::Request::new(HealthCheckRequest::default());
            if let Some(authorization) = authorization {
                request.metadata_mut().insert("authorization", authorization.parse().unwrap());
            }
            request
        };
        let answer: HealthCheckResponse =
            client.check(request(Some(good()))).await.unwrap().into_inner();
        assert_eq!(answer.status, 1);
        for (authorization, message) in
            [(None, "no bearer token was given"), (Some(expired()), "the token has expired")]
        {
            let refused = client.check(request(authorization.clone())).await.unwrap_err();
            assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, message));
            assert!(refused.metadata().contains_key("www-authenticate"));
            let refused = client.watch(request(authorization)).await.unwrap_err();
            assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, message));
        }
    }
}
