//! The same over gRPC: trailers-only answers before the response begins, and tonic's form within a stream.

use std::net::SocketAddr;
use std::pin::Pin;

use axum::body::Body;
use axum::routing::post;
use futures_util::Stream;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::ServiceExt;
use tower::util::MapResponseLayer;
use tower_jwt_auth::{
    Accepted, JwtAuthLayer, PresentedToken, RegisteredClaims, Rejection, Scope, Verification,
    VerifiedToken, VerifyToken,
};

use super::{CHALLENGE, good, layer, refuse, write_scope};

/// Refuses by the name of the service that is asked about.
struct Refusing;

fn refusal() -> Rejection {
    write_scope().with_description("only clerks write orders")
}

#[tonic::async_trait]
impl Health for Refusing {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let token: Result<&VerifiedToken, _> = VerifiedToken::from_extensions(request.extensions());
        assert!(token.is_ok());
        match &*request.into_inner().service {
            "down" => Err(Rejection::unavailable(std::io::Error::other("no database")).into()),
            "other" => Err(Status::not_found("no such order")),
            "changed" => {
                let mut status = Status::new(Code::NotFound, "as if it were not there");
                status.set_source(std::sync::Arc::new(refusal()));
                Err(status)
            }
            _ => Err(refusal().into()),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if request.into_inner().service == "at once" {
            return Err(refusal().into());
        }
        let serving = HealthCheckResponse { status: ServingStatus::Serving.into() };
        let stream = tokio_stream::iter([Ok(serving), Err(refusal().into())]);
        Ok(Response::new(Box::pin(stream)))
    }
}

async fn client() -> HealthClient<Channel> {
    client_of(layer().with_realm("shop").unwrap()).await
}

async fn client_of(layer: JwtAuthLayer) -> HealthClient<Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(layer)
        .add_service(HealthServer::new(Refusing))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    HealthClient::new(channel.connect().await.unwrap())
}

fn call(service: &str) -> tonic::Request<HealthCheckRequest> {
    let mut request = tonic::Request::new(HealthCheckRequest { service: service.into() });
    let authorization = format!("Bearer {}", good());
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    request
}

