//! `/healthz` and `/readyz`, for what starts the service and sends it requests.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::time::timeout;
use tower_jwt_auth::RingKeyState;
use utoipa::ToSchema;

use crate::Service;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process runs
#[utoipa::path(
    get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "It runs", body = Health)),
)]
pub(crate) async fn healthz() -> Response {
    answer(StatusCode::OK, "ok")
}

/// Whether the service can issue tokens: its database answers, and a key signs
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It is ready", body = Health),
        (status = 503, description = "The database does not answer", body = Health,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({"status": "unavailable"})),
    ),
)]
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Response {
    let signs = service.keys.keys().iter().any(|key| key.state() == RingKeyState::Current);
    match timeout(PATIENCE, service.store.ping()).await {
        Ok(Ok(())) if signs => answer(StatusCode::OK, "ok"),
        result => {
            tracing::debug!(signs, ?result, "the service is not ready");
            let retry_after = [(RETRY_AFTER, "5")];
            (retry_after, answer(StatusCode::SERVICE_UNAVAILABLE, "unavailable")).into_response()
        }
    }
}

fn answer(status: StatusCode, text: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(Health { status: text })).into_response()
}
