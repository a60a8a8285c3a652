//! HTTP: `axum::serve`, plain hyper connections, and preflights.

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
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;
use tower_jwt_auth::VerifiedToken;

use super::{
    CHECK, VERSIONS, Version, assert_guards_http, good, layer, listen, request, send,
    send_with_body, serve_axum,
};

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
