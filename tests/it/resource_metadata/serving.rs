//! The service: paths, methods, headers, and what it leaves to the inner service.

use std::convert::Infallible;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{IssuerSet, JwtAuthLayer};

use super::{PATH, ask, layer, metadata, request, verifier};
use crate::support::requests::{Body, field};

#[tokio::test]
async fn document_is_json_without_a_token_for_pages_of_any_origin() {
    let served = layer().resource_metadata_layer().unwrap();
    let mut get = request(Method::GET, PATH);
    get.headers_mut().insert(ORIGIN, HeaderValue::from_static("https://app.example"));
    for uri in [PATH, &format!("{PATH}?x=1"), &format!("https://evil.example{PATH}")] {
        *get.uri_mut() = uri.parse().unwrap();
        let response = ask(&served, get.clone()).await;
        assert_eq!(response.status(), 200, "{uri}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=300");
        assert_eq!(response.body(), &served.document().unwrap());
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
        let length = response.body().len().to_string();
        assert_eq!(field(&response, "content-length"), Some(&*length));
    }
}

#[tokio::test]
async fn head_has_the_head_of_a_get_and_no_body() {
    let served = layer().resource_metadata_layer().unwrap();
    let get = ask(&served, request(Method::GET, PATH)).await;
    let head = ask(&served, request(Method::HEAD, PATH)).await;
    assert_eq!((head.status(), head.headers()), (get.status(), get.headers()));
    assert!(head.body().is_empty() && head.headers().contains_key(CONTENT_LENGTH));
}

#[tokio::test]
async fn document_without_an_authorization_server_is_503_and_not_kept() {
    let issuers = IssuerSet::new();
    let auth: JwtAuthLayer =
        JwtAuthLayer::new(issuers.clone()).with_resource_metadata(metadata()).unwrap();
    let served = auth.resource_metadata_layer().unwrap();
    for method in [Method::GET, Method::HEAD] {
        let response = ask(&served, request(method, PATH)).await;
        assert_eq!((response.status().as_u16(), response.body().len()), (503, 0));
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[RETRY_AFTER], "5");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!response.headers().contains_key(CONTENT_TYPE));
    }
    assert_eq!(ask(&served, request(Method::OPTIONS, PATH)).await.status(), 204);
    issuers.add(verifier()).unwrap();
    let response = ask(&served, request(Method::GET, PATH)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.body(), &served.document().unwrap());
}

#[tokio::test]
async fn preflight_is_answered_and_any_other_method_is_405() {
    let served = layer().resource_metadata_layer().unwrap();
    let response = ask(&served, request(Method::OPTIONS, PATH)).await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_METHODS], "GET, HEAD, OPTIONS");
    assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "*");
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "QUERY"] {
        let response = ask(&served, request(method.parse().unwrap(), PATH)).await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()[ALLOW], "GET, HEAD, OPTIONS");
        assert!(response.body().is_empty());
    }
}

#[tokio::test]
async fn other_paths_are_those_of_the_inner_service() {
    let served = layer().resource_metadata_layer().unwrap();
    for path in [
        "/",
        "/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-protected-resource/mcp/x",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-protected-resource//mcp",
        "/.well-known/oauth-protected-resource/%6dcp",
        "/.WELL-KNOWN/oauth-protected-resource/mcp",
        "/prefix/.well-known/oauth-protected-resource/mcp",
    ] {
        let response = ask(&served, request(Method::GET, path)).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (418, path.as_bytes()));
    }
}

#[tokio::test]
async fn root_serves_the_document_too_if_it_is_asked_to() {
    let root = "/.well-known/oauth-protected-resource";
    let layer = JwtAuthLayer::new(verifier());
    let layer = layer.with_resource_metadata(metadata().also_at_root()).unwrap();
    let served = layer.resource_metadata_layer().unwrap();
    for path in [root, PATH] {
        let response = ask(&served, request(Method::GET, path)).await;
        assert_eq!(response.body(), &served.document().unwrap(), "{path}");
    }
    assert_eq!(ask(&served, request(Method::GET, &format!("{root}/"))).await.status(), 418);
}

