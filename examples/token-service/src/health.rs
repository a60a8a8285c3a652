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
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tower_jwt_auth::RingKeyState;
use utoipa::ToSchema;

use crate::store::Store;
use crate::{Service, upkeep};

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long its answer is kept.
const KEPT: Duration = Duration::from_secs(1);

/// Whether the store answers. It is asked by one request at a time, and at most once a second.
#[derive(Debug, Default)]
pub(crate) struct Ping(Mutex<Option<(Instant, bool)>>);

impl Ping {
    async fn answers(&self, store: &dyn Store) -> bool {
        let mut kept = self.0.lock().await;
        if let Some((at, answers)) = *kept
            && at.elapsed() < KEPT
        {
            return answers;
        }
        let result = timeout(PATIENCE, store.ping()).await;
        let answers = matches!(result, Ok(Ok(())));
        if !answers {
            tracing::debug!(?result, "the store does not answer");
        }
        *kept = Some((Instant::now(), answers));
        answers
    }
}

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

/// Whether the service can issue tokens: its database answers, the keys follow it, and it is not about to stop
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It is ready", body = Health),
        (status = 503, description = "The database does not answer, its signing keys could not be read for a minute, or the service is about to stop", body = Health,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({"status": "unavailable"})),
    ),
)]
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Response {
    if service.stopping.has_begun() {
        return unavailable("stopping");
    }
    let signs = service.keys.keys().iter().any(|key| key.state() == RingKeyState::Current);
    upkeep::follow_keys_if_stale(&service).await;
    let follows = service.followed.is_up_to_date(service.now());
    if signs && follows && service.ping.answers(&*service.store).await {
        return answer(StatusCode::OK, "ok");
    }
    tracing::debug!(signs, follows, "the service is not ready");
    unavailable("unavailable")
}

fn unavailable(text: &'static str) -> Response {
    ([(RETRY_AFTER, "5")], answer(StatusCode::SERVICE_UNAVAILABLE, text)).into_response()
}

fn answer(status: StatusCode, text: &'static str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(Health { status: text })).into_response()
}
