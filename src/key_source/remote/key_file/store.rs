//! The file of one source: what it remembers, and when it is written.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::clock;
use crate::key_source::remote::cache_headers::Lifetime;
use crate::key_source::remote::held::{Held, age_since};
use crate::key_source::remote::key_file::KeyFile;
use crate::key_source::remote::key_file::disk;
use crate::key_source::remote::key_file::saved::Saved;
use crate::key_source::remote::load_keys::LoadKeys;
use crate::key_source::remote::schedule::after;
use crate::trace;

/// A set that has not changed is written again after this time.
const RENEWAL: Duration = Duration::from_secs(60);
/// At most one warning about failed writes is logged in this time.
const WARNING: Duration = Duration::from_secs(60);

/// A set that was fetched.
#[derive(Clone)]
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
    /// The newest set. Locked only for short sections.
    wanted: Mutex<Option<FetchedSet>>,
    /// Locked while the file is written.
    written: Mutex<Written>,
    /// Whether trouble that may pass was told.
    has_told: AtomicBool,
}

#[derive(Default)]
struct Written {
    /// What the file has; `None` if that is not known.
    set: Option<FetchedSet>,
    warned_at: Option<Instant>,
}

impl Written {
    fn may_warn(&mut self, now: Instant) -> bool {
        let may_warn = self.warned_at.is_none_or(|at| now >= after(at, WARNING));
        if may_warn {
            self.warned_at = Some(now);
        }
        may_warn
    }
}

/// The result of reading the file: no set if there is no file, or the reason why it is ignored.
pub(in crate::key_source::remote) type Remembered = Result<Option<Held>, Ignored>;

/// Why a file is ignored.
#[derive(Debug)]
pub(in crate::key_source::remote) struct Ignored {
    reason: String,
    /// Whether another attempt to read it makes sense.
    pub(super) may_pass: bool,
}

impl Ignored {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: false }
    }
}

