//! The tasks of the cache: one runs a single fetch, the other sleeps until the next fetch is due.
//! Neither of them keeps the source alive.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::key_source::error::KeySourceError;
use crate::key_source::remote::changed_keys::ChangedKeys;
use crate::key_source::remote::fetch::{FETCH_TIMEOUT, Loaded};
use crate::key_source::remote::held::Held;
use crate::key_source::remote::key_cache::{Shared, State};
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::{FetchedSet, Remembered};
use crate::key_source::remote::load_keys::LoadKeys;
use crate::key_source::remote::schedule::after;
use crate::trace;

/// How long an unused source continues to fetch.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// After this time, a fetch that has not ended is on a runtime that is not being driven.
pub(super) const OVERDUE: Duration = FETCH_TIMEOUT.saturating_add(Duration::from_secs(1));

/// The result of a fetch, with the error as text. `None` until the fetch ends.
pub(super) type Outcome = Option<Result<(), Arc<str>>>;
/// Changes when a fetch ends. It is closed without a result if the runtime of the fetch shut down.
pub(super) type Ended = watch::Receiver<Outcome>;

/// A running fetch.
pub(super) struct Fetching {
    pub(super) ended: Ended,
    began_at: Instant,
    task: Option<AbortOnDrop>,
}

impl Fetching {
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now >= self.overdue_at()
    }

    pub(super) fn overdue_at(&self) -> Instant {
        after(self.began_at, OVERDUE)
    }

    fn is_by(&self, ended: &Ended) -> bool {
        self.ended.same_channel(ended)
    }
}

/// Aborts a task when dropped.
pub(super) struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    /// Records that a fetch is running. The caller starts it after it unlocks the state: a runtime
    /// that is shutting down drops the task at once.
    pub(super) fn begin(self: &Arc<Self>, state: &mut State, now: Instant) -> Attempt {
        let sender = std::mem::take(&mut state.next);
        state.fetching = Some(Fetching { ended: sender.subscribe(), began_at: now, task: None });
        state.sleeper = None;
        self.set_due(after(now, OVERDUE));
        Attempt { shared: Arc::downgrade(self), sender, result: None }
    }

    /// Starts a fetch in the background if there is a runtime and a fetch is due, by the schedule
    /// or because the set is stale.
    pub(super) fn begin_if_due(self: &Arc<Self>, is_stale: bool) {
        let Ok(runtime) = Handle::try_current() else { return };
        let now = Instant::now();
        let mut state = self.state();
        let is_due = state.schedule.is_due(now) || is_stale && state.schedule.is_allowed(now);
        if is_due && state.under_way(now).is_none() {
            let attempt = self.begin(&mut state, now);
            drop(state);
            attempt.start(&runtime, self);
        }
    }

    /// Records the result of a fetch, unless another fetch has replaced it. `None` means that its
    /// runtime shut down.
    fn settle(self: &Arc<Self>, attempt: &Attempt, result: Option<Result<Loaded, Failure>>) {
        let now = Instant::now();
        let mut state = self.state();
        if !state.fetching.as_ref().is_some_and(|fetching| fetching.is_by(&attempt.ended())) {
            return;
        }
        let fetching = state.fetching.take();
        let before = self.held.load_full();
        let may_be_made_up = state.is_quiet;
        let is_quiet = may_be_made_up && before.as_ref().is_none_or(|held| !held.is_confirmed());
        let is_ok = result.as_ref().map(Result::is_ok);
        let (mut new, mut failed) = (None, None);
        match result {
            None => state.schedule.lose(now),
            Some(Ok(loaded)) => {
                let held = Arc::new(Held::new(loaded, before.as_deref()));
                state.schedule.succeed(now, held.lifetime.fresh);
                attempt.note(Ok(()));
                // The state is still locked: a thread that sees the end of the fetch also sees its
                // keys.
                self.held.store(Some(Arc::clone(&held)));
                new = Some(held);
            }
            Some(Err(Failure { text, pause })) => {
                let told = state.schedule.fail(now, Arc::clone(&text), pause);
                attempt.note(Err(Arc::clone(&text)));
                if let Some(held) = &before {
                    let is_allowed = state.schedule.is_allowed(now);
                    let wait = state.schedule.next_at().saturating_duration_since(now);
                    held.outlive(if is_allowed { Duration::ZERO } else { wait });
                }
                failed = told.map(|failures| (failures, text));
            }
        }
        self.set_due(state.schedule.next_at());
        self.sleep(&mut state);
        drop((state, fetching));

        let name = self.loader.name();
        if let Some(is_ok) = is_ok {
            trace::fetched(is_ok);
            self.meter_fetch(may_be_made_up, is_ok, new.as_deref().or(before.as_deref()));
        }
        if let Some(new) = &new {
            self.pass_on(new, before.is_none_or(|before| before.changes != new.changes));
        }
        match (new, failed) {
            (_, Some((failures, text))) if is_quiet => {
                trace::first_fetch_failed(name, failures, &text);
            }
            (_, Some((failures, text))) => trace::refresh_failed(name, failures, &text),
            _ => {}
        }
    }

    /// Uses the keys of the file, unless a fetch was faster.
    #[cfg(feature = "key-file")]
    fn begin_with(&self, remembered: Remembered) {
        let name = self.loader.name();
        let state = self.state();
        let is_quiet = state.is_quiet;
        let remembered = match remembered {
            Ok(held) => held.filter(|_| !self.is_confirmed()).map(Arc::new),
            Err(reason) => {
                drop(state);
                trace::key_file_ignored(name, &reason, is_quiet);
                return;
            }
        };
        if let Some(held) = remembered {
            self.held.store(Some(Arc::clone(&held)));
            drop(state);
            trace::keys_remembered(name, held.set.len(), held.age(), is_quiet);
        }
    }

    /// Passes a set that was fetched on to those who keep it.
    fn pass_on(&self, held: &Held, is_changed: bool) {
        let (name, at) = (self.loader.name(), held.confirmed_at().unwrap_or_default());
        if is_changed {
            trace::keys_changed(name, held.changes, held.set.len(), held.set.skipped());
            if let Some(on_changed) = &self.on_changed {
                let (json, keys) = (held.body().clone(), held.set.clone());
                on_changed.submit(ChangedKeys::new(name, json, keys, at));
            }
        }
        #[cfg(feature = "key-file")]
        if let Some(file) = &self.key_file {
            file.write(FetchedSet { json: held.body().clone(), lifetime: held.lifetime, at });
        }
    }

    /// Starts the task that sleeps until the next fetch is due.
    fn sleep(self: &Arc<Self>, state: &mut State) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (at, shared) = (state.schedule.next_at(), Arc::downgrade(self));
        let task = runtime.spawn(async move {
            sleep_until(at).await;
            if let Some(shared) = shared.upgrade() {
                shared.wake_up();
            }
        });
        state.sleeper = Some(AbortOnDrop(task.abort_handle()));
    }

    /// A fetch is due. It starts if the source was used recently; otherwise the next look-up starts
    /// it.
    fn wake_up(self: &Arc<Self>) {
        let is_idle = {
            let (used, now) = (self.take_use(), Instant::now());
            let mut state = self.state();
            if used {
                state.used_at = now;
            }
            now >= after(state.used_at, IDLE)
        };
        if !is_idle {
            self.begin_if_due(false);
        }
    }
}

