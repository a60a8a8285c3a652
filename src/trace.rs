//! What the log gets, with feature `tracing`: the reason and what was expected, never what came.

use crate::{KeySourceError, Rejection};

#[cfg(feature = "tracing")]
pub(crate) fn refused(rejection: &Rejection) {
    tracing::debug!(
        target: "tower_jwt_auth",
        reason = ?rejection.kind(),
        expected = rejection.expected(),
        "refused a request"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn refused(_: &Rejection) {}

#[cfg(feature = "tracing")]
pub(crate) fn keys_unavailable(error: &KeySourceError) {
    tracing::debug!(target: "tower_jwt_auth", error = %error, "no keys to verify a token with");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn keys_unavailable(_: &KeySourceError) {}