impl From<io::Error> for Ignored {
    /// Trouble of the system may pass. A file that must not be trusted does not change.
    fn from(error: io::Error) -> Self {
        Self { reason: error.to_string(), may_pass: error.raw_os_error().is_some() }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl KeyFileStore {
    pub(super) fn new(file: KeyFile, loader: Arc<dyn LoadKeys>) -> Self {
        let (wanted, written) = (Mutex::default(), Mutex::default());
        Self { file, loader, wanted, written, has_told: AtomicBool::new(false) }
    }

    /// Reads the file. Blocks.
    pub(super) fn read(&self) -> Remembered {
        let Some(saved) = self.saved()? else { return Ok(None) };
        let age = age_since(saved.confirmed_at());
        let age = age
            .ok_or_else(|| Ignored::new("it is from the future: the system clock was set back"))?;
        let mut lifetime = saved.lifetime();
        if let Some(max_age) = self.file.max_age {
            (lifetime.fresh, lifetime.stale) = (Duration::ZERO, max_age);
        }
        let set = self.loader.read_set(saved.jwks().as_bytes());
        let set = set.map_err(|error| Ignored::new(format!("its keys cannot be used: {error}")))?;
        let body = Bytes::from(saved.jwks().to_owned());
        let held = Held::remembered(set, body, lifetime, saved.confirmed_at(), age);
        match held.has_ended(held.age()) {
            true => Err(Ignored::new("its keys are too old")),
            false => Ok(Some(held)),
        }
    }

    /// Whether trouble that may pass is reported for the first time.
    pub(super) fn is_first_trouble(&self) -> bool {
        !self.has_told.swap(true, Ordering::Relaxed)
    }

    /// What the file has, if it belongs to this source; `None` if there is no file, or an empty one.
    fn saved(&self) -> Result<Option<Saved>, Ignored> {
        let text = disk::read(&self.file.path)?;
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        Saved::from_text(&text, &self.loader.identity()).map(Some).map_err(Ignored::new)
    }

    /// From now on, this set is the newest one.
    pub(super) fn want(&self, fetched: FetchedSet) {
        *lock(&self.wanted) = Some(fetched);
    }

    /// Writes the newest set, unless the file has it. Blocks. `false` if it has to be tried again.
    pub(super) fn write(&self) -> bool {
        let Some(wanted) = lock(&self.wanted).clone() else { return true };
        let mut written = lock(&self.written);
        let has_it = written
            .set
            .as_ref()
            .is_some_and(|set| set.json == wanted.json && wanted.at.abs_diff(set.at) < RENEWAL);
        if has_it {
            return true;
        }
        let Err(error) = self.try_write(&wanted) else {
            written.set = Some(wanted);
            return true;
        };
        written.set = None;
        let is_removed = self.remove_older(&wanted);
        if written.may_warn(Instant::now()) {
            trace::key_file_not_written(self.loader.name(), &error, is_removed);
        }
        false
    }

    fn try_write(&self, wanted: &FetchedSet) -> io::Result<()> {
        if let Ok(Some(other)) = self.saved()
            && (wanted.at.saturating_add(Duration::from_secs(1))..=clock::since_epoch())
                .contains(&other.confirmed_at())
        {
            // Another process with this file has fetched later. A time in the future tells nothing.
            return Ok(());
        }
        let jwks = std::str::from_utf8(&wanted.json).unwrap_or_default();
        let (name, identity) = (self.loader.name(), self.loader.identity());
        let saved = Saved::new(name, &identity, wanted.at, wanted.lifetime, jwks);
        disk::write(&self.file.path, &saved.to_text()?)
    }

    /// Removes the set in the file, which may have a key that the issuer has withdrawn since then. A full disk permits
    /// this.
    fn remove_older(&self, wanted: &FetchedSet) -> bool {
        let is_older = self
            .saved()
            .is_ok_and(|saved| saved.is_some_and(|saved| saved.jwks().as_bytes() != wanted.json));
        is_older && disk::remove(&self.file.path).is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_error::ConfigError;
    use crate::key::JwkSet;
    use crate::key_source::remote::load_keys::Loading;

    #[derive(Debug)]
    struct Named(&'static str);

    impl LoadKeys for Named {
        fn load(&self) -> Loading<'_> {
            Box::pin(std::future::pending())
        }

        fn name(&self) -> &str {
            self.0
        }

        fn identity(&self) -> String {
            self.0.to_owned()
        }

        fn read_set(&self, json: &[u8]) -> Result<JwkSet, ConfigError> {
            JwkSet::from_fetched(json, None)
        }
    }

    struct Disk(tempfile::TempDir);

    impl Disk {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn store(&self) -> KeyFileStore {
            let file = KeyFile::new(self.0.path().join("keys")).unwrap();
            KeyFileStore::new(file, Arc::new(Named("one")))
        }

        /// The set in the file.
        fn set(&self) -> Option<String> {
            let text = std::fs::read(self.0.path().join("keys")).ok()?;
            Some(Saved::from_text(&text, "one").unwrap().jwks().to_owned())
        }
    }

    /// Writes a set that was fetched this many seconds after now.
    fn write(store: &KeyFileStore, json: &str, seconds: i64) -> bool {
        let now = i64::try_from(clock::since_epoch().as_secs()).unwrap();
        let at = Duration::from_secs(u64::try_from(now + seconds).unwrap());
        let json = Bytes::from(json.to_owned());
        store.want(FetchedSet { json, lifetime: Lifetime::default(), at });
        store.write()
    }

    #[test]
    fn newer_set_of_another_process_is_kept_but_not_one_of_the_future() {
        for (seconds, expected) in [(-5, "other"), (-20, "own"), (-10, "own"), (1000, "own")] {
            let disk = Disk::new();
            assert!(write(&disk.store(), "other", seconds));
            assert!(write(&disk.store(), "own", -10));
            assert_eq!(disk.set().as_deref(), Some(expected), "{seconds}");
        }
    }

    #[test]
    fn changed_set_that_cannot_be_written_removes_the_older_one_and_is_tried_again() {
        let (disk, too_long) = (Disk::new(), " ".repeat(1024 * 1024));
        let store = disk.store();
        assert!(write(&store, "first", -10));
        assert!(!write(&store, &too_long, -5));
        assert_eq!(disk.set(), None);
        assert!(!store.write());
        // Also if the issuer goes back to the set that was in the file.
        assert!(write(&store, "first", -4));
        assert_eq!(disk.set().as_deref(), Some("first"));
    }

    #[test]
    fn failed_writes_are_one_warning_a_minute() {
        let (mut written, now) = (Written::default(), Instant::now());
        let warned: Vec<u64> = (0..200)
            .filter(|seconds| written.may_warn(now + Duration::from_secs(*seconds)))
            .collect();
        assert_eq!(warned, [0, 60, 120, 180]);
    }

    #[test]
    fn failed_write_removes_no_file_of_another_source() {
        let disk = Disk::new();
        let file = KeyFile::new(disk.0.path().join("keys")).unwrap();
        let other = KeyFileStore::new(file, Arc::new(Named("two")));
        assert!(write(&other, "other", -10));
        assert!(!write(&disk.store(), &" ".repeat(1024 * 1024), -5));
        assert!(disk.0.path().join("keys").exists());
    }

    #[test]
    fn set_that_the_file_has_is_written_again_after_a_minute() {
        let disk = Disk::new();
        let store = disk.store();
        assert!(write(&store, "same", -100));
        std::fs::remove_file(disk.0.path().join("keys")).unwrap();
        assert!(write(&store, "same", -50));
        assert_eq!(disk.set(), None);
        assert!(write(&store, "same", -30));
        assert_eq!(disk.set().as_deref(), Some("same"));
    }
}
