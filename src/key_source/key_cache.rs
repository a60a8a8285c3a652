//! The key engine: answers from the set that is held, at once; and where that does not do, from the
//! fetch that somebody asks for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::cache_headers::Lifetime;
use super::fetch::Loaded;
use super::keeper::{self, Keeper};
use super::schedule::{Ask, Schedule};
use super::stranger::is_for_a_stranger;
use super::{KeyStatus, KeyTask};
use crate::key::KeyHint;
use crate::{JwkSet, KeyCandidates, KeyLookup, KeyQuery, KeySourceError};

/// How long a request waits for keys, whatever happens.
const MAX_WAIT: Duration = Duration::from_secs(7);
/// How often whoever waits looks after the task that is to fetch.
const LOOK: Duration = Duration::from_secs(1);

/// Where the engine gets a set from.
pub(super) trait LoadKeys: fmt::Debug + Send + Sync + 'static {
    /// Makes one attempt: fetches the set and reads it.
    fn load(&self) -> Loading<'_>;

    /// For logs: a URL or an issuer.
    fn name(&self) -> &str;
}

pub(super) type Loading<'a> =
    Pin<Box<dyn Future<Output = Result<Loaded, KeySourceError>> + Send + 'a>>;

/// The engine. Clones are one; when the last one is dropped, its task ends.
#[derive(Clone)]
pub(super) struct KeyCache(Arc<Owner>);

/// Ends the task. The task itself holds only what is shared.
struct Owner(Arc<Shared>);

pub(super) struct Shared {
    pub(super) loader: Box<dyn LoadKeys>,
    /// Its name is not for the log until it has had keys.
    pub(super) is_for_a_stranger: bool,
    /// The one thing that a look-up of a known key reads.
    pub(super) held: ArcSwapOption<Held>,
    pub(super) keeper: Keeper,
    schedule: Mutex<Schedule>,
    /// Wakes the task.
    wake: Notify,
    /// How many fetches have ended: wakes those who wait for one.
    ended: watch::Sender<u64>,
}

/// A set, and how long it is good for.
pub(super) struct Held {
    pub(super) set: JwkSet,
    pub(super) body: Bytes,
    pub(super) lifetime: Lifetime,
    pub(super) generation: u64,
    pub(super) confirmed_at: Instant,
    pub(super) fresh_until: Instant,
    /// Until then it serves on, whether its issuer can be reached or not.
    pub(super) usable_until: Instant,
}

impl Held {
    /// The answer that the set has for a token; `None` when a newer set may have another one.
    fn find(&self, hint: &KeyHint<'_>, now: Instant) -> Option<KeyCandidates> {
        if now >= self.usable_until {
            return None;
        }
        let candidates = self.set.candidates(hint);
        (!candidates.is_empty() || self.set.settles(hint)).then_some(candidates)
    }
}

impl KeyCache {
    pub(super) fn new(loader: impl LoadKeys) -> Self {
        Self(Arc::new(Owner(Arc::new(Shared {
            loader: Box::new(loader),
            is_for_a_stranger: is_for_a_stranger(),
            held: ArcSwapOption::empty(),
            keeper: Keeper::default(),
            schedule: Mutex::new(Schedule::default()),
            wake: Notify::new(),
            ended: watch::Sender::new(0),
        }))))
    }

