//! The file of one source: what it remembers, and when it is written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::clock;
use crate::key_source::remote::cache_headers::Lifetime;
use crate::key_source::remote::held::Held;
use crate::key_source::remote::key_file::KeyFile;
use crate::key_source::remote::key_file::disk;
use crate::key_source::remote::key_file::saved::Saved;
use crate::key_source::remote::load_keys::LoadKeys;
use crate::trace;

/// A set that has not changed is written again after this time.
const RENEWAL: Duration = Duration::from_secs(60);

/// A set that was fetched.
pub(in crate::key_source::remote) struct FetchedSet {
    /// The document as the issuer sent it.
    pub(in crate::key_source::remote) json: Bytes,
    pub(in crate::key_source::remote) lifetime: Lifetime,
    /// As a duration since 1970.
    pub(in crate::key_source::remote) at: Duration,
}

pub(super) struct KeyFileStore {
    file: KeyFile,
    loader: Arc<dyn LoadKeys>,
    /// What was last written, or should have been.
    written: Mutex<Option<FetchedSet>>,
}

/// The result of reading the file: no set if there is no file, or the reason why it is ignored.
pub(in crate::key_source::remote) type Remembered = Result<Option<Held>, String>;

impl KeyFileStore {
    pub(super) fn new(file: KeyFile, loader: Arc<dyn LoadKeys>) -> Self {
        Self { file, loader, written: Mutex::new(None) }
    }

    /// Reads the file. Blocks.
    pub(super) fn read(&self) -> Remembered {
        let text = disk::read(&self.file.path).map_err(|error| error.to_string())?;
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let saved = Saved::from_text(&text, &self.loader.identity())?;
        let age = clock::since_epoch().checked_sub(saved.confirmed_at());
        let age = age.ok_or("it is from the future: the system clock was set back")?;
        let mut lifetime = saved.lifetime();
        if let Some(max_age) = self.file.max_age {
            (lifetime.fresh, lifetime.stale) = (Duration::ZERO, max_age);
        }
        let set = self.loader.read_set(saved.jwks().as_bytes());
        let set = set.map_err(|error| format!("its keys cannot be used: {error}"))?;
        let body = Bytes::from(saved.jwks().to_owned());
        let held = Held::remembered(set, body, lifetime, saved.confirmed_at(), age);
        match held.has_ended(held.age()) {
            true => Err("its keys are too old".to_owned()),
            false => Ok(Some(held)),
        }
    }

    /// Writes a set that was fetched. Blocks.
    pub(super) fn write(&self, fetched: FetchedSet) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = written.as_ref().is_none_or(|before| {
            before.json != fetched.json || fetched.at.abs_diff(before.at) >= RENEWAL
        });
        if !is_new {
            return;
        }
        if let Err(error) = self.try_write(&fetched) {
            trace::key_file_not_written(self.loader.name(), &error);
        }
        // Also after an error: the next attempt is made by the next change, or after the same time.
        *written = Some(fetched);
    }

    fn try_write(&self, fetched: &FetchedSet) -> std::io::Result<()> {
        let jwks = std::str::from_utf8(&fetched.json).unwrap_or_default();
        let (name, identity) = (self.loader.name(), self.loader.identity());
        let saved = Saved::new(name, &identity, fetched.at, fetched.lifetime, jwks);
        disk::write(&self.file.path, &saved.to_text()?)
    }
}
