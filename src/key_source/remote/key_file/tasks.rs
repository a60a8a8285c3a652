//! Reads and writes the file on threads that may block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::key_source::remote::key_file::KeyFile;
use crate::key_source::remote::key_file::store::{FetchedSet, KeyFileStore, Remembered};
use crate::key_source::remote::load_keys::LoadKeys;
use crate::key_source::remote::newest::Newest;

/// A disk that needs longer does not delay a fetch.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

pub(in crate::key_source::remote) struct KeyFileTasks {
    store: Arc<KeyFileStore>,
    writer: Arc<Newest<FetchedSet>>,
    /// Whether the file was read, well or not.
    has_read: AtomicBool,
}

impl KeyFileTasks {
    pub(in crate::key_source::remote) fn new(file: KeyFile, loader: &Arc<dyn LoadKeys>) -> Self {
        let store = Arc::new(KeyFileStore::new(file, Arc::clone(loader)));
        let writing = Arc::clone(&store);
        let writer = Newest::new(move |fetched| writing.write(fetched));
        Self { store, writer, has_read: AtomicBool::new(false) }
    }

    /// Reads the file; `None` if it was read before.
    pub(in crate::key_source::remote) fn read(
        &self,
    ) -> Option<impl Future<Output = Remembered> + Send + use<>> {
        let store = Arc::clone(&self.store);
        let reading = async move {
            match timeout(READ_TIMEOUT, spawn_blocking(move || store.read())).await {
                Ok(read) => read.unwrap_or_else(|_| Err("it cannot be read".to_owned())),
                Err(_) => Err("it was not read within 2 seconds".to_owned()),
            }
        };
        (!self.has_read.load(Ordering::Acquire)).then_some(reading)
    }

    pub(in crate::key_source::remote) fn set_read(&self) {
        self.has_read.store(true, Ordering::Release);
    }

    pub(in crate::key_source::remote) fn write(&self, fetched: FetchedSet) {
        self.writer.submit(fetched);
    }
}
