//! What the log gets, with feature `tracing`: the reason and what was expected, never what came.

#[cfg(feature = "tracing")]
use std::fmt::Display;

use crate::rejection::Rejection;

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

/// A source holds another set than before: what it holds, and what it does not use. A stranger can
/// make this happen for an issuer that a template allows and that has keys, where the application did
/// not name its tenant; for none that is made up.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn keys_changed(source: &str, generation: u64, keys: usize, unused: &[impl Display]) {
    let skipped = unused.len();
    tracing::info!(target: "tower_jwt_auth", source, generation, keys, skipped, "the keys changed");
    for key in unused.iter().take(SKIPPED_SHOWN) {
        tracing::warn!(target: "tower_jwt_auth", source, %key, "a key is not used");
    }
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn keys_changed<T>(_: &str, _: u64, _: usize, _: &[T]) {}

/// What is not used of a set that the application gave.
#[cfg(feature = "tracing")]
pub(crate) fn keys_skipped(skipped: &[impl Display]) {
    for key in skipped.iter().take(SKIPPED_SHOWN) {
        tracing::warn!(target: "tower_jwt_auth", %key, "a key is not used");
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn keys_skipped<T>(_: &[T]) {}

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
