//! `GET /readyz`: whether the keys are loaded, and their state.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tower_jwt_auth::KeyStatus;

use crate::verifier::Verifier;

/// Key IDs and issuers are not secret, and a status contains nothing from a request.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// The issuers whose keys are not loaded. `null` means any issuer.
    waiting_for: Vec<Option<String>>,
    keys: Vec<Keys>,
}

/// Times are in whole seconds.
#[derive(Serialize)]
struct Keys {
    issuer: Option<String>,
    ready: bool,
    /// The keys are no longer fresh, because the issuer cannot be reached.
    stale: bool,
    /// The keys are of --key-file or --initial-jwks, and no fetch has succeeded yet.
    unconfirmed: bool,
    /// The time since the issuer last confirmed them; `null` if it never did.
    age: Option<u64>,
    /// How often the set has changed.
    generation: u64,
    kids: Vec<String>,
    /// Keys that are not used, with the reasons.
    skipped: Vec<String>,
    fetches_ok: u64,
    fetches_failed: u64,
    next_refresh: Option<u64>,
    /// Why the last fetch failed; `null` if it did not fail.
    last_error: Option<String>,
}

/// Returns 200 when the keys of every issuer are loaded, 503 before. Until then some good tokens get 503, and a load
/// balancer should send them to another instance. A later outage of an issuer changes nothing as long as its keys may
/// be used.
pub(crate) fn readyz(verifier: &Verifier) -> Response {
    let keys: Vec<Keys> = verifier.key_status().into_iter().map(Keys::new).collect();
    let missing = keys.iter().filter(|keys| !keys.ready);
    let waiting_for: Vec<_> = missing.map(|keys| keys.issuer.clone()).collect();
    let ready = waiting_for.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(Readiness { ready, waiting_for, keys }))
        .into_response()
}

impl Keys {
    fn new((issuer, status): (Option<String>, KeyStatus)) -> Self {
        Self {
            issuer,
            ready: status.is_ready(),
            stale: status.is_stale(),
            unconfirmed: status.is_unconfirmed(),
            age: status.age().as_ref().map(Duration::as_secs),
            generation: status.changes(),
            kids: status.kids().to_vec(),
            skipped: status.skipped().iter().map(ToString::to_string).collect(),
            fetches_ok: status.fetches_ok(),
            fetches_failed: status.fetches_failed(),
            next_refresh: status.next_refresh().as_ref().map(Duration::as_secs),
            last_error: status.last_error().map(str::to_owned),
        }
    }
}