    pub(super) fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let shared = &self.0.0;
        let can_fetch = keeper::ensure_running(shared);
        if let Some(found) = shared.find(query.hint()) {
            return KeyLookup::ready(Ok(found));
        }
        let ask = match can_fetch {
            true => match shared.find_or_ask(query.hint()) {
                Ok(found) => return KeyLookup::ready(Ok(found)),
                Err(ask) => ask,
            },
            // The future will be polled by some runtime.
            false => Ask::Wait { fetch: 0, had_begun: true },
        };
        match ask {
            Ask::NotNow => KeyLookup::ready(shared.last_word(query.hint())),
            Ask::Wait { .. } => {
                let (cache, hint) = (self.clone(), query.hint().into_owned());
                KeyLookup::pending(async move {
                    let hint = hint.as_hint();
                    let waiting = cache.wait_for_key(&hint, ask);
                    timeout(MAX_WAIT, waiting).await.unwrap_or_else(|_| {
                        Err(KeySourceError::new("the keys take too long to be fetched"))
                    })
                })
            }
        }
    }

    async fn wait_for_key(
        &self,
        hint: &KeyHint<'_>,
        mut ask: Ask,
    ) -> Result<KeyCandidates, KeySourceError> {
        let shared = &self.0.0;
        loop {
            let Ask::Wait { fetch, had_begun } = ask else {
                return shared.last_word(hint);
            };
            self.wait_for_fetch(fetch).await?;
            if let Some(found) = shared.find(hint) {
                return Ok(found);
            }
            // An answer that was under way before may be older than the key.
            if !had_begun || shared.schedule().last_error.is_some() {
                return shared.last_word(hint);
            }
            ask = match shared.find_or_ask(hint) {
                Ok(found) => return Ok(found),
                Err(Ask::Wait { fetch, .. }) => Ask::Wait { fetch, had_begun: false },
                Err(Ask::NotNow) => Ask::NotNow,
            };
        }
    }

    /// Waits for the end of a fetch; one more begins if it must.
    async fn wait_for_fetch(&self, fetch: u64) -> Result<(), KeySourceError> {
        let shared = &self.0.0;
        let mut ended = shared.ended.subscribe();
        loop {
            // Each time: the task may have gone with its runtime, or by a panic.
            if !keeper::ensure_running(shared) {
                return Err(KeySourceError::new(
                    "keys are fetched on a tokio runtime: there is none",
                ));
            }
            if *ended.borrow_and_update() >= fetch {
                return Ok(());
            }
            // Its sender lives as long as this cache.
            if timeout(LOOK, ended.changed()).await.is_err() {
                keeper::replace_if_stuck(shared);
            }
        }
    }

    pub(super) fn refresh(&self) -> KeyTask {
        let cache = self.clone();
        Box::pin(async move {
            let shared = &cache.0.0;
            let fetch = shared.schedule().demand(Instant::now());
            shared.wake();
            cache.wait_for_fetch(fetch).await?;
            let last_error = {
                let schedule = shared.schedule();
                // A later one may have ended since, and failed: this one did not.
                schedule.last_error.clone().filter(|_| schedule.succeeded < fetch)
            };
            last_error.map_or(Ok(()), |error| Err(shared.unavailable(&error)))
        })
    }

    pub(super) fn until_ready(&self) -> KeyTask {
        let cache = self.clone();
        Box::pin(async move {
            let shared = &cache.0.0;
            while !shared.is_usable() {
                let next = shared.schedule().ended().saturating_add(1);
                // Between the look and the wait a fetch may have ended: then the next one is
                // waited for, or there are keys already.
                if shared.is_usable() {
                    break;
                }
                cache.wait_for_fetch(next).await?;
            }
            Ok(())
        })
    }

    pub(super) fn generation(&self) -> u64 {
        match &*self.0.0.held.load() {
            None => 0,
            Some(held) if Instant::now() < held.usable_until => held.generation,
            // Nothing that is remembered of the set may be used any longer than the set.
            Some(_) => u64::MAX,
        }
    }

    pub(super) fn status(&self) -> KeyStatus {
        let shared = &self.0.0;
        keeper::ensure_running(shared);
        let now = Instant::now();
        let schedule = shared.schedule();
        // With the schedule locked they belong together.
        let held = shared.held.load_full();
        let mut status = KeyStatus {
            fetches_ok: schedule.ok,
            fetches_failed: schedule.failed,
            next_refresh: schedule.next_refresh(now),
            last_error: schedule.last_error.clone(),
            ..KeyStatus::default()
        };
        drop(schedule);
        if let Some(held) = held {
            status.ready = now < held.usable_until;
            status.age = Some(now.saturating_duration_since(held.confirmed_at));
            status.stale = now >= held.fresh_until;
            status.generation = held.generation;
            held.set.describe(&mut status);
        }
        status
    }
}

impl Shared {
    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Whoever waits, also a task that was replaced and takes notice of nothing; and the one that
        // is about to wait.
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Tells those who wait how many fetches have ended, and wakes them in any case. A task that is gone
    /// may come late with it, after the next one: it takes nothing back.
    pub(super) fn announce(&self) {
        let ended = self.schedule().ended();
        self.ended.send_modify(|known| *known = ended.max(*known));
    }

    fn find(&self, hint: &KeyHint<'_>) -> Option<KeyCandidates> {
        self.held.load().as_ref()?.find(hint, Instant::now())
    }

    fn is_usable(&self) -> bool {
        self.held.load().as_ref().is_some_and(|held| Instant::now() < held.usable_until)
    }

    /// Looks once more and, if there is nothing, asks for a fetch, in one step: a set is held before
    /// its fetch counts as ended, so whoever finds nothing here needs a fetch that has yet to end.
    fn find_or_ask(&self, hint: &KeyHint<'_>) -> Result<KeyCandidates, Ask> {
        let mut schedule = self.schedule();
        if let Some(found) = self.find(hint) {
            return Ok(found);
        }
        let ask = schedule.ask(Instant::now());
        drop(schedule);
        if let Ask::Wait { had_begun: false, .. } = ask {
            self.wake();
        }
        Err(ask)
    }

