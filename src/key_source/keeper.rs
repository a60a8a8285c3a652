//! The task that fetches: one for each issuer, so that there is never more than one fetch at a time,
//! and so that nobody who goes away takes it with him.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::document::Document;
use super::fetch::{FETCH_TIMEOUT, Loaded};
use super::key_cache::{Held, Shared};
use super::schedule::{Schedule, after};
use crate::{KeySourceError, trace};

/// Who fetches: one task at a time, each with another number.
#[derive(Default)]
pub(super) struct Keeper {
    /// That of the task; [`NOBODY`] when there is none. Changed with the schedule locked.
    number: AtomicU64,
    /// Locked before the schedule, never after it.
    last: Mutex<Started>,
}

const NOBODY: u64 = 0;

/// The task that was started last.
#[derive(Default)]
struct Started {
    number: u64,
    task: Option<AbortHandle>,
}

impl Keeper {
    /// Ends the task.
    pub(super) fn stop(&self) {
        if let Some(task) = self.last().task.take() {
            task.abort();
        }
    }

    fn last(&self) -> MutexGuard<'_, Started> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) == number
    }
}

/// Starts the task unless there is one; `false` when there is no runtime to start it on.
pub(super) fn ensure_running(shared: &Arc<Shared>) -> bool {
    if !shared.keeper.is(NOBODY) {
        return true;
    }
    let Ok(runtime) = Handle::try_current() else { return false };
    let mut last = shared.keeper.last();
    if shared.keeper.is(NOBODY) {
        start(shared, &mut last, &runtime);
    }
    // A runtime that is going down drops the task at once.
    !shared.keeper.is(NOBODY)
}

/// Puts another task in the place of one that should have fetched and did not: it is on a runtime that
/// nobody drives.
pub(super) fn replace_if_stuck(shared: &Arc<Shared>) {
    let Ok(runtime) = Handle::try_current() else { return };
    let mut last = shared.keeper.last();
    {
        let mut schedule = shared.schedule();
        if shared.keeper.is(NOBODY) || !schedule.is_stuck(Instant::now()) {
            return;
        }
        shared.keeper.number.store(NOBODY, Ordering::Release);
        schedule.lose(Instant::now(), false);
    }
    if let Some(stuck) = last.task.take() {
        stuck.abort();
    }
    start(shared, &mut last, &runtime);
}

fn start(shared: &Arc<Shared>, last: &mut Started, runtime: &Handle) {
    last.number = last.number.saturating_add(1);
    {
        let mut schedule = shared.schedule();
        schedule.start(Instant::now());
        shared.keeper.number.store(last.number, Ordering::Release);
    }
    // Made here, so that a runtime that is going down, and never polls the task, undoes it.
    let guard = Guard { shared: Arc::clone(shared), number: last.number };
    last.task = Some(runtime.spawn(keep(guard)).abort_handle());
}

/// Goes with the task: however it ends, those who wait are told, and the next one may start.
struct Guard {
    shared: Arc<Shared>,
    number: u64,
}

impl Guard {
    /// The schedule, unless another task has taken this one's place.
    fn schedule(&self) -> Option<MutexGuard<'_, Schedule>> {
        let schedule = self.shared.schedule();
        self.shared.keeper.is(self.number).then_some(schedule)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        {
            let Some(mut schedule) = self.schedule() else { return };
            schedule.lose(Instant::now(), std::thread::panicking());
            self.shared.keeper.number.store(NOBODY, Ordering::Release);
        }
        self.shared.announce();
    }
}

/// Fetches whenever a fetch is due or asked for, until the task is aborted or replaced.
async fn keep(guard: Guard) {
    let shared = &guard.shared;
    loop {
        let wait_until = shared.schedule().wait_until(Instant::now());
        if let Some(wait_until) = wait_until {
            let _ = timeout_at(wait_until, shared.woken()).await;
            continue;
        }
        match guard.schedule() {
            Some(mut schedule) => schedule.begin(Instant::now()),
            None => return,
        }
        let held = shared.held.load_full();
        let loaded = timeout(FETCH_TIMEOUT, shared.loader.load()).await;
        let loaded = loaded
            .unwrap_or_else(|_| Err(KeySourceError::new("no complete answer within 5 seconds")));
        match loaded.map(|loaded| held_from(loaded, held.as_deref())) {
            Ok(new) => accept(&guard, new, held.as_deref()),
            Err(error) => refuse(&guard, &error),
        }
        shared.announce();
    }
}

/// What is held from now on, by what was loaded and what was held before.
fn held_from(loaded: Loaded, before: Option<&Held>) -> Held {
    let Document { body, lifetime, .. } = loaded.document;
    let (set, generation) = match before {
        Some(before) if body == before.body => (before.set.clone(), before.generation),
        _ => (loaded.set, before.map_or(0, |before| before.generation).saturating_add(1)),
    };
    let now = Instant::now();
    let fresh_until = after(now, lifetime.fresh);
    Held {
        set,
        body,
        lifetime,
        generation,
        confirmed_at: now,
        fresh_until,
        usable_until: after(fresh_until, lifetime.stale),
    }
}

fn accept(guard: &Guard, new: Held, before: Option<&Held>) {
    let shared = &guard.shared;
    let Some(mut schedule) = guard.schedule() else { return };
    let new = Arc::new(new);
    shared.held.store(Some(Arc::clone(&new)));
    // Afterwards, so that whoever sees that the fetch succeeded sees its keys as well.
    schedule.succeed(new.confirmed_at, new.lifetime.fresh);
    drop(schedule);
    if before.is_none_or(|before| before.generation != new.generation) {
        trace::keys_changed(shared.loader.name(), new.generation, &new.set);
    }
}

fn refuse(guard: &Guard, error: &KeySourceError) {
    let text: Arc<str> = error.chain().into();
    let shared = &guard.shared;
    let Some(mut schedule) = guard.schedule() else { return };
    let failures = schedule.fail(Instant::now(), Arc::clone(&text));
    drop(schedule);
    let is_unproven = shared.is_for_a_stranger && shared.held.load().is_none();
    match failures {
        Some(failures) if !is_unproven => {
            trace::refresh_failed(shared.loader.name(), failures, &text);
        }
        Some(failures) => trace::first_fetch_failed(shared.loader.name(), failures, &text),
        None => {}
    }
}
