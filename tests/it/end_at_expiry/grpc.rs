//! Calls of every kind by tonic's client to a real server, with tokens that expire within seconds.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_jwt_auth::{Algorithm, Clock, EndAtExpiryLayer, JwtAuthLayer, JwtVerifier, SystemClock};

use crate::support::grpc_services::{call_collect, call_echo, streams};
use crate::support::{AUDIENCE, ISSUER, claims_with, key};

fn verifier() -> JwtVerifier {
    let key = key(Algorithm::EdDSA).verification_key();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, key).unwrap();
    verifier.with_leeway(Duration::ZERO).unwrap()
}

/// A token that expires in two to three seconds.
fn authorization() -> String {
    let now = SystemClock.now().unix_seconds();
    format!("Bearer {}", key(Algorithm::EdDSA).token(&claims_with("exp", now + 3)))
}

async fn channel() -> Channel {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let router = Routes::from(streams()).add_service(health).into_axum_router();
    let auth = JwtAuthLayer::new(verifier()).with_realm("streams").unwrap();
    let ends = EndAtExpiryLayer::new();
    #[cfg(feature = "grpc-error-info")]
    let (auth, ends) = (
        auth.with_grpc_error_info("streams.example").unwrap(),
        ends.with_grpc_error_info("streams.example").unwrap(),
    );
    let router = router.layer(ends).layer(auth);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn watch() -> tonic::Request<HealthCheckRequest> {
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    request.metadata_mut().insert("authorization", authorization().parse().unwrap());
    request
}

fn messages() -> impl stream::Stream<Item = HealthCheckRequest> + Send + 'static {
    stream::iter([HealthCheckRequest::default()]).chain(stream::pending())
}

fn assert_expired(status: &Status) {
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "the token has expired"));
    #[cfg(feature = "grpc-error-info")]
    {
        use tonic_types::StatusExt;

        let info = status.get_details_error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("EXPIRED_TOKEN", "streams.example"));
    }
}

#[tokio::test]
async fn stream_of_the_server_ends_and_a_new_token_begins_another_on_the_same_connection() {
    let mut client = HealthClient::new(channel().await);
    for _ in 0..2 {
        let mut stream = client.watch(watch()).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap().status, 1);
        assert_expired(&stream.message().await.unwrap_err());
    }
    assert_eq!(client.check(watch()).await.unwrap().into_inner().status, 1);
}

#[tokio::test]
async fn stream_of_the_client_ends_with_the_whole_refusal() {
    let channel = channel().await;
    // The service would return the count of what came.
    let refused = call_collect(&channel, Some(&authorization()), messages()).await.unwrap_err();
    assert_expired(&refused);
    let challenge = refused.metadata().get("www-authenticate").unwrap().to_str().unwrap();
    assert!(
        challenge.starts_with(r#"Bearer realm="streams", error="invalid_token""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn streams_in_both_directions_end() {
    let channel = channel().await;
    let mut answers = call_echo(&channel, Some(&authorization()), messages()).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().status, 0);
    assert_expired(&answers.message().await.unwrap_err());
}

#[tokio::test]
async fn streams_that_are_done_before_end_as_ever() {
    let channel = channel().await;
    let two = || stream::iter(vec![HealthCheckRequest::default(); 2]);
    let authorization = authorization();
    assert_eq!(call_collect(&channel, Some(&authorization), two()).await.unwrap(), 2);
    let answers = call_echo(&channel, Some(&authorization), two()).await.unwrap();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().status).collect().await;
    assert_eq!(answers, [0, 1]);
}

#[tokio::test]
async fn http_download_breaks_off() {
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::TokioIo;

    // An uploaded file may have any type.
    let endless = |axum::extract::Path(kind): axum::extract::Path<String>| {
        let chunks = stream::iter([Ok::<_, std::io::Error>("a")]).chain(stream::pending());
        let content_type = [("content-type", format!("application/{kind}"))];
        std::future::ready((content_type, Body::from_stream(chunks)))
    };
    let router = axum::Router::new().route("/{kind}", get(endless));
    let router = router.layer(EndAtExpiryLayer::new()).layer(JwtAuthLayer::new(verifier()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let downloads = ["json", "grpc", "grpc-web"].map(|kind| async move {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get(format!("/{kind}"))
            .header("host", address.to_string())
            .header("authorization", authorization())
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        let end = body.frame().await;
        assert!(end.unwrap().is_err(), "{kind}: a client must not take a part for the whole");
    });
    futures_util::future::join_all(downloads).await;
}
