//! What the log gets, with feature `tracing`: the reason and what was expected, never what came.

#[cfg(all(feature = "tracing", feature = "axum"))]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "jwks-url")]
use crate::key::JwkSet;
use crate::key::SkippedKey;
use crate::rejection::Rejection;
#[cfg(all(feature = "tracing", feature = "axum"))]
use crate::verify::Expected;
#[cfg(feature = "axum")]
use crate::verify::MissingLayer;

/// The one event of a refused request.
#[cfg(feature = "tracing")]
pub(crate) fn refused(rejection: &Rejection) {
    let cause = std::error::Error::source(rejection);
    tracing::debug!(
        target: "tower_jwt_auth",
        reason = ?rejection.kind(),
        expected = rejection.expected(),
        error = cause.map(tracing::field::display),
        "refused a request"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(_: &Rejection) {}

/// A handler has no layer: one event for each type that is looked for, since clients can make this happen
/// as often as they like.
#[cfg(all(feature = "tracing", feature = "axum"))]
pub(crate) fn missing_layer(missing: &MissingLayer) {
    static REPORTED: Mutex<Vec<Expected>> = Mutex::new(Vec::new());

    let is_first = {
        let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = !reported.contains(&missing.expected());
        if is_first {
            reported.push(missing.expected());
        }
        is_first
    };
    if is_first {
        tracing::error!(target: "tower_jwt_auth", "{missing}");
    }
}

#[cfg(all(not(feature = "tracing"), feature = "axum"))]
pub(crate) fn missing_layer(_: &MissingLayer) {}

/// A source holds another set than before: what it holds, and what it does not use. A stranger can
/// make this happen for an issuer that a template allows and that has keys, where the application did
/// not name its tenant; for none that is made up.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn keys_changed(source: &str, generation: u64, set: &JwkSet) {
    let (keys, skipped) = (set.len(), set.skipped().len());
    tracing::info!(target: "tower_jwt_auth", source, generation, keys, skipped, "the keys changed");
    for key in set.skipped().iter().take(SKIPPED_SHOWN) {
        tracing::warn!(target: "tower_jwt_auth", source, %key, "a key is not used");
    }
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn keys_changed(_: &str, _: u64, _: &JwkSet) {}

/// What is not used of a set that the application gave.
#[cfg(feature = "tracing")]
pub(crate) fn keys_skipped(skipped: &[SkippedKey]) {
    for key in skipped.iter().take(SKIPPED_SHOWN) {
        tracing::warn!(target: "tower_jwt_auth", %key, "a key is not used");
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn keys_skipped(_: &[SkippedKey]) {}

/// The most keys of a set that are named as not used.
#[cfg(feature = "tracing")]
const SKIPPED_SHOWN: usize = 8;

/// So many fetches failed in a row: told once a minute at most.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn refresh_failed(source: &str, failures: u32, error: &str) {
    tracing::warn!(target: "tower_jwt_auth", source, failures, error, "the keys cannot be fetched");
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn refresh_failed(_: &str, _: u32, _: &str) {}

/// As `refresh_failed`, of a source whose name may be made up by a stranger.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn first_fetch_failed(source: &str, failures: u32, error: &str) {
    tracing::debug!(target: "tower_jwt_auth", source, failures, error, "the keys cannot be fetched");
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn first_fetch_failed(_: &str, _: u32, _: &str) {}

/// A secret is text with a line break at its end, which the issuer's copy may not have.
#[cfg(feature = "tracing")]
pub(crate) fn secret_ends_in_line_break() {
    tracing::warn!(
        target: "tower_jwt_auth",
        "a secret ends in a line break, which is used as a part of it"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn secret_ends_in_line_break() {}
