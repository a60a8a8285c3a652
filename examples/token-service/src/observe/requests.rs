//! Around all routes: counts each request, and writes its line to the access log.
//!
//! A route is its template, and `unmatched` for all paths that are none: a path may contain a secret, too.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::RequestExt;
use axum::body::HttpBody;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tower_http::request_id::RequestId;
use tower_jwt_auth::{Rejection, RejectionKind};
use tracing::Instrument;

use super::facts::{self, Facts};
use super::meters;

/// The target of the access log in the log.
pub const ACCESS_LOG: &str = "access";

/// The route of a path that is none.
const UNMATCHED: &str = "unmatched";

/// Observes the requests of one service.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    /// Whether there is an access log.
    pub(crate) access_log: bool,
    /// The last status of `/healthz` and of `/readyz`: a line for each probe would be most of the log.
    probes: [AtomicU16; 2],
}

/// Counts and logs the request.
pub(crate) async fn observe(
    State(observer): State<Arc<Observer>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    let address = match observer.access_log {
        true => request.extract_parts::<ConnectInfo<SocketAddr>>().await.ok(),
        false => None,
    };
    let mut running = Running {
        observer: &observer,
        id,
        address: address.map(|ConnectInfo(address)| address.ip()),
        method: method(request.method()),
        route: route(request.extensions().get::<MatchedPath>()),
        began: Instant::now(),
        has_ended: false,
        _number: meters::request(),
    };
    // Warnings within the request have its ID, if there is an access log.
    let span = match observer.access_log {
        true => tracing::info_span!(target: ACCESS_LOG, "request", id),
        false => tracing::Span::none(),
    };
    let (response, facts) = facts::collect(next.run(request).instrument(span)).await;
    running.end(&response, &facts);
    response
}

/// A request that is handled. If the client goes away, it is dropped before it has ended.
struct Running<'a> {
    observer: &'a Observer,
    id: &'a str,
    address: Option<IpAddr>,
    method: &'static str,
    route: String,
    began: Instant,
    has_ended: bool,
    _number: meters::Running,
}

impl Running<'_> {
    fn end(&mut self, response: &Response, facts: &Facts) {
        self.has_ended = true;
        let duration = self.began.elapsed();
        let rejection = response.extensions().get::<Rejection>();
        let error = facts.error.or_else(|| rejection.and_then(Rejection::error_code));
        let status = response.status();
        meters::requested(self.method, &self.route, class(status), error, duration);
        if self.observer.logs(&self.route, status) {
            let bytes = response.body().size_hint().exact();
            let reason = rejection.map(|rejection| rejection.kind());
            self.log(Some(status), bytes, facts, error, reason, duration);
        }
    }

    fn log(
        &self,
        status: Option<StatusCode>,
        bytes: Option<u64>,
        facts: &Facts,
        error: Option<&'static str>,
        reason: Option<RejectionKind>,
        duration: Duration,
    ) {
        tracing::info!(
            target: ACCESS_LOG,
            request_id = self.id,
            client_address = self.address.map(tracing::field::display),
            method = self.method,
            route = self.route,
            status = status.map(|status| status.as_u16()),
            aborted = status.is_none().then_some(true),
            bytes,
            duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3,
            client_id = facts.client,
            grant_type = facts.grant,
            error,
            reason = reason.map(RejectionKind::as_str),
            "request"
        );
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let duration = self.began.elapsed();
        meters::requested(self.method, &self.route, "aborted", None, duration);
        if self.observer.access_log {
            self.log(None, None, &Facts::default(), None, None, duration);
        }
    }
}

impl Observer {
    pub(crate) fn new(access_log: bool) -> Self {
        Self { access_log, probes: Default::default() }
    }

    /// Whether the request gets a line: a probe only if its status is not that of the one before.
    fn logs(&self, route: &str, status: StatusCode) -> bool {
        let [health, readiness] = &self.probes;
        let before = match route {
            _ if !self.access_log => return false,
            "/healthz" => health,
            "/readyz" => readiness,
            _ => return true,
        };
        before.swap(status.as_u16(), Ordering::Relaxed) != status.as_u16()
    }
}

/// The template of the route, without the braces around its parameters.
fn route(path: Option<&MatchedPath>) -> String {
    path.map_or_else(|| UNMATCHED.to_owned(), |path| path.as_str().replace(['{', '}'], ""))
}

/// The method, and `other` for one that no route has.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// The class of a status.
fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