/// One fetch. When its task ends in any way, the state is updated, and then the waiting requests
/// wake.
pub(super) struct Attempt {
    shared: Weak<Shared>,
    sender: watch::Sender<Outcome>,
    /// `None` until the fetch ends.
    result: Option<Result<Loaded, KeySourceError>>,
}

/// Why a fetch failed, and the `Retry-After` time.
struct Failure {
    text: Arc<str>,
    pause: Option<Duration>,
}

impl From<KeySourceError> for Failure {
    fn from(error: KeySourceError) -> Self {
        Self { text: error.chain().into(), pause: error.retry_after_that_was_set() }
    }
}

impl Attempt {
    pub(super) fn ended(&self) -> Ended {
        self.sender.subscribe()
    }

    pub(super) fn start(self, runtime: &Handle, shared: &Shared) {
        let (ended, loader) = (self.ended(), Arc::clone(&shared.loader));
        let is_quiet = shared.state().is_quiet && !shared.is_confirmed();
        let fetch = trace::in_fetch_span(shared.loader.name(), is_quiet, self.run(loader));
        let task = runtime.spawn(fetch).abort_handle();
        if let Some(fetching) = &mut shared.state().fetching
            && fetching.is_by(&ended)
        {
            fetching.task = Some(AbortOnDrop(task));
        }
    }

    async fn run(mut self, loader: Arc<dyn LoadKeys>) {
        let load = pin!(timeout(FETCH_TIMEOUT, loader.load()));
        let remember = pin!(remember(self.shared.clone()));
        let loaded = match select(load, remember).await {
            Either::Left((loaded @ Ok(Ok(_)), _)) => loaded,
            Either::Left((failed, remember)) => {
                // So that waiting requests find the keys of the file.
                remember.await;
                failed
            }
            Either::Right(((), load)) => load.await,
        };
        self.result =
            Some(loaded.unwrap_or_else(|_| {
                Err(KeySourceError::new("no complete response within 5 seconds"))
            }));
    }

    /// Stores the result without waking anyone yet.
    fn note(&self, outcome: Result<(), Arc<str>>) {
        self.sender.send_if_modified(|noted| {
            *noted = Some(outcome);
            false
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let result = match self.result.take() {
            None if std::thread::panicking() => Some(Err(KeySourceError::new(
                "the fetch panicked (it needs a tokio runtime with timers and I/O: `enable_all()`)",
            ))),
            result => result,
        };
        // The text of an application's error is built here, where no lock is held.
        let result = result.map(|result| result.map_err(Failure::from));
        if let Some(shared) = self.shared.upgrade() {
            shared.settle(self, result);
        }
        // Waiting requests wake when the sender is dropped.
    }
}

/// Reads the file of keys, if there is one that was not read yet.
#[cfg(feature = "key-file")]
async fn remember(shared: Weak<Shared>) {
    let reading = shared.upgrade().and_then(|shared| {
        let file = shared.key_file.as_ref().filter(|_| !shared.is_confirmed())?;
        file.read()
    });
    let Some(reading) = reading else { return };
    let remembered = reading.await;
    if let Some(shared) = shared.upgrade() {
        shared.begin_with(remembered);
        if let Some(file) = &shared.key_file {
            file.set_read();
        }
    }
}

#[cfg(not(feature = "key-file"))]
async fn remember(_: Weak<Shared>) {}
