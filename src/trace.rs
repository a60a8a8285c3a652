//! What the log gets, with feature `tracing`: the reason and what was expected, never what came.

use crate::Rejection;

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
