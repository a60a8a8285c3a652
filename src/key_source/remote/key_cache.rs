//! The key cache: looks up keys in the loaded set. If the key is not there, the look-up waits for a
//! fetch.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::key::KeyCandidates;
use crate::key_source::KeyTask;
use crate::key_source::error::KeySourceError;
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::remote::abort_on_drop::AbortOnDrop;
use crate::key_source::remote::changed_keys::ChangedKeys;
use crate::key_source::remote::fetch_task::{Ended, Fetching, Outcome};
use crate::key_source::remote::held::{Found, Held};
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::KeyFileTasks;
use crate::key_source::remote::load_keys::LoadKeys;
use crate::key_source::remote::newest::Newest;
use crate::key_source::remote::schedule::Schedule;
use crate::key_source::remote::settings::{InitialKeys, Settings};
use crate::key_source::remote::waiter::Waiter;
use crate::key_source::status::KeyStatus;

/// How many requests may wait for an unknown `kid` while there is a set.
const MAX_WAITING: usize = 64;

/// The cache. Clones share one set; its tasks end when the last clone is dropped.
#[derive(Clone)]
pub(super) struct KeyCache(Arc<Shared>);

pub(super) struct Shared {
    pub(super) loader: Arc<dyn LoadKeys>,
    /// A look-up of a known key reads only this and the two atomics.
    pub(super) held: ArcSwapOption<Held>,
    /// When a look-up has to check the schedule: nanoseconds after `made_at`.
    due: AtomicU64,
    /// Whether the source was used since the flag was last taken.
    is_used: AtomicBool,
    made_at: Instant,
    /// The permits of requests that wait for an unknown `kid`.
    pub(super) permits: Arc<Semaphore>,
    state: Mutex<State>,
    /// Tells the application of a changed set.
    pub(super) on_changed: Option<Arc<Newest<ChangedKeys>>>,
    #[cfg(feature = "key-file")]
    pub(super) key_file: Option<Arc<KeyFileTasks>>,
}

/// Locked only for short sections, without I/O or calls of the application's code.
pub(super) struct State {
    pub(super) schedule: Schedule,
    pub(super) fetching: Option<Fetching>,
    /// The channel of the next fetch.
    pub(super) next: watch::Sender<Outcome>,
    /// The task that sleeps until the next fetch is due.
    pub(super) sleeper: Option<AbortOnDrop>,
    pub(super) used_at: Instant,
    /// Whether an untrusted client may have invented the name of the source: then failures are
    /// logged only at `debug` until it has keys.
    pub(super) is_quiet: bool,
}

impl KeyCache {
    pub(super) fn new(loader: impl LoadKeys, settings: &Settings) -> Self {
        let (now, loader) = (Instant::now(), Arc::new(loader) as Arc<dyn LoadKeys>);
        let initial = settings.initial_keys.as_ref().and_then(InitialKeys::held);
        let on_changed = settings.on_changed_keys.clone();
        Self(Arc::new(Shared {
            #[cfg(feature = "key-file")]
            key_file: settings.key_file.clone().map(|file| KeyFileTasks::new(file, &loader)),
            loader,
            on_changed: on_changed.map(|f| Newest::new(move |changed| f(&changed))),
            held: ArcSwapOption::from_pointee(initial),
            due: AtomicU64::new(0),
            is_used: AtomicBool::new(false),
            made_at: now,
            permits: Arc::new(Semaphore::new(MAX_WAITING)),
            state: Mutex::new(State {
                schedule: Schedule::new(now),
                fetching: None,
                next: watch::Sender::default(),
                sleeper: None,
                used_at: now,
                is_quiet: false,
            }),
        }))
    }

