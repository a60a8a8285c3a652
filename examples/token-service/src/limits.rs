//! Limits on wrong guesses: of a user's password, of a client's secret, and from one address.
//!
//! Each wrong guess takes one out of a budget, which fills up again with time (the generic cell rate algorithm). The
//! budgets are in the store, so a restart does not forget an attack, and all instances share them. A right guess writes
//! nothing.
//!
//! A running guess may still turn out wrong, so the number of running guesses is at most the rest of the budget. The
//! other guesses wait until one ends. So a thousand requests at once get no more guesses than a thousand in a row, and
//! right guesses cost nothing.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::Notify;
use tower_jwt_auth::Clock;

use crate::client_address::network;
use crate::store::{Store, StoreError};

/// A kind of budget.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    /// The wrong guesses that a full budget has.
    burst: u32,
    /// How long it takes until one comes back.
    period: Duration,
}

/// The wrong guesses of one user's password: 10 in a minute.
const USER: Kind = Kind { name: "user", burst: 10, period: Duration::from_secs(6) };
/// The wrong guesses of one client's secret from one address: 10 in a minute. So nobody can lock a client out from
/// elsewhere; a secret is too long to be guessed.
const CLIENT: Kind = Kind { name: "client", burst: 10, period: Duration::from_secs(6) };
/// The wrong guesses from one address, for all users and clients together: 50 in a minute.
const ADDRESS: Kind = Kind { name: "address", burst: 50, period: Duration::from_millis(1200) };

/// The budgets of users, clients and addresses.
pub struct Limits {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The running guesses of each budget.
    running: Mutex<HashMap<String, u32>>,
    /// Held while a guess starts: it reads the store, and no other one may start in between.
    starting: tokio::sync::Mutex<()>,
    /// Notified when a guess ends.
    ended: Notify,
}

/// Why a guess may not start.
#[derive(Debug)]
pub enum LimitError {
    /// Wrong guesses have used up the budget. The next guess is possible after this time.
    Exhausted(Duration),
    /// The store failed.
    Store(StoreError),
}

/// Whether a guess may start.
#[derive(Debug)]
enum Start {
    Started(Guess),
    /// The running guesses may use up the rest of the budget.
    Full,
}

impl From<StoreError> for LimitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Limits {
    /// Limits by the budgets of this store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            running: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Starts a guess of a user's password. Waits while that depends on the result of running guesses.
    ///
    /// # Errors
    ///
    /// If wrong guesses have used up the budget of the user or of the address, or the store fails.
    pub async fn guess(self: &Arc<Self>, user: &str, address: IpAddr) -> Result<Guess, LimitError> {
        self.start_when_possible([(ADDRESS, network(address).to_string()), (USER, user.to_owned())])
            .await
    }