#[tokio::test]
async fn forwarded_headers_and_host_do_not_change_the_document() {
    let served = layer().resource_metadata_layer().unwrap();
    let plain = ask(&served, request(Method::GET, PATH)).await;
    for name in ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix", "forwarded"]
    {
        let mut spoofed = request(Method::GET, PATH);
        spoofed.headers_mut().insert(HOST, HeaderValue::from_static("evil.example"));
        let value = HeaderValue::from_static("host=evil.example");
        spoofed.headers_mut().insert(HeaderName::from_static(name), value);
        let response = ask(&served, spoofed).await;
        assert_eq!(
            (response.headers(), response.body()),
            (plain.headers(), plain.body()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn layer_outside_of_the_authentication_needs_no_token_and_does_not_open_anything_else() {
    let auth = layer();
    let service =
        ServiceBuilder::new().layer(auth.resource_metadata_layer().unwrap()).layer(auth).service(
            service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new()))),
        );
    let status = async |method, path: &str| {
        service.clone().oneshot(request(method, path)).await.unwrap().status().as_u16()
    };
    assert_eq!(status(Method::GET, PATH).await, 200);
    assert_eq!(status(Method::GET, "/mcp").await, 401);
    assert_eq!(status(Method::GET, "/.well-known/oauth-protected-resource").await, 401);
    assert_eq!(status(Method::OPTIONS, "/mcp").await, 401);
}

#[tokio::test]
async fn token_that_is_sent_along_is_not_in_the_answer() {
    let served = layer().resource_metadata_layer().unwrap();
    for path in [PATH, &format!("{PATH}?access_token=canary-token")] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST] {
            let mut request = request(method, path);
            let token = HeaderValue::from_static("Bearer canary-token");
            request.headers_mut().insert(AUTHORIZATION, token);
            let response = ask(&served, request).await;
            let shown = format!("{:?} {}", response, String::from_utf8_lossy(response.body()));
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

#[tokio::test]
async fn request_for_the_document_leaves_no_permit_with_an_idle_service() {
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new())));
    let served = layer().resource_metadata_layer().unwrap();
    let mut service = served.layer(ConcurrencyLimit::new(inner, 1));
    let mut other = service.clone();
    let future = service.ready().await.unwrap().call(request(Method::GET, PATH));
    assert!(futures_util::FutureExt::now_or_never(other.ready()).is_some(), "free at once");
    assert_eq!(future.await.unwrap().status(), 200);
    let forwarded = other.ready().await.unwrap().call(request(Method::GET, "/"));
    assert_eq!(forwarded.await.unwrap().status(), 200);
}

#[test]
fn debug_names_the_resource() {
    let layer = layer();
    let served = layer.resource_metadata_layer().unwrap();
    assert!(format!("{served:?}").contains("https://api.example/mcp"));
    assert!(format!("{:?}", served.layer("inner")).contains("inner"));
    assert_eq!((served.path(), metadata().path()), (PATH, PATH));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn axum_serves_it_by_one_line_beside_the_routes() {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower_jwt_auth::ResourceMetadata;

    let auth = JwtAuthLayer::new(verifier())
        .with_resource_metadata(ResourceMetadata::new("https://api.example").unwrap())
        .unwrap();
    let served = auth.resource_metadata_layer().unwrap();
    let app =
        Router::new().route("/orders", get(async || "orders")).layer(auth).layer(served.clone());
    let ask = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        (head, to_bytes(body, 10_000).await.unwrap())
    };
    let (head, body) = ask(Method::GET, "/.well-known/oauth-protected-resource").await;
    assert_eq!((head.status.as_u16(), body), (200, served.document().unwrap()));
    let (head, body) = ask(Method::HEAD, "/.well-known/oauth-protected-resource").await;
    assert_eq!((head.status.as_u16(), &*body), (200, &b""[..]));
    assert_eq!(head.headers[CONTENT_LENGTH], served.document().unwrap().len().to_string());
    assert_eq!(ask(Method::GET, "/orders").await.0.status, 401);
    assert_eq!(ask(Method::GET, "/elsewhere").await.0.status, 401);
}
