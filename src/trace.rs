//! Log events, with feature `tracing`. They contain the reason and the expected value, never the received value.

#[cfg(feature = "tracing")]
use std::fmt::Display;

use crate::rejection::Rejection;
#[cfg(feature = "tracing")]
use crate::summary::Summary;

/// The event of a refused request.
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

/// The event of a response that ends because its token is refused now.
#[cfg(all(feature = "tracing", feature = "stream-expiry"))]
pub(crate) fn ended_at_expiry(reason: crate::rejection::RejectionKind) {
    tracing::debug!(target: "tower_jwt_auth", ?reason, "ended a stream");
}

#[cfg(all(not(feature = "tracing"), feature = "stream-expiry"))]
pub(crate) fn ended_at_expiry(_: crate::rejection::RejectionKind) {}

/// The event of a changed set: what the source loaded, and which keys it does not use.
///
/// An untrusted client can cause this event for an issuer that has keys and whose tenant a predicate of a
/// template allows, but not for an invented issuer.
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

/// The keys that are not used in a set from the application.
#[cfg(feature = "tracing")]
pub(crate) fn keys_skipped(skipped: &[impl Display]) {
    for key in skipped.iter().take(SKIPPED_SHOWN) {
        tracing::warn!(target: "tower_jwt_auth", %key, "a key is not used");
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn keys_skipped<T>(_: &[T]) {}

/// How many unused keys of a set are logged.
#[cfg(feature = "tracing")]
const SKIPPED_SHOWN: usize = 8;

/// The event of a source that begins with the keys of its file.
#[cfg(all(feature = "tracing", feature = "key-file"))]
pub(crate) fn keys_remembered(source: &str, keys: usize, age: std::time::Duration, is_quiet: bool) {
    if !is_quiet {
        let age = age.as_secs();
        tracing::info!(
            target: "tower_jwt_auth", source, keys, age, "keys of a file are used until a fetch succeeds"
        );
    }
}

#[cfg(all(not(feature = "tracing"), feature = "key-file"))]
pub(crate) fn keys_remembered(_: &str, _: usize, _: std::time::Duration, _: bool) {}

/// The event of a file of keys that is not used, once for each source, or twice if the disk has failed before.
#[cfg(all(feature = "tracing", feature = "key-file"))]
pub(crate) fn key_file_ignored(source: &str, reason: &str, is_quiet: bool) {
    if !is_quiet {
        tracing::warn!(target: "tower_jwt_auth", source, reason, "the file of keys is ignored");
    }
}

#[cfg(all(not(feature = "tracing"), feature = "key-file"))]
pub(crate) fn key_file_ignored(_: &str, _: &str, _: bool) {}

/// The event of a file of keys that cannot be written, at most once a minute, and whether an older one was removed.
#[cfg(all(feature = "tracing", feature = "key-file"))]
pub(crate) fn key_file_not_written(source: &str, error: &std::io::Error, is_removed: bool) {
    tracing::warn!(
        target: "tower_jwt_auth",
        source,
        %error,
        is_old_file_removed = is_removed,
        "the file of keys cannot be written"
    );
}

#[cfg(all(not(feature = "tracing"), feature = "key-file"))]
pub(crate) fn key_file_not_written(_: &str, _: &std::io::Error, _: bool) {}

/// The event of consecutive failed fetches, at most once a minute.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn refresh_failed(source: &str, failures: u32, error: &str) {
    tracing::warn!(target: "tower_jwt_auth", source, failures, error, "the keys cannot be fetched");
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn refresh_failed(_: &str, _: u32, _: &str) {}

/// Like `refresh_failed`, for a source whose name an untrusted client may have invented.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn first_fetch_failed(source: &str, failures: u32, error: &str) {
    tracing::debug!(target: "tower_jwt_auth", source, failures, error, "the keys cannot be fetched");
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn first_fetch_failed(_: &str, _: u32, _: &str) {}

/// The event of failed introspections since the last such event, at most once a minute.
#[cfg(all(feature = "tracing", feature = "introspection"))]
pub(crate) fn introspection_failed(endpoint: &str, failures: u32, error: &str) {
    tracing::warn!(
        target: "tower_jwt_auth", endpoint, failures, error, "tokens cannot be introspected"
    );
}

#[cfg(all(not(feature = "tracing"), feature = "introspection"))]
pub(crate) fn introspection_failed(_: &str, _: u32, _: &str) {}

/// The event of a secret that is a text and ends in a line break: the issuer's copy may not have
/// the line break.
#[cfg(feature = "tracing")]
pub(crate) fn secret_ends_in_line_break() {
    tracing::warn!(
        target: "tower_jwt_auth",
        "a secret ends in a line break, which is used as a part of it"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn secret_ends_in_line_break() {}

/// The span of a fetch. The span has no parent: many requests may wait for the fetch, and the fetch outlives
/// them.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn in_fetch_span<F: Future>(
    source: &str,
    is_quiet: bool,
    fetch: F,
) -> impl Future<Output = F::Output> + use<F> {
    use tracing::{Instrument, debug_span, field::Empty, info_span};

    fetch.instrument(match is_quiet {
        // An untrusted client may have invented the name of the source.
        true => {
            debug_span!(target: "tower_jwt_auth", parent: None, "fetch_keys", source, ok = Empty)
        }
        false => {
            info_span!(target: "tower_jwt_auth", parent: None, "fetch_keys", source, ok = Empty)
        }
    })
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn in_fetch_span<F: Future>(_: &str, _: bool, fetch: F) -> F {
    fetch
}

/// Records that the fetch of the current span has ended.
#[cfg(all(feature = "tracing", feature = "jwks-url"))]
pub(crate) fn fetched(is_ok: bool) {
    tracing::Span::current().record("ok", is_ok);
}

#[cfg(all(not(feature = "tracing"), feature = "jwks-url"))]
pub(crate) fn fetched(_: bool) {}

/// The event with what a layer accepts. `false` if no subscriber is interested in it yet.
#[cfg(feature = "tracing")]
pub(crate) fn accepts(summary: impl FnOnce() -> Summary) -> bool {
    let is_heard = tracing::enabled!(target: "tower_jwt_auth", tracing::Level::INFO);
    if is_heard {
        let summary = summary();
        tracing::info!(
            target: "tower_jwt_auth",
            accepts = summary.accepts_line(),
            dangerous = summary.dangers_line(),
            "a layer accepts tokens"
        );
    }
    is_heard
}