    pub(super) fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let shared = &self.0;
        shared.note_use();
        let found = shared.find(query);
        if let Found::Known(candidates) = found {
            shared.begin_if_past_due();
            return KeyLookup::ready(Ok(candidates));
        }
        // This source was created for one verifier, which uses it for the first time: the
        // application did not configure it.
        if query.is_quiet() && Arc::strong_count(shared) == 1 {
            shared.state().is_quiet = true;
        }
        if !query.may_wait() {
            shared.begin_if_due(matches!(found, Found::Stale(_)));
            return KeyLookup::ready(shared.without_waiting(query));
        }
        Waiter::new(shared).look_up(query)
    }

    /// The generation of the set, as long as a look-up would use the set without a fetch first.
    /// Cached results are used no longer than that. A cache asks for the generation instead of a
    /// key, so this also counts as a use of the source.
    pub(super) fn generation(&self) -> Option<u64> {
        let shared = &self.0;
        shared.note_use();
        let held = shared.held.load();
        let held = held.as_ref().filter(|held| held.serves(held.age()))?;
        shared.begin_if_past_due();
        Some(held.set.generation().get())
    }

    pub(super) fn refresh(&self) -> KeyTask {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            shared.note_use();
            Waiter::new(&shared).refresh().await
        })
    }

    pub(super) fn until_ready(&self) -> KeyTask {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            shared.note_use();
            Waiter::new(&shared).until_ready().await
        })
    }

    pub(super) fn status(&self) -> KeyStatus {
        let shared = &self.0;
        shared.note_use();
        shared.begin_if_past_due();
        let now = Instant::now();
        let state = shared.state();
        // Read under the lock, so that both belong to the same fetch.
        let held = shared.held.load_full();
        let mut status = KeyStatus {
            fetches_ok: state.schedule.ok,
            fetches_failed: state.schedule.failed,
            next_refresh: Some(state.schedule.next_at().saturating_duration_since(now)),
            last_error: state.schedule.last_error.clone(),
            ..KeyStatus::new(false)
        };
        let is_quiet = state.is_quiet;
        drop(state);
        if let Some(held) = held {
            let age = held.age();
            shared.meter_age(is_quiet, &held);
            status.ready = Some(!held.has_ended(age));
            status.age = held.confirmed_at().map(|_| age);
            status.unconfirmed = !held.is_confirmed();
            status.stale = held.is_stale(age);
            status.changes = held.changes;
            status.describe(&held.set);
        }
        status
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, query: &KeyQuery<'_>) -> Found {
        self.held.load().as_ref().map_or(Found::Nothing, |held| held.find(query))
    }

    /// Whether there are usable keys. Unconfirmed ones count after the first attempt to confirm them.
    pub(super) fn is_usable(&self) -> bool {
        let held = self.held.load();
        held.as_ref().is_some_and(|held| held.has_been_tried() && !held.has_ended(held.age()))
    }

    /// Whether an attempt to confirm the loaded set has ended, well or not.
    pub(super) fn has_been_tried(&self) -> bool {
        self.held.load().as_ref().is_some_and(|held| held.has_been_tried())
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.held.load().as_ref().is_some_and(|held| held.is_confirmed())
    }

    fn note_use(&self) {
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn take_use(&self) -> bool {
        self.is_used.swap(false, Ordering::Relaxed)
    }

    pub(super) fn set_due(&self, at: Instant) {
        self.due.store(self.nanoseconds(at), Ordering::Relaxed);
    }

    /// Takes the lock only if a fetch is due.
    fn begin_if_past_due(self: &Arc<Self>) {
        if self.nanoseconds(Instant::now()) >= self.due.load(Ordering::Relaxed) {
            self.begin_if_due(false);
        }
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.made_at).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The result for a caller that cannot wait.
    fn without_waiting(&self, query: &KeyQuery<'_>) -> Result<KeyCandidates, KeySourceError> {
        let (state, now) = (self.state(), Instant::now());
        let may_be_fetched = state.under_way(now).is_some() || state.schedule.take_at(now) <= now;
        match self.find(query) {
            Found::Unknown if may_be_fetched => {
                Err(self.unavailable(&state, "the key is not loaded yet"))
            }
            found => self.last_word(&state, found),
        }
    }

    /// The result without waiting for a fetch. The key is unknown, unless the last fetch failed, or
    /// there was none: then the result is an error. It is an error too if the key is of a set that no fetch has tried
    /// to confirm yet.
    pub(super) fn last_word(
        &self,
        state: &State,
        found: Found,
    ) -> Result<KeyCandidates, KeySourceError> {
        match found {
            Found::Stale(_) if !self.has_been_tried() => {
                Err(self.unavailable(state, "they are not confirmed yet"))
            }
            Found::Known(candidates) | Found::Stale(candidates) => Ok(candidates),
            Found::Unknown if state.schedule.last_error.is_none() && self.is_confirmed() => {
                Ok(KeyCandidates::default())
            }
            Found::Unknown | Found::Nothing => {
                Err(self.unavailable(state, "they were not fetched in time"))
            }
        }
    }

    /// An error with the cause of the last failed fetch, if there is one.
    fn unavailable(&self, state: &State, reason: &str) -> KeySourceError {
        let reason = state.schedule.last_error.as_deref().unwrap_or(reason);
        self.failed(reason).with_retry_after(state.schedule.retry_after(Instant::now()))
    }

    pub(super) fn failed(&self, reason: &str) -> KeySourceError {
        KeySourceError::new(format!("no keys of {}: {reason}", self.loader.name()))
    }
}

impl State {
    /// The running fetch, if a look-up can wait for it.
    pub(super) fn under_way(&self, now: Instant) -> Option<&Fetching> {
        self.fetching.as_ref().filter(|fetching| !fetching.is_overdue(now))
    }

    /// Whether this fetch has not started yet.
    pub(super) fn is_next(&self, fetch: &Ended) -> bool {
        self.next.subscribe().same_channel(fetch)
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").field("loader", &self.0.loader).finish_non_exhaustive()
    }
}
