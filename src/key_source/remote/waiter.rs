//! Waiting for a fetch: for a request, for an operator's refresh, and when a server starts.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::key::{KeyCandidates, OwnedKeyHint};
use crate::key_source::error::KeySourceError;
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::remote::fetch_task::{Ended, OVERDUE, Outcome};
use crate::key_source::remote::held::Found;
use crate::key_source::remote::key_cache::{Shared, State};
use crate::key_source::remote::schedule::after;
use crate::key_source::remote::wait::{no_runtime, wait_until};

/// How long a request waits for keys at most.
const MAX_WAIT: Duration = Duration::from_secs(7);

pub(super) struct Waiter {
    shared: Arc<Shared>,
    /// The end of the wait.
    deadline: Instant,
    /// The first fetch that starts after this waiter was created. The set of an older fetch may be
    /// older than the key.
    fetch: Option<Ended>,
    /// Whether the waiter has waited for a fetch that was already running.
    has_waited: bool,
    /// The permit to wait for an unknown `kid`.
    permit: Option<OwnedSemaphorePermit>,
}

type Result<T> = std::result::Result<T, KeySourceError>;

enum Turn {
    /// The look-up is complete.
    Done(Result<KeyCandidates>),
    /// Wait for the end of this fetch, or for a time at which one may start.
    Wait(Ended, Instant),
    /// A fetch has to start, and there is no runtime.
    NoRuntime,
}

impl Turn {
    /// Waits until another look-up makes sense.
    async fn wait(self) -> Result<()> {
        match self {
            Self::Done(_) => Ok(()),
            Self::NoRuntime => Err(no_runtime()),
            Self::Wait(mut ended, until) => {
                // Closed or with a result: the state has the details.
                wait_until(ended.changed(), until).await?;
                Ok(())
            }
        }
    }
}

impl Waiter {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let deadline = after(Instant::now(), MAX_WAIT);
        let shared = Arc::clone(shared);
        Self { shared, deadline, fetch: None, has_waited: false, permit: None }
    }

    pub(super) fn look_up(mut self, query: &KeyQuery<'_>) -> KeyLookup {
        let turn = match self.turn_of_look_up(query) {
            Turn::Done(found) => return KeyLookup::ready(found),
            // The future will be polled on a runtime.
            Turn::NoRuntime => None,
            turn @ Turn::Wait(..) => Some(turn),
        };
        let query = query.hint().into_owned();
        KeyLookup::pending(async move { self.wait_for_key(&query, turn).await })
    }

    async fn wait_for_key(
        mut self,
        query: &OwnedKeyHint,
        mut turn: Option<Turn>,
    ) -> Result<KeyCandidates> {
        loop {
            match turn
                .take()
                .unwrap_or_else(|| self.turn_of_look_up(&KeyQuery::new(query.as_hint())))
            {
                Turn::Done(found) => return found,
                Turn::Wait(ended, until) => {
                    Turn::Wait(ended, until.min(self.deadline)).wait().await?;
                }
                none => none.wait().await?,
            }
            if Instant::now() >= self.deadline {
                let state = self.shared.state();
                return self
                    .shared
                    .last_word(&state, self.shared.find(&KeyQuery::new(query.as_hint())));
            }
        }
    }

    /// Looks up the key again. If it is not found, waits for a fetch or starts one. This happens
    /// under one lock.
    fn turn_of_look_up(&mut self, query: &KeyQuery<'_>) -> Turn {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let found = shared.find(query);
        if let Found::Known(candidates) = found {
            return Turn::Done(Ok(candidates));
        }
        let is_unknown = matches!(found, Found::Unknown);
        // Before the first fetch has ended nobody knows which keys there are, so each request waits, as without a set.
        if is_unknown && self.permit.is_none() && shared.has_been_tried() {
            self.permit = Arc::clone(&shared.permits).try_acquire_owned().ok();
            if self.permit.is_none() {
                return Turn::Done(shared.last_word(&state, found));
            }
        }
        let has_failed = state.schedule.last_error.is_some();
        if self.outcome().is_some() {
            if is_unknown {
                state.schedule.charge_first(now);
            }
            return Turn::Done(shared.last_word(&state, found));
        }
        if let Some(turn) = self.join(&state, now) {
            return turn;
        }
        if self.has_waited && has_failed {
            return Turn::Done(shared.last_word(&state, found));
        }

        let is_due = match found {
            // Due by its age, which also grows while the machine is suspended.
            Found::Stale(_) => state.schedule.is_allowed(now),
            _ => state.schedule.is_due(now),
        };
        if !is_due && (matches!(found, Found::Stale(_)) || state.schedule.take_at(now) > now) {
            let at = state.schedule.take_at(now);
            if !is_unknown || has_failed || at >= self.deadline {
                return Turn::Done(shared.last_word(&state, found));
            }
            let ended = self.fetch.get_or_insert_with(|| state.next.subscribe()).clone();
            return Turn::Wait(ended, at);
        }
        if !is_due && Handle::try_current().is_ok() {
            state.schedule.take(now);
        }
        self.begin(state, now)
    }

    /// Waits for a fetch that starts from now on.
    pub(super) async fn refresh(mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        loop {
            let turn = {
                let (state, now) = (shared.state(), Instant::now());
                if let Some(outcome) = self.outcome() {
                    return outcome.map_err(|error| shared.failed(&error));
                }
                match self.join(&state, now) {
                    Some(turn) => turn,
                    None => self.begin(state, now),
                }
            };
            turn.wait().await?;
        }
    }

    /// Waits for keys from any fetch. Each fetch starts when it is due.
    pub(super) async fn until_ready(mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        while !shared.is_usable() {
            let turn = {
                let (state, now) = (shared.state(), Instant::now());
                match self.join(&state, now) {
                    Some(turn) => turn,
                    None if state.schedule.is_due(now) => self.begin(state, now),
                    None => Turn::Wait(state.next.subscribe(), state.schedule.next_at()),
                }
            };
            turn.wait().await?;
        }
        Ok(())
    }

    /// Waits for the running fetch, if there is one.
    fn join(&mut self, state: &State, now: Instant) -> Option<Turn> {
        let Some(fetching) = state.under_way(now) else {
            // Its own fetch may have ended with its runtime: it waits for the next one.
            self.fetch = self.fetch.take().filter(|fetch| state.is_next(fetch));
            return None;
        };
        self.has_waited = true;
        self.fetch.get_or_insert_with(|| state.next.subscribe());
        Some(Turn::Wait(fetching.ended.clone(), fetching.overdue_at()))
    }

    /// Starts a fetch, and waits for it.
    fn begin(&mut self, mut state: MutexGuard<'_, State>, now: Instant) -> Turn {
        let Ok(runtime) = Handle::try_current() else { return Turn::NoRuntime };
        let attempt = self.shared.begin(&mut state, now);
        drop(state);
        let ended = attempt.ended();
        self.fetch = Some(ended.clone());
        attempt.start(&runtime, &self.shared);
        Turn::Wait(ended, after(now, OVERDUE))
    }

    /// The result of the fetch that started after this waiter was created; `None` until it ends.
    fn outcome(&self) -> Outcome {
        self.fetch.as_ref()?.borrow().clone()
    }
}