    /// Starts a guess of a client's secret, as [`guess`](Self::guess).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn guess_secret(
        self: &Arc<Self>,
        client: &str,
        address: IpAddr,
    ) -> Result<Guess, LimitError> {
        let address = network(address).to_string();
        let client = format!("{address} {client}");
        self.start_when_possible([(ADDRESS, address), (CLIENT, client)]).await
    }

    async fn start_when_possible(
        self: &Arc<Self>,
        budgets: [(Kind, String); 2],
    ) -> Result<Guess, LimitError> {
        // The store has the hashes of these: people type passwords into the wrong field.
        let budgets = budgets.map(|(kind, key)| (kind, format!("{}:{key}", kind.name)));
        loop {
            // Registered before the check, so that no end between the check and the wait is missed.
            let ended = self.ended.notified();
            match self.start(&budgets).await? {
                Start::Started(guess) => return Ok(guess),
                Start::Full => ended.await,
            }
        }
    }

    async fn start(self: &Arc<Self>, budgets: &[(Kind, String); 2]) -> Result<Start, LimitError> {
        let _starting = self.starting.lock().await;
        let now = self.now();
        for (kind, id) in budgets {
            // Before the store is read: a guess that ends now is then counted here or there.
            let running = self.running().get(id).copied().unwrap_or(0);
            match self.store.left(id, kind.burst, kind.period, now).await? {
                Err(wait) => return Err(LimitError::Exhausted(wait)),
                Ok(left) if left <= running => return Ok(Start::Full),
                Ok(_) => {}
            }
        }
        let mut running = self.running();
        for (_, id) in budgets {
            *running.entry(id.clone()).or_default() += 1;
        }
        drop(running);
        Ok(Start::Started(Guess { limits: Arc::clone(self), budgets: budgets.clone() }))
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        // Nothing panics while the lock is held.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In milliseconds.
    fn now(&self) -> i64 {
        let time = self.clock.now().to_system_time().unwrap_or(UNIX_EPOCH);
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// A running guess. It ends when this is dropped, and costs nothing unless it was wrong.
#[derive(Debug)]
pub struct Guess {
    limits: Arc<Limits>,
    budgets: [(Kind, String); 2],
}

impl Guess {
    /// Takes the guess out of its budgets.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn was_wrong(self) -> Result<(), StoreError> {
        let now = self.limits.now();
        for (kind, id) in &self.budgets {
            // It can be empty already if other instances have guesses running. Then it stays so.
            let _ = self.limits.store.take(id, kind.burst, kind.period, now).await?;
        }
        Ok(())
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        let mut running = self.limits.running();
        for (_, id) in &self.budgets {
            if let Some(number) = running.get_mut(id) {
                *number -= 1;
                if *number == 0 {
                    running.remove(id);
                }
            }
        }
        drop(running);
        self.limits.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tower_jwt_auth::NumericDate;
    use tower_jwt_auth::test_util::ManualClock;

    use super::*;
    use crate::store::SqlStore;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    async fn limits() -> (Arc<Limits>, ManualClock) {
        let store = Arc::new(SqlStore::in_memory().await.unwrap());
        let clock = ManualClock::new(NumericDate::from_unix_seconds(1_800_000_000));
        (Arc::new(Limits::new(store, Arc::new(clock.clone()))), clock)
    }

    /// The result of a start: `Ok` is whether the guess has started.
    async fn try_guess(
        limits: &Arc<Limits>,
        user: &str,
        address: IpAddr,
    ) -> Result<Option<Guess>, Duration> {
        let hash = |kind: Kind, key: &str| (kind, format!("{}:{key}", kind.name));
        let budgets = [hash(ADDRESS, &network(address).to_string()), hash(USER, user)];
        match limits.start(&budgets).await {
            Ok(Start::Started(guess)) => Ok(Some(guess)),
            Ok(Start::Full) => Ok(None),
            Err(LimitError::Exhausted(wait)) => Err(wait),
            Err(LimitError::Store(error)) => panic!("{error}"),
        }
    }

    async fn guess_wrong(limits: &Arc<Limits>, user: &str, address: IpAddr) {
        limits.guess(user, address).await.unwrap().was_wrong().await.unwrap();
    }

    #[tokio::test]
    async fn ten_guesses_per_user_and_then_one_every_six_seconds() {
        let (limits, clock) = limits().await;
        for _ in 0..10 {
            guess_wrong(&limits, "alice", HERE).await;
        }
        assert_eq!(try_guess(&limits, "alice", HERE).await.unwrap_err(), USER.period);
        guess_wrong(&limits, "bob", HERE).await;

        clock.advance(Duration::from_secs(6));
        guess_wrong(&limits, "alice", HERE).await;
        try_guess(&limits, "alice", HERE).await.unwrap_err();

        clock.advance(Duration::from_secs(60));
        for _ in 0..10 {
            guess_wrong(&limits, "alice", HERE).await;
        }
        try_guess(&limits, "alice", HERE).await.unwrap_err();
    }

    #[tokio::test]
    async fn fifty_guesses_per_address_whomever_they_are_about() {
        let (limits, _) = limits().await;
        for guess in 0..50 {
            guess_wrong(&limits, &format!("user {guess}"), HERE).await;
        }
        try_guess(&limits, "alice", HERE).await.unwrap_err();
        // The refusal because of the address took nothing from alice's budget.
        for _ in 0..10 {
            guess_wrong(&limits, "alice", IpAddr::from([127, 0, 0, 2])).await;
        }
    }

    #[tokio::test]
    async fn a_client_and_a_user_of_the_same_name_have_their_own_budgets() {
        let (limits, _) = limits().await;
        for _ in 0..10 {
            let guess = limits.guess_secret("alice", HERE).await.unwrap();
            guess.was_wrong().await.unwrap();
        }
        assert!(matches!(limits.guess_secret("alice", HERE).await, Err(LimitError::Exhausted(_))));
        guess_wrong(&limits, "alice", HERE).await;
    }

    #[tokio::test]
    async fn right_guesses_do_not_count() {
        let (limits, _) = limits().await;
        for _ in 0..9 {
            guess_wrong(&limits, "alice", HERE).await;
        }
        for _ in 0..100 {
            drop(limits.guess("alice", HERE).await.unwrap());
        }
        guess_wrong(&limits, "alice", HERE).await;
        try_guess(&limits, "alice", HERE).await.unwrap_err();
    }

    #[tokio::test]
    async fn as_many_run_as_are_left() {
        let (limits, clock) = limits().await;
        for _ in 0..7 {
            guess_wrong(&limits, "alice", HERE).await;
        }
        let mut running = Vec::new();
        for _ in 0..3 {
            running.push(limits.guess("alice", HERE).await.unwrap());
        }
        assert!(try_guess(&limits, "alice", HERE).await.unwrap().is_none());
        clock.advance(Duration::from_secs(6));
        running.push(limits.guess("alice", HERE).await.unwrap());
        assert!(try_guess(&limits, "alice", HERE).await.unwrap().is_none());

        running.pop();
        running.push(limits.guess("alice", HERE).await.unwrap());
        for guess in running {
            guess.was_wrong().await.unwrap();
        }
        assert_eq!(try_guess(&limits, "alice", HERE).await.unwrap_err(), USER.period);
        assert!(limits.running().is_empty());
    }

    #[tokio::test]
    async fn another_instance_and_a_restart_know_the_wrong_guesses() {
        let (limits, clock) = limits().await;
        for _ in 0..10 {
            guess_wrong(&limits, "alice", HERE).await;
        }
        let other = Arc::new(Limits::new(Arc::clone(&limits.store), Arc::new(clock)));
        try_guess(&other, "alice", HERE).await.unwrap_err();
    }
}
