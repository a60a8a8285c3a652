//! What is logged on this thread.

use std::sync::LazyLock;

use tracing::dispatcher::DefaultGuard;

/// Makes this the subscriber of the thread, until the guard is dropped.
pub(crate) fn subscribe(subscriber: impl Into<tracing::Dispatch>) -> DefaultGuard {
    // With one dispatcher alone, `tracing` decides once and for all by the thread that comes first
    // whether an event is of interest; so there are two.
    static OTHER: LazyLock<tracing::Dispatch> =
        LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));
    LazyLock::force(&OTHER);
    tracing::dispatcher::set_default(&subscriber.into())
}
