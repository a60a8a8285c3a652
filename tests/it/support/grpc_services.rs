//! A gRPC service with a method of each kind, without generated code. All messages are those of the health service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::routing::any_service;
use futures_util::stream::{self, StreamExt};
use http::uri::PathAndQuery;
use tonic::client::Grpc as Client;
use tonic::server::{ClientStreamingService, Grpc, StreamingService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tower::service_fn;

pub(crate) const COLLECT: &str = "/test.Streams/Collect";
pub(crate) const ECHO: &str = "/test.Streams/Echo";

type Incoming = http::Request<axum::body::Body>;
type Outgoing = http::Response<tonic::body::Body>;
type ServerCodec = ProstCodec<HealthCheckResponse, HealthCheckRequest>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
type Responses = Pin<Box<dyn stream::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

fn answer(status: i32) -> HealthCheckResponse {
    HealthCheckResponse { status }
}

/// Returns how many messages came, also if the stream breaks off.
struct Collect;

impl ClientStreamingService<HealthCheckRequest> for Collect {
    type Response = HealthCheckResponse;
    type Future = BoxFuture<HealthCheckResponse>;

    fn call(&mut self, request: Request<Streaming<HealthCheckRequest>>) -> Self::Future {
        Box::pin(async {
            let mut messages = request.into_inner();
            let mut count = 0;
            while let Ok(Some(_)) = messages.message().await {
                count += 1;
            }
            Ok(Response::new(answer(count)))
        })
    }
}

/// Answers each message with its number.
struct Echo;

impl StreamingService<HealthCheckRequest> for Echo {
    type Response = HealthCheckResponse;
    type ResponseStream = Responses;
    type Future = BoxFuture<Responses>;

    fn call(&mut self, request: Request<Streaming<HealthCheckRequest>>) -> Self::Future {
        Box::pin(async {
            let numbered = request.into_inner().enumerate();
            let answers = numbered
                .map(|(number, message)| message.map(|_| answer(i32::try_from(number).unwrap())));
            Ok(Response::new(Box::pin(answers) as Responses))
        })
    }
}

/// The two methods that the health service lacks: with the stream of the client, and with both.
pub(crate) fn streams() -> Router {
    async fn collect(request: Incoming) -> Result<Outgoing, Infallible> {
        Ok(Grpc::new(ServerCodec::default()).client_streaming(Collect, request).await)
    }
    async fn echo(request: Incoming) -> Result<Outgoing, Infallible> {
        Ok(Grpc::new(ServerCodec::default()).streaming(Echo, request).await)
    }
    Router::new()
        .route(COLLECT, any_service(service_fn(collect)))
        .route(ECHO, any_service(service_fn(echo)))
}

fn with_authorization<T>(body: T, authorization: Option<&str>) -> Request<T> {
    let mut request = Request::new(body);
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    request
}

async fn client(channel: &Channel) -> Client<Channel> {
    let mut client = Client::new(channel.clone());
    client.ready().await.unwrap();
    client
}

fn codec() -> ProstCodec<HealthCheckRequest, HealthCheckResponse> {
    ProstCodec::default()
}

/// Sends a stream of messages, and returns the count.
pub(crate) async fn call_collect(
    channel: &Channel,
    authorization: Option<&str>,
    messages: impl stream::Stream<Item = HealthCheckRequest> + Send + 'static,
) -> Result<i32, Status> {
    let request = with_authorization(messages, authorization);
    let path = PathAndQuery::from_static(COLLECT);
    let response = client(channel).await.client_streaming(request, path, codec()).await?;
    Ok(response.into_inner().status)
}

/// Sends a stream of messages, and returns the stream of the answers.
pub(crate) async fn call_echo(
    channel: &Channel,
    authorization: Option<&str>,
    messages: impl stream::Stream<Item = HealthCheckRequest> + Send + 'static,
) -> Result<Streaming<HealthCheckResponse>, Status> {
    let request = with_authorization(messages, authorization);
    let path = PathAndQuery::from_static(ECHO);
    let response = client(channel).await.streaming(request, path, codec()).await?;
    Ok(response.into_inner())
}
