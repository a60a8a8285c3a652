//! A job that is run for the newest value, on a thread that may block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

/// Runs one job at a time. If values arrive while it runs, it runs once more, with the last of them.
pub(super) struct Newest<T> {
    job: Box<dyn Fn(T) + Send + Sync>,
    work: Mutex<Work<T>>,
}

struct Work<T> {
    next: Option<T>,
    is_running: bool,
}

impl<T: Send + 'static> Newest<T> {
    pub(super) fn new(job: impl Fn(T) + Send + Sync + 'static) -> Arc<Self> {
        let work = Mutex::new(Work { next: None, is_running: false });
        Arc::new(Self { job: Box::new(job), work })
    }

    /// Runs the job for this value, on a thread of the current runtime. Without a runtime, or if the runtime shuts down
    /// before, the value waits for the next call of this function or of [`resume`](Self::resume).
    pub(super) fn submit(self: &Arc<Self>, value: T) {
        self.work().next = Some(value);
        self.resume();
    }

    /// Runs the job for a value that still waits.
    pub(super) fn resume(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut work = self.work();
        if work.next.is_none() || std::mem::replace(&mut work.is_running, true) {
            return;
        }
        drop(work);
        let running = Running(Some(Arc::clone(self)));
        // In a task of its own, because `spawn_blocking` panics if the system has no thread left.
        runtime.spawn(async move {
            let _ = tokio::task::spawn_blocking(move || running.run()).await;
        });
    }

    fn work(&self) -> MutexGuard<'_, Work<T>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run the job. If it is dropped early, because the runtime shuts down, another one can start.
struct Running<T: Send + 'static>(Option<Arc<Newest<T>>>);

impl<T: Send + 'static> Running<T> {
    fn run(mut self) {
        let Some(newest) = self.0.clone() else { return };
        loop {
            let mut work = newest.work();
            let Some(value) = work.next.take() else {
                work.is_running = false;
                self.0 = None;
                return;
            };
            drop(work);
            // The panic hook of the application has reported the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| (newest.job)(value)));
        }
    }
}

impl<T: Send + 'static> Drop for Running<T> {
    fn drop(&mut self) {
        if let Some(newest) = self.0.take() {
            newest.work().is_running = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn job_runs_for_the_newest_value_and_survives_a_panic() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let _guard = runtime.enter();
        let (seen, values) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let newest = Newest::new(move |value: u32| {
            seen.send(value).unwrap();
            gate.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap();
            assert_ne!(value, 1, "this panic is part of the test");
        });
        let next = || values.recv_timeout(Duration::from_secs(5));
        newest.submit(1);
        assert_eq!(next(), Ok(1));
        (2..=9).for_each(|value| newest.submit(value));
        go.send(()).unwrap();
        assert_eq!(next(), Ok(9));
        go.send(()).unwrap();
        while newest.work().is_running {
            std::thread::yield_now();
        }
        newest.submit(10);
        assert_eq!(next(), Ok(10));
        go.send(()).unwrap();
    }

    #[test]
    fn job_of_a_runtime_that_has_ended_does_not_block_the_next_one() {
        let (seen, values) = mpsc::channel();
        let newest = Newest::new(move |value: u32| seen.send(value).unwrap());
        newest.submit(0);
        let runtime = Builder::new_current_thread().build().unwrap();
        {
            let _guard = runtime.enter();
            newest.submit(1);
        }
        drop(runtime);
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let _guard = runtime.enter();
        newest.submit(2);
        assert_eq!(values.recv_timeout(Duration::from_secs(5)), Ok(2));
    }

    #[test]
    fn value_that_a_runtime_did_not_get_to_is_not_lost() {
        let (seen, values) = mpsc::channel();
        let newest = Newest::new(move |value: u32| seen.send(value).unwrap());
        {
            let runtime = Builder::new_current_thread().build().unwrap();
            let _guard = runtime.enter();
            newest.submit(1);
        }
        assert!(values.try_recv().is_err());
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let _guard = runtime.enter();
        newest.resume();
        assert_eq!(values.recv_timeout(Duration::from_secs(5)), Ok(1));
        newest.resume();
        assert!(values.recv_timeout(Duration::from_millis(50)).is_err());
    }
}