    /// No fetch will be waited for: the key is there after all, or it is unknown, unless the last
    /// fetch failed. Then nobody can tell.
    ///
    /// It looks once more, since between the look that found nothing and the schedule's "not now" a
    /// fetch may have brought the key.
    fn last_word(&self, hint: &KeyHint<'_>) -> Result<KeyCandidates, KeySourceError> {
        let last_error = self.schedule().last_error.clone();
        if let Some(found) = self.find(hint) {
            return Ok(found);
        }
        match last_error {
            Some(error) => Err(self.unavailable(&error)),
            None if self.is_usable() => Ok(KeyCandidates::default()),
            None => Err(self.unavailable("the keys are too old")),
        }
    }

    fn unavailable(&self, error: &str) -> KeySourceError {
        let retry_after = self.schedule().retry_after(Instant::now());
        let name = self.loader.name();
        KeySourceError::new(format!("no keys of {name}: {error}")).with_retry_after(retry_after)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.keeper.stop();
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").field("loader", &self.0.0.loader).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::after;
    use super::*;
    use crate::{Algorithm, VerificationKey};

    #[derive(Debug)]
    struct Never;

    impl LoadKeys for Never {
        fn load(&self) -> Loading<'_> {
            Box::pin(std::future::pending())
        }

        fn name(&self) -> &'static str {
            "nobody"
        }
    }

    fn named(kid: &str) -> KeyHint<'_> {
        KeyHint { algorithm: Algorithm::HS256, kid: Some(kid), x5t: None, x5t_s256: None }
    }

    /// A fetch begins, brings a key named "here", and ends.
    fn fetch(shared: &Shared) {
        let now = Instant::now();
        let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
        shared.schedule().begin(now);
        shared.held.store(Some(Arc::new(Held {
            set: JwkSet::from_keys([key.with_kid("here")]).unwrap(),
            body: Bytes::new(),
            lifetime: Lifetime::default(),
            generation: 1,
            confirmed_at: now,
            fresh_until: after(now, MAX_WAIT),
            usable_until: after(now, MAX_WAIT),
        })));
        shared.schedule().succeed(now, MAX_WAIT);
    }

    /// One thread looks and finds nothing; the fetch that was under way brings its key; then it asks.
    #[test]
    fn v49_a_key_that_came_between_the_look_and_the_ask_uses_up_no_cool_down() {
        let cache = KeyCache::new(Never);
        let shared = &cache.0.0;
        assert!(shared.find(&named("here")).is_none());
        fetch(shared);
        assert!(shared.find_or_ask(&named("here")).is_ok());
        let ask = shared.find_or_ask(&named("stranger")).unwrap_err();
        assert_eq!(ask, Ask::Wait { fetch: 2, had_begun: false });
    }

    /// One thread counts the fetches that have ended; another one brings and announces the next; then
    /// the first one announces what it has counted.
    #[test]
    fn v52_an_announcement_that_comes_late_takes_nothing_back() {
        let cache = KeyCache::new(Never);
        let shared = &cache.0.0;
        let mut waiting = shared.ended.subscribe();
        shared.ended.send_replace(1);
        waiting.mark_unchanged();
        shared.announce();
        // All the same those who wait are woken, to look after the task.
        assert!(waiting.has_changed().unwrap());
        assert_eq!(*waiting.borrow_and_update(), 1);
        fetch(shared);
        fetch(shared);
        shared.announce();
        assert_eq!(*waiting.borrow_and_update(), 2);
    }

    /// One thread looks and finds nothing; another one brings the key and lets a stranger use up the
    /// cool-down; then the first one is told "not now". Its key is there all the same.
    #[test]
    fn v49_a_key_that_came_before_the_last_word_is_found() {
        let cache = KeyCache::new(Never);
        let shared = &cache.0.0;
        let known = || shared.last_word(&named("here"));
        let stranger = || shared.last_word(&named("stranger"));
        assert!(known().is_err());

        fetch(shared);
        assert!(shared.find_or_ask(&named("stranger")).is_err());
        fetch(shared);
        let ask = shared.find_or_ask(&named("stranger")).unwrap_err();
        assert_eq!(ask, Ask::NotNow);
        assert!(!known().unwrap().is_empty());
        assert!(stranger().unwrap().is_empty());
        // Also where a later fetch has failed.
        shared.schedule().begin(Instant::now());
        shared.schedule().fail(Instant::now(), "no".into());
        assert!(!known().unwrap().is_empty());
        assert!(stranger().is_err());
    }
}
