//! One request at a time for one token.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use foldhash::fast::SeedableRandomState;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::hash_seed::random_state;
use crate::rejection::Rejection;
use crate::verify::verified_token::VerifiedToken;

/// What is known of a token.
pub(super) type Outcome<C> = Result<VerifiedToken<C>, Rejection>;

/// A request for a token, for everybody who waits for it. It ends when nobody does.
pub(super) type Flight<C> = Shared<BoxFuture<'static, Outcome<C>>>;

/// The requests that are under way or wait for a slot, by their tokens.
pub(super) struct Flights<C>(Mutex<Running<C>>);

struct Running<C> {
    next_id: u64,
    by_token: HashMap<Bytes, Known<C>, SeedableRandomState>,
}

/// The number of a flight, and the way to it.
type Known<C> = (u64, WeakShared<BoxFuture<'static, Outcome<C>>>);

pub(super) enum Joined<C> {
    Landed(Outcome<C>),
    Flying(Flight<C>),
    /// There are too many other tokens.
    Full,
}

impl<C> Flights<C> {
    /// Of different tokens.
    pub(super) const MOST: usize = 1024;
    /// Beside these, for tokens that were accepted lately.
    pub(super) const MORE: usize = 256;

    fn running(&self) -> MutexGuard<'_, Running<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Default for Flights<C> {
    fn default() -> Self {
        let by_token = HashMap::with_hasher(random_state());
        Self(Mutex::new(Running { next_id: 0, by_token }))
    }
}

impl<C: Send + Sync + 'static> Flights<C> {
    /// The request for this token: the one that is under way, or a new one. `landed` looks for the result of one that has
    /// ended since the caller looked for it. If there are `most` already, there is no new one.
    ///
    /// The futures of the requests drive it together, so it goes on when one of them is dropped.
    pub(super) fn join<F>(
        self: &Arc<Self>,
        text: &[u8],
        most: usize,
        landed: impl FnOnce() -> Option<Outcome<C>>,
        ask: impl FnOnce() -> F,
    ) -> Joined<C>
    where
        F: Future<Output = Outcome<C>> + Send + 'static,
    {
        let mut running = self.running();
        if let Some((_, flight)) = running.by_token.get(text)
            && let Some(flight) = flight.upgrade()
        {
            return Joined::Flying(flight);
        }
        if let Some(outcome) = landed() {
            return Joined::Landed(outcome);
        }
        if running.by_token.len() >= most {
            return Joined::Full;
        }
        let (id, text) = (running.next_id, Bytes::copy_from_slice(text));
        running.next_id = running.next_id.wrapping_add(1);
        let entry = Entry { flights: Arc::clone(self), text: text.clone(), id };
        let asked = ask();
        let flight = async move {
            let outcome = asked.await;
            drop(entry);
            outcome
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            running.by_token.insert(text, (id, weak));
        }
        Joined::Flying(flight)
    }
}

/// Takes a flight out of the list when it ends or is dropped.
struct Entry<C> {
    flights: Arc<Flights<C>>,
    text: Bytes,
    id: u64,
}

impl<C> Drop for Entry<C> {
    fn drop(&mut self) {
        let mut running = self.flights.running();
        // Not one that replaced it in the meantime.
        if running.by_token.get(&self.text).is_some_and(|(id, _)| *id == self.id) {
            running.by_token.remove(&self.text);
        }
    }
}
