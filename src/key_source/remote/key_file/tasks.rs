//! Reads and writes the file on threads that may block.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use crate::key_source::remote::abort_on_drop::AbortOnDrop;
use crate::key_source::remote::key_file::KeyFile;
use crate::key_source::remote::key_file::store::{FetchedSet, KeyFileStore, Remembered};
use crate::key_source::remote::load_keys::LoadKeys;
use crate::key_source::remote::newest::Newest;
use crate::key_source::remote::schedule::after;

/// A disk that needs longer does not delay the end of a failed fetch. The reading goes on.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// After this time, a set that could not be written is written again.
const RETRY: Duration = Duration::from_secs(15);

pub(in crate::key_source::remote) struct KeyFileTasks {
    store: Arc<KeyFileStore>,
    /// Writes the newest set of the store.
    writer: Arc<Newest<()>>,
    /// The task that sleeps until the next attempt to write.
    retry: Mutex<Option<AbortOnDrop>>,
    /// The last attempt to read: `true` when it has told whether there are keys.
    read: Mutex<Option<watch::Receiver<bool>>>,
}

impl KeyFileTasks {
    pub(in crate::key_source::remote) fn new(
        file: KeyFile,
        loader: &Arc<dyn LoadKeys>,
    ) -> Arc<Self> {
        let store = Arc::new(KeyFileStore::new(file, Arc::clone(loader)));
        Arc::new_cyclic(|tasks: &Weak<Self>| {
            let (writing, tasks) = (Arc::clone(&store), tasks.clone());
            // A set is also written if its source has been dropped in the meantime.
            let writer = Newest::new(move |()| {
                if !writing.write()
                    && let Some(tasks) = tasks.upgrade()
                {
                    tasks.write_later();
                }
            });
            Self { store, writer, retry: Mutex::default(), read: Mutex::default() }
        })
    }

    /// Reads the file in a task of its own, which calls `then` with the result. `None` if that was done before. A reading
    /// that is under way is returned.
    pub(in crate::key_source::remote) fn read(
        &self,
        then: impl FnOnce(Remembered) + Send + 'static,
    ) -> Option<Reading> {
        let by = after(Instant::now(), READ_TIMEOUT);
        let runtime = Handle::try_current().ok()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = &*read {
            if *ended.borrow() {
                return None;
            }
            // Closed if the task has ended without a result: the disk has failed, the system has no thread left, or the
            // runtime has shut down.
            if ended.has_changed().is_ok() {
                return Some(Reading { ended: ended.clone(), by });
            }
        }
        let (sender, ended) = watch::channel(false);
        *read = Some(ended.clone());
        drop(read);
        let store = Arc::clone(&self.store);
        // In a task of its own, because `spawn_blocking` panics if the system has no thread left.
        runtime.spawn(async move {
            let reading = Arc::clone(&store);
            let Ok(remembered) = spawn_blocking(move || reading.read()).await else { return };
            let is_final = !matches!(&remembered, Err(ignored) if ignored.may_pass);
            if is_final || store.is_first_trouble() {
                then(remembered);
            }
            sender.send_replace(is_final);
        });
        Some(Reading { ended, by })
    }

    /// Writes this set, unless a newer one follows. Does not block.
    pub(in crate::key_source::remote) fn write(&self, fetched: FetchedSet) {
        self.store.want(fetched);
        self.writer.submit(());
    }

    fn write_later(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let tasks = Arc::downgrade(self);
        let task = runtime.spawn(async move {
            sleep(RETRY).await;
            if let Some(tasks) = tasks.upgrade() {
                tasks.writer.submit(());
            }
        });
        let task = AbortOnDrop(task.abort_handle());
        *self.retry.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }
}

/// A reading of the file under way.
pub(in crate::key_source::remote) struct Reading {
    ended: watch::Receiver<bool>,
    by: Instant,
}

impl Reading {
    /// Waits until the reading ends, for a short time at most.
    pub(in crate::key_source::remote) async fn wait(mut self) {
        let _ = timeout_at(self.by, self.ended.wait_for(|is_final| *is_final)).await;
    }
}
