//! How long a caller waits for the database.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::StoreError;

/// How long all operations of one request wait together.
///
/// PostgreSQL ends a statement earlier, so that the connection stays usable.
const REQUEST: Duration = Duration::from_secs(4);

/// How long an operation waits that belongs to no request: of the start, of the upkeep, of the administration.
const ALONE: Duration = Duration::from_secs(10);

tokio::task_local! {
    static CURRENT: Request;
}

struct Request {
    deadline: Cell<Instant>,
    has_begun: AtomicBool,
}

/// Runs the work of one request: all of its operations have the same deadline.
pub(crate) async fn for_request<F: Future>(work: F) -> F::Output {
    let deadline = Cell::new(Instant::now() + REQUEST);
    CURRENT.scope(Request { deadline, has_begun: AtomicBool::new(false) }, work).await
}

/// Whether this is the first operation of a request, once.
pub(crate) fn is_first() -> bool {
    let begin = |request: &Request| !request.has_begun.swap(true, Ordering::Relaxed);
    CURRENT.try_with(begin).unwrap_or(false)
}

/// The deadline of this request; without a request, that of an operation that begins now.
pub(crate) fn deadline() -> Instant {
    CURRENT.try_with(|request| request.deadline.get()).unwrap_or_else(|_| Instant::now() + ALONE)
}

/// Work of a request that is not the database's, such as a fetch: its time does not count.
pub(crate) async fn apart<F: Future>(work: F) -> F::Output {
    // Outside of a request, there is nothing to extend.
    let before = CURRENT.try_with(|request| request.deadline.get());
    let start = Instant::now();
    let output = work.await;
    if let Ok(before) = before {
        CURRENT.with(|request| request.deadline.set(before + start.elapsed()));
    }
    output
}

/// One operation, which fails at the deadline.
pub(crate) async fn within<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout_at(deadline(), operation).await.unwrap_or_else(|_| Err(too_slow()))
}

/// The failure of an operation that took too long.
pub(crate) fn too_slow() -> StoreError {
    StoreError::new("the database did not answer in time")
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_operations_of_a_request_share_its_time() {
        let start = Instant::now();
        for_request(async {
            for _ in 0..3 {
                within::<()>(pending()).await.unwrap_err();
            }
        })
        .await;
        assert_eq!(start.elapsed().as_secs(), REQUEST.as_secs());
        // Other work takes none of it.
        for_request(async {
            apart(sleep(2 * REQUEST)).await;
            within(async { Ok(()) }).await.unwrap();
        })
        .await;
        let start = Instant::now();
        // Each of these has its own.
        for _ in 0..3 {
            within::<()>(pending()).await.unwrap_err();
        }
        assert_eq!(start.elapsed().as_secs(), 3 * ALONE.as_secs());
    }
}
