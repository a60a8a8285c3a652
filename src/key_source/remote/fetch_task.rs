//! The tasks of the cache: one runs a single fetch, the other sleeps until the next fetch is due.
//! Neither of them keeps the source alive.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::key_source::error::KeySourceError;
use crate::key_source::remote::abort_on_drop::AbortOnDrop;
use crate::key_source::remote::changed_keys::ChangedKeys;
use crate::key_source::remote::fetch::{FETCH_TIMEOUT, Loaded};
use crate::key_source::remote::held::Held;
use crate::key_source::remote::key_cache::{Shared, State};
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::{FetchedSet, Reading, Remembered};
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
                // Also under the lock, so that sets are passed on in the order in which they were in use.
                let is_changed = before.as_ref().is_none_or(|old| old.changes != held.changes);
                self.pass_on(&held, is_changed);
                new = Some((held, is_changed));
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
            let held = new.as_ref().map(|(held, _)| held).or(before.as_ref());
            self.meter_fetch(may_be_made_up, is_ok, held.map(|held| &**held));
        }
        if let Some((held, true)) = &new {
            trace::keys_changed(name, held.changes, held.set.len(), held.set.skipped());
        }
        match failed {
            Some((failures, text)) if is_quiet => trace::first_fetch_failed(name, failures, &text),
            Some((failures, text)) => trace::refresh_failed(name, failures, &text),
            None => {}
        }
    }

    /// Uses the keys of the file, unless a fetch was faster or the initial keys are newer.
    #[cfg(feature = "key-file")]
    fn begin_with(&self, remembered: Remembered) {
        let name = self.loader.name();
        let state = self.state();
        let is_quiet = state.is_quiet;
        let remembered = match remembered {
            Ok(held) => held,
            Err(reason) => {
                drop(state);
                trace::key_file_ignored(name, &reason.to_string(), is_quiet);
                return;
            }
        };
        let Some(remembered) = remembered.map(Arc::new) else { return };
        let current = self.held.load_full();
        if current.is_some_and(|held| held.is_confirmed() || held.is_newer_than(&remembered)) {
            return;
        }
        if state.schedule.last_error.is_some() {
            // The file was slower than a fetch that failed.
            remembered.outlive(Duration::ZERO);
        }
        self.held.store(Some(Arc::clone(&remembered)));
        drop(state);
        trace::keys_remembered(name, remembered.set.len(), remembered.age(), is_quiet);
    }

    /// Passes a set that was fetched on to those who keep it.
    fn pass_on(&self, held: &Held, is_changed: bool) {
        let (name, at) = (self.loader.name(), held.confirmed_at().unwrap_or_default());
        match &self.on_changed {
            Some(on_changed) if is_changed => {
                let (json, keys) = (held.body().clone(), held.set.clone());
                on_changed.submit(ChangedKeys::new(name, json, keys, at));
            }
            // A set that an earlier runtime has not passed on.
            Some(on_changed) => on_changed.resume(),
            None => {}
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
        #[cfg(feature = "key-file")]
        let reading = remember(&self.shared);
        let load = async { timeout(FETCH_TIMEOUT, loader.load()).await };
        let loaded = match until_panic(load).await {
            Some(Ok(loaded)) => loaded,
            Some(Err(_)) => Err(KeySourceError::new("no complete response within 5 seconds")),
            None => Err(panicked()),
        };
        #[cfg(feature = "key-file")]
        if let (Err(_), Some(reading)) = (&loaded, reading) {
            // So that waiting requests find the keys of the file.
            reading.wait().await;
        }
        self.result = Some(loaded);
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
            None if std::thread::panicking() => Some(Err(panicked())),
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

/// Begins to read the file of keys, if there is one that was not read yet. The reading goes on if the fetch ends first, in
/// any way.
#[cfg(feature = "key-file")]
fn remember(shared: &Weak<Shared>) -> Option<Reading> {
    let strong = shared.upgrade()?;
    let file = strong.key_file.as_ref().filter(|_| !strong.is_confirmed())?;
    let shared = shared.clone();
    file.read(move |remembered| {
        if let Some(shared) = shared.upgrade() {
            shared.begin_with(remembered);
        }
    })
}

/// The output of the future; `None` if it panics. The panic hook of the application has reported the panic.
async fn until_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

fn panicked() -> KeySourceError {
    KeySourceError::new(
        "the fetch panicked (it needs a tokio runtime with timers and I/O: `enable_all()`)",
    )
}