fn challenge(status: &Status) -> Option<&str> {
    status.metadata().get("www-authenticate").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_unary_method_refuses_in_the_form_of_the_layer() {
    let refused = client().await.check(call("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(refused.message(), "only clerks write orders");
    assert_eq!(challenge(&refused), Some(CHALLENGE));
}

#[cfg(feature = "grpc-error-info")]
#[tokio::test]
async fn refusal_of_a_method_has_the_error_info_of_the_layer() {
    use tonic_types::StatusExt;

    let layer = layer().with_grpc_error_info("orders.example").unwrap();
    let mut client = client_of(layer).await;
    let refused = client.check(call("")).await.unwrap_err();
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((&*info.reason, &*info.domain), ("INSUFFICIENT_SCOPE", "orders.example"));
    assert_eq!(info.metadata["scope"], "orders:write");
    // A status of the application is left alone.
    let status = client.check(call("other")).await.unwrap_err();
    assert!(status.details().is_empty());
}

#[tokio::test]
async fn an_outage_in_a_method_is_unavailable_with_retry_after() {
    let refused = client().await.check(call("down")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.metadata().get("retry-after").unwrap(), "5");
    assert!(!refused.message().contains("database"), "{}", refused.message());
}

#[tokio::test]
async fn a_status_of_another_code_is_left_alone() {
    let mut client = client().await;
    for (service, message) in [("other", "no such order"), ("changed", "as if it were not there")] {
        let status = client.check(call(service)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, message));
        assert_eq!(challenge(&status), None);
    }
}

#[tokio::test]
async fn a_streaming_method_refuses_in_the_form_of_the_layer_before_it_begins() {
    let refused = client().await.watch(call("at once")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(challenge(&refused), Some(CHALLENGE));
}

#[tokio::test]
async fn an_error_within_a_stream_keeps_the_form_of_tonic() {
    let mut stream = client().await.watch(call("")).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let error = stream.message().await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert_eq!(error.message(), "only clerks write orders");
    assert_eq!(challenge(&error), None);
}

#[tokio::test]
async fn a_handler_of_axum_refuses_a_grpc_request_by_grpc() {
    let router = axum::Router::new()
        .route("/orders.Orders/Write", post(refuse))
        .layer(layer().with_realm("shop").unwrap());
    let request = Request::post("/orders.Orders/Write")
        .header("authorization", format!("Bearer {}", good()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .unwrap();
    let refused = router.oneshot(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::OK);
    assert_eq!(refused.headers()["grpc-status"], "7");
    assert_eq!(refused.headers()["grpc-message"], "only clerks write orders");
    assert_eq!(refused.headers()["www-authenticate"], CHALLENGE);
}

/// What a handler answers by a status of tonic, and what becomes of it.
async fn written(
    status: Status,
    between: impl Fn(&mut http::HeaderMap) + Clone + Send + Sync + 'static,
    inner: JwtAuthLayer,
) -> http::Response<Body> {
    let handler = post(async move || status.clone().into_http::<Body>());
    let between = MapResponseLayer::new(move |mut response: http::Response<Body>| {
        between(response.headers_mut());
        response
    });
    let router = axum::Router::new()
        .route("/orders.Orders/Write", handler)
        .layer(between)
        .layer(inner)
        .layer(layer());
    let request = Request::post("/orders.Orders/Write")
        .header("authorization", format!("Bearer {}", good()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .unwrap();
    router.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_status_is_written_once() {
    let inner = layer().with_realm("shop").unwrap();
    let refused = written(refusal().into(), |_| (), inner).await;
    assert_eq!(refused.headers()["www-authenticate"], CHALLENGE);

    let inner = layer().with_realm("shop").unwrap().without_grpc();
    let refused = written(refusal().into(), |_| (), inner).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers().get("grpc-status"), None);
}

#[tokio::test]
async fn a_status_that_a_service_in_between_changed_is_left_alone() {
    let hide = |headers: &mut http::HeaderMap| {
        headers.insert("grpc-status", HeaderValue::from_static("5"));
        headers.insert("grpc-message", HeaderValue::from_static("no such order"));
    };
    let hidden = written(refusal().into(), hide, layer()).await;
    assert_eq!(hidden.headers()["grpc-status"], "5");
    assert_eq!(hidden.headers()["grpc-message"], "no such order");
    assert_eq!(hidden.headers().get("www-authenticate"), None);
}

#[tokio::test]
async fn a_status_with_a_message_of_its_own_is_left_alone() {
    let mut status = Status::permission_denied("not today");
    status.set_source(std::sync::Arc::new(refusal()));
    let refused = written(status, |_| (), layer()).await;
    assert_eq!(refused.headers()["grpc-message"], "not%20today");
    assert_eq!(refused.headers().get("www-authenticate"), None);
}

#[tokio::test]
async fn details_that_are_not_base64_do_not_hide_a_refusal() {
    let spoil = |headers: &mut http::HeaderMap| {
        headers.insert("grpc-status-details-bin", HeaderValue::from_static("!"));
    };
    let refused = written(refusal().into(), spoil, layer().with_realm("shop").unwrap()).await;
    assert_eq!(refused.headers()["grpc-status"], "7");
    assert_eq!(refused.headers()["www-authenticate"], CHALLENGE);
}

#[tokio::test]
async fn message_of_any_characters_is_recognised() {
    for text in ["", "100 % \u{fc}", "a\nb%41", "\u{10ffff}"] {
        let rejection = write_scope().with_description(text);
        let refused = written(rejection.into(), |_| (), layer()).await;
        assert!(refused.headers().contains_key("www-authenticate"), "{text:?}");
    }
}

#[cfg(feature = "grpc-error-info")]
#[tokio::test]
async fn details_of_the_application_are_kept() {
    use tonic_types::{ErrorDetails, StatusExt};

    let details = ErrorDetails::with_help_link("how to get the role", "https://shop.example/roles");
    let rejection = refusal();
    let mut status =
        Status::with_error_details(Code::PermissionDenied, rejection.description(), details);
    status.set_source(std::sync::Arc::new(rejection));
    let inner = layer().with_grpc_error_info("orders.example").unwrap();
    let refused = written(status, |_| (), inner).await;
    assert!(refused.headers().contains_key("www-authenticate"));
    let status = Status::from_header_map(refused.headers()).unwrap();
    assert_eq!(status.get_details_help().unwrap().links[0].url, "https://shop.example/roles");
    assert!(status.get_details_error_info().is_none());
}

/// The fields of the verifier and of services in between come after those of the refusal.
#[tokio::test]
async fn status_outlives_fields_that_are_added_to_a_refusal() {
    struct Noting(usize);

    impl VerifyToken<RegisteredClaims> for Noting {
        fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<RegisteredClaims> {
            let accepted = Accepted::new(RegisteredClaims::default());
            if self.0 == 0 {
                return Verification::ready(Ok(accepted));
            }
            let note = HeaderValue::from_str(&"n".repeat(self.0)).unwrap();
            let name = http::HeaderName::from_static("x-note");
            Verification::ready(Ok(accepted.with_response_header(name, note)))
        }
    }

    let refused = |note: usize, between: usize, scope: usize| async move {
        let rejection = Rejection::insufficient_scope(Scope::from(&*"s".repeat(scope)));
        let between = MapResponseLayer::new(move |mut response: http::Response<Body>| {
            let added = HeaderValue::from_str(&"b".repeat(between)).unwrap();
            response.headers_mut().insert("x-between", added);
            response
        });
        let router = axum::Router::new()
            .route("/orders.Orders/Write", post(async move || rejection.clone()))
            .layer(between)
            .layer(JwtAuthLayer::new(Noting(note)));
        let request = Request::post("/orders.Orders/Write")
            .header("authorization", "Bearer a")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::empty())
            .unwrap();
        router.oneshot(request).await.unwrap()
    };
    for (note, between, scope, has_challenge) in [
        (3000, 10, 3000, true),
        (3000, 3000, 3000, false),
        (3000, 10, 5000, false),
        (0, 10, 5000, true),
        (0, 5000, 5000, false),
    ] {
        let refused = refused(note, between, scope).await;
        let headers = refused.headers();
        assert_eq!(headers["grpc-status"], "7");
        let length = |name| headers.get(name).map_or(0, HeaderValue::len);
        assert_eq!((length("x-note"), length("x-between")), (note, between));
        assert_eq!(headers.contains_key("www-authenticate"), has_challenge, "{between} {scope}");
        let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
        assert!(sizes.sum::<usize>() <= 8192 - 256);
    }
}
