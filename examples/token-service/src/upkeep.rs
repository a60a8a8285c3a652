//! What runs beside the requests: the keys follow the store, and expired rows are deleted.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::observe::meters;
use crate::store::Seconds;
use crate::{Service, keys};

/// How often the keys are read.
const KEYS: Duration = Duration::from_secs(2);
/// After how many seconds the keys are read before a request.
const STALE: u64 = 60;
/// How long a request waits for that: half of its time for the store.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often expired rows are deleted.
const PURGE: Duration = Duration::from_secs(60);
/// The rows that one statement deletes, so that it does not hold up requests.
const BATCH: u32 = 500;

/// Runs until it is dropped. A failure is logged once, and tried again. A long purge does not hold up the keys.
pub async fn run(service: Arc<Service>) {
    tokio::join!(repeat(&service, Task::Keys), repeat(&service, Task::Purge));
}

#[derive(Clone, Copy)]
enum Task {
    Keys,
    Purge,
}

async fn repeat(service: &Service, task: Task) {
    let mut ticks = interval(match task {
        Task::Keys => KEYS,
        Task::Purge => PURGE,
    });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_failed = false;
    loop {
        ticks.tick().await;
        let result = match task {
            Task::Keys => follow_keys(service).await,
            Task::Purge => purge_expired(service).await,
        };
        match result {
            Ok(()) => has_failed = false,
            Err(error) if has_failed => tracing::debug!(error = &*error, "the upkeep failed again"),
            Err(error) => {
                has_failed = true;
                tracing::error!(error = &*error, "the upkeep failed, and is tried again");
            }
        }
    }
}

/// Takes over keys that changed in the store, and adds the next one when it is due.
///
/// One call at a time reads the keys and sets the ring: one that has read them earlier would put back a key that was
/// removed meanwhile. A call that waited takes the result of a read that began after it did, so many calls at once cause
/// two reads.
///
/// # Errors
///
/// If the store fails, or a key in it cannot be read.
pub async fn follow_keys(service: &Service) -> Result<(), keys::KeysError> {
    let followed = &service.followed;
    let begun_before = followed.begun.load(Ordering::SeqCst);
    let mut state = followed.state.lock().await;
    if let Some(read) = state.last.as_ref().filter(|read| read.number > begun_before) {
        return read.result.clone().map_err(Into::into);
    }
    let number = followed.begun.fetch_add(1, Ordering::SeqCst).saturating_add(1);
    let lifetime = keys::longest_lifetime(&service.settings);
    let (store, ring) = (&*service.store, &service.keys);
    let result = keys::follow(store, ring, &mut state.held, lifetime, service.now()).await;
    let result = result.map_err(|error| NotFollowed(error.into()));
    if result.is_ok() {
        meters::keys_read(service.now());
        followed.succeeded_at.store(service.now(), Ordering::Relaxed);
    }
    followed.has_key.store(!state.held.is_empty(), Ordering::Relaxed);
    // Also after a failure, so that requests do not wait for the next one.
    followed.at.store(service.now(), Ordering::Relaxed);
    state.last = Some(Read { number, result: result.clone() });
    Ok(result?)
}

/// Why the keys could not be followed, for every call that waited for the read.
#[derive(Clone, Debug)]
struct NotFollowed(Arc<dyn Error + Send + Sync>);

impl fmt::Display for NotFollowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for NotFollowed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// A read of the keys that has ended.
#[derive(Debug)]
struct Read {
    number: u64,
    result: Result<(), NotFollowed>,
}

/// When the keys were read the last time.
#[derive(Debug)]
pub(crate) struct Followed {
    at: AtomicI64,
    /// When that succeeded the last time.
    succeeded_at: AtomicI64,
    /// Whether the ring has a key of the store.
    has_key: AtomicBool,
    turn: Mutex<()>,
    /// The reads that have begun.
    begun: AtomicU64,
    /// Held while the keys are read and the ring is set.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    held: keys::Held,
    last: Option<Read>,
}

impl Followed {
    /// The keys were read at this time.
    pub(crate) fn new(at: Seconds, held: keys::Held) -> Self {
        Self {
            at: AtomicI64::new(at),
            succeeded_at: AtomicI64::new(at),
            has_key: AtomicBool::new(!held.is_empty()),
            turn: Mutex::default(),
            begun: AtomicU64::new(0),
            state: Mutex::new(State { held, last: None }),
        }
    }

    /// Whether the keys were read without a failure within the last minute, and one of them can sign.
    pub(crate) fn is_up_to_date(&self, now: Seconds) -> bool {
        self.has_key() && self.succeeded_at.load(Ordering::Relaxed).abs_diff(now) <= STALE
    }

    /// Whether there is a key that may sign.
    pub(crate) fn has_key(&self) -> bool {
        self.has_key.load(Ordering::Relaxed)
    }

    fn is_long_ago(&self, now: Seconds) -> bool {
        self.at.load(Ordering::Relaxed).abs_diff(now) > STALE
    }
}

/// Reads the keys before a request, if that was not done for a minute: the process or its machine was stopped, and the
/// keys may have been replaced in the meantime. If the store fails, the request goes on with those that are there.
pub(crate) async fn follow_keys_if_stale(service: &Service) {
    if !service.followed.is_long_ago(service.now()) {
        return;
    }
    let _turn = service.followed.turn.lock().await;
    if service.followed.is_long_ago(service.now()) {
        let result = timeout(PATIENCE, follow_keys(service)).await;
        service.followed.at.store(service.now(), Ordering::Relaxed);
        tracing::info!(ok = matches!(result, Ok(Ok(()))), "the keys are read after a long pause");
    }
}

/// Deletes expired rows.
///
/// # Errors
///
/// If the store fails.
pub async fn purge_expired(service: &Service) -> Result<(), keys::KeysError> {
    let deleted = service.store.purge(BATCH, service.now()).await?;
    meters::purged(deleted, service.now());
    Ok(())
}
