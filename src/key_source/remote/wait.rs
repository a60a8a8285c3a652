//! Waiting that does not panic on any runtime.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::key_source::error::KeySourceError;

/// The output of the future, or `None` if the time is over first.
///
/// The timer runs in its own task: a `tokio` timer panics without a runtime, on a runtime without
/// timers, and on one that has shut down.
///
/// # Errors
///
/// When there is no runtime with timers to wait on.
pub(crate) async fn wait_until<T>(
    future: impl Future<Output = T>,
    at: Instant,
) -> Result<Option<T>, KeySourceError> {
    let mut timer = None;
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(Some(output)));
        }
        if timer.is_none() {
            let Ok(runtime) = Handle::try_current() else { return Poll::Ready(Err(no_runtime())) };
            timer = Some(Timer(runtime.spawn(async move { sleep_until(at).await })));
        }
        let Some(Timer(timer)) = &mut timer else { return Poll::Pending };
        Pin::new(timer).poll(context).map(|slept| match slept {
            Ok(()) => Ok(None),
            Err(error) if error.is_panic() => Err(KeySourceError::new(
                "the tokio runtime has no timers to wait for keys with: build it with `enable_all()`",
            )),
            Err(_) => Err(KeySourceError::new("the tokio runtime is shutting down")),
        })
    })
    .await
}

pub(super) fn no_runtime() -> KeySourceError {
    KeySourceError::new("keys are fetched on a tokio runtime, but there is none here")
}

/// Aborts the task of a timer when nothing waits for it any longer.
struct Timer(JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
