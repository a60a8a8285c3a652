//! A call of every kind, by tonic's client: unary, with the stream of the server, of the client, and of both.

use std::net::SocketAddr;

use futures_util::stream;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::grpc::call;
use super::{EXPIRED, expired, good, layer, serve_axum};
use crate::support::grpc_services::{call_collect, call_echo, streams};

async fn serve() -> SocketAddr {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let router = Routes::from(streams()).add_service(health).into_axum_router();
    serve_axum(router.layer(layer())).await
}

fn messages() -> impl stream::Stream<Item = HealthCheckRequest> + Send + 'static {
    stream::iter(vec![HealthCheckRequest::default(); 3])
}

/// Messages without an end: a refusal does not wait for it.
fn endless() -> impl stream::Stream<Item = HealthCheckRequest> + Send + 'static {
    stream::StreamExt::chain(messages(), stream::pending())
}

/// The refusal of each kind of call.
async fn refusals(channel: &Channel, authorization: Option<&str>) -> [Status; 6] {
    let mut health = HealthClient::new(channel.clone());
    [
        health.check(call(authorization)).await.unwrap_err(),
        health.watch(call(authorization)).await.unwrap_err(),
        call_collect(channel, authorization, messages()).await.unwrap_err(),
        call_collect(channel, authorization, endless()).await.unwrap_err(),
        call_echo(channel, authorization, messages()).await.unwrap_err(),
        call_echo(channel, authorization, endless()).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn every_kind_of_call_is_refused_before_the_first_message() {
    let address = serve().await;
    let channel =
        Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let expired = expired();
    for (authorization, message, challenge) in [
        (None, "no bearer token was given", r#"Bearer realm="api""#),
        (Some(&*expired), "the token has expired", EXPIRED),
    ] {
        for refused in refusals(&channel, authorization).await {
            assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, message));
            assert_eq!(refused.metadata().get("www-authenticate").unwrap(), challenge);
        }
    }
}

#[tokio::test]
async fn every_kind_of_call_passes_with_a_token() {
    let address = serve().await;
    let channel =
        Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let good = good();
    assert_eq!(call_collect(&channel, Some(&good), messages()).await.unwrap(), 3);
    let mut answers = call_echo(&channel, Some(&good), messages()).await.unwrap();
    for number in 0..3 {
        assert_eq!(answers.message().await.unwrap().unwrap().status, number);
    }
    assert_eq!(answers.message().await.unwrap(), None);
}
