//! The time between SIGTERM and the end: `/readyz` is 503 and connections close after their next response, so that a
//! proxy sends its requests elsewhere before one could be lost.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::response::Response;

/// Whether the service is about to stop.
#[derive(Debug, Default)]
pub(crate) struct Stopping(AtomicBool);

impl Stopping {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks a client of HTTP/1 to make a new connection for its next request. An HTTP/2 connection does not need that: its
    /// end says which requests were not handled.
    pub(crate) fn close_after(&self, response: &mut Response, version: Version) {
        if self.has_begun() && version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
