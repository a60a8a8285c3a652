//! What is around the routes: limits on the time and the number of requests, and security headers.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, PRAGMA, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use http_body_util::LengthLimitError;
use serde_json::json;
use tokio::time::timeout;

use crate::observe::facts;
use crate::store::deadline;
use crate::{Service, upkeep};

/// Headers of every response that does not set them itself. A page has its own policy.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// For two years: browsers use https for this host.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Adds the security headers, and `Connection: close` before the end.
pub(crate) async fn add_headers(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let version = request.version();
    let mut response = next.run(request).await;
    service.stopping.close_after(&mut response, version);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if service.issuer().starts_with("https://") {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
    }
    response
}

/// The largest body of a request. Some endpoints have a smaller limit of their own.
const MAX_BODY: usize = 64 * 1024;

/// How long an endpoint may take once it has the body. The store and the logins have shorter limits of their own.
const WORK: Duration = Duration::from_secs(10);

/// Reads the body of a POST request first, so that a slow client is refused before it occupies anything else. From then on
/// the request has the time that it may wait for the store.
pub(crate) async fn limit_time(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return work(&service, next.run(request)).await;
    }
    let (head, body) = request.into_parts();
    let body = match timeout(service.settings.body_time, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_large(&error) => {
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is too large",
                None,
            );
        }
        Ok(Err(_)) => {
            return refusal(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "the body cannot be read",
                None,
            );
        }
        Err(_) => {
            return refusal(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                "the body took too long",
                None,
            );
        }
    };
    work(&service, next.run(Request::from_parts(head, Body::from(body)))).await
}

/// The keys are up to date first, and that is part of the request's time.
async fn work(service: &Service, answer: impl Future<Output = Response>) -> Response {
    let answered = timeout(
        WORK,
        deadline::for_request(async {
            upkeep::follow_keys_if_stale(service).await;
            answer.await
        }),
    );
    answered.await.unwrap_or_else(|_| {
        tracing::error!("a request took too long");
        let description = "the request took too long: try again later";
        refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description, Some(5))
    })
}

fn is_too_large(error: &axum::Error) -> bool {
    error.source().is_some_and(|source| source.is::<LengthLimitError>())
}

/// Limits the number of requests of an address.
pub(crate) async fn limit_rate(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Ok(ConnectInfo(address)) = request.extract_parts::<ConnectInfo<SocketAddr>>().await
        && let Err(wait) = service.rates.address(address.ip())
    {
        return too_many(wait);
    }
    next.run(request).await
}

/// The refusal of a request beyond a limit.
pub(crate) fn too_many(wait: Duration) -> Response {
    let seconds = wait.as_millis().div_ceil(1000).clamp(1, 3600) as u64;
    refusal(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "too many requests: try again later",
        Some(seconds),
    )
}

/// As at the token endpoint (RFC 6749 section 5.2).
fn refusal(
    status: StatusCode,
    error: &'static str,
    description: &'static str,
    retry_after: Option<u64>,
) -> Response {
    facts::refused(error);
    let body = json!({ "error": error, "error_description": description });
    let mut response =
        (status, [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], Json(body)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
