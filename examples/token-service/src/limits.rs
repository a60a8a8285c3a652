//! Limits on wrong guesses: of a user's password, of a client's secret, and from one address.
//!
//! Each wrong guess takes one out of a budget, which fills up again with time (the generic cell rate algorithm). The
//! budgets are in the store, so a restart does not forget an attack, and all instances share them. A right guess writes
//! nothing.
//!
//! A running guess may still turn out wrong, so the number of running guesses is at most the rest of the budget. The
//! other guesses wait until one ends, each budget in its own queue. So a thousand requests at once get no more guesses
//! than a thousand in a row, and right guesses cost nothing.
//!
//! A wrong password that the store cannot count, such as that of a full database, keeps its place for a minute. So guesses
//! of passwords are limited then too: by each instance for itself.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::sleep;
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

impl Kind {
    /// The ID of the budget. The store has its hash: people type passwords into the wrong field.
    fn id(self, key: &str) -> String {
        format!("{}:{key}", self.name)
    }
}

/// The wrong guesses of one user's password: 10 in a minute.
const USER: Kind = Kind { name: "user", burst: 10, period: Duration::from_secs(6) };
/// The wrong guesses of one client's secret from one address: 10 in a minute. So nobody can lock a client out from
/// elsewhere; a secret is too long to be guessed.
const CLIENT: Kind = Kind { name: "client", burst: 10, period: Duration::from_secs(6) };
/// The wrong guesses from one address, for all users and clients together: 50 in a minute.
const ADDRESS: Kind = Kind { name: "address", burst: 50, period: Duration::from_millis(1200) };

/// How long a wrong guess that the store could not count keeps its place: the time in which a budget fills up.
const UNCOUNTED: Duration = Duration::from_secs(60);

/// The most guesses that wait for one budget. Further ones are refused.
const MAX_WAITING: u32 = 32;

/// The budgets of users, clients and addresses.
pub struct Limits {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The budgets that running and waiting guesses hold.
    budgets: Mutex<HashMap<String, Weak<Budget>>>,
    /// How long a wrong guess that the store could not count keeps its place.
    uncounted: Duration,
}

/// A budget that guesses hold. It leaves the map with the last of them.
struct Budget {
    limits: Arc<Limits>,
    kind: Kind,
    id: String,
    /// The running guesses, and those that find out whether they may run.
    running: AtomicU32,
    /// Those of the running guesses that have ended, and that the store could not count.
    uncounted: AtomicU32,
    waiting: AtomicU32,
    /// Held by the first of the waiting guesses.
    turn: tokio::sync::Mutex<()>,
    /// Notified when a guess ends.
    ended: Notify,
}

/// Why a guess may not start.
#[derive(Debug)]
pub enum LimitError {
    /// Wrong guesses have used up the budget. The next guess is possible after this time.
    Exhausted(Duration),
    /// Too many guesses wait already.
    Busy,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for LimitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Limits {
    /// Limits by the budgets of this store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, budgets: Mutex::default(), uncounted: UNCOUNTED }
    }

    /// Starts a guess of a user's password. Waits while that depends on the result of running guesses.
    ///
    /// # Errors
    ///
    /// If wrong guesses have used up the budget of the user or of the address, too many guesses wait, or the store fails.
    pub async fn guess(self: &Arc<Self>, user: &str, address: IpAddr) -> Result<Guess, LimitError> {
        // While it waits for the user's budget it holds a place in that of its own address, and not the reverse: so it
        // holds up nobody elsewhere.
        let address = self.budget(ADDRESS, &network(address).to_string()).start().await?;
        let user = self.budget(USER, user).start().await?;
        Ok(Guess { places: [address, user] })
    }

    /// Counts a wrong secret of a client.
    ///
    /// # Errors
    ///
    /// If wrong ones have used up the budget of the client at this address or of the address, or the store fails. Nothing is
    /// counted then.
    pub async fn wrong_secret(&self, client: &str, address: IpAddr) -> Result<(), LimitError> {
        let address = network(address).to_string();
        let client = format!("{address} {client}");
        let budgets =
            [(CLIENT, client), (ADDRESS, address)].map(|(kind, key)| (kind, kind.id(&key)));
        let now = self.now();
        for (kind, id) in &budgets {
            let left = self.store.left(id, kind.burst, kind.period, now).await?;
            left.map_err(LimitError::Exhausted)?;
        }
        for (kind, id) in &budgets {
            let taken = self.store.take(id, kind.burst, kind.period, now).await?;
            taken.map_err(LimitError::Exhausted)?;
        }
        Ok(())
    }

    fn budget(self: &Arc<Self>, kind: Kind, key: &str) -> Arc<Budget> {
        let id = kind.id(key);
        let mut budgets = self.budgets();
        if let Some(budget) = budgets.get(&id).and_then(Weak::upgrade) {
            return budget;
        }
        let budget = Arc::new(Budget {
            limits: Arc::clone(self),
            kind,
            id: id.clone(),
            running: AtomicU32::new(0),
            uncounted: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            turn: tokio::sync::Mutex::default(),
            ended: Notify::new(),
        });
        budgets.insert(id, Arc::downgrade(&budget));
        budget
    }

    fn budgets(&self) -> MutexGuard<'_, HashMap<String, Weak<Budget>>> {
        // Nothing panics while the lock is held.
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Budget {
    /// A place for a guess. Waits while there is none.
    async fn start(self: Arc<Self>) -> Result<Place, LimitError> {
        // Nobody overtakes those that wait.
        if self.waiting.load(Ordering::SeqCst) == 0
            && let Some(place) = self.attempt(Wakes::First).await?
        {
            return Ok(place);
        }
        let _waiting = Waiting::new(&self)?;
        let _turn = self.turn.lock().await;
        loop {
            match self.attempt(Wakes::Nobody).await? {
                Some(place) => return Ok(place),
                // An end since the attempt is remembered.
                None => self.ended.notified().await,
            }
        }
    }

    /// A place, unless the running guesses may use up the rest of the budget.
    ///
    /// The place is taken before the store is read, so that of several attempts at once no two get the last one. A wrong
    /// guess is in the store before its place is free, so it is always counted.
    async fn attempt(self: &Arc<Self>, wakes: Wakes) -> Result<Option<Place>, LimitError> {
        let number = self.running.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let mut place = Place { budget: Arc::clone(self), wakes };
        let (limits, kind) = (&self.limits, self.kind);
        let left = limits.store.left(&self.id, kind.burst, kind.period, limits.now()).await?;
        let left = left.map_err(LimitError::Exhausted)?;
        if self.uncounted.load(Ordering::SeqCst) >= left {
            return Err(LimitError::Exhausted(limits.uncounted));
        }
        if number > left {
            return Ok(None);
        }
        place.wakes = Wakes::First;
        Ok(Some(place))
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let mut budgets = self.limits.budgets();
        // A new one may have taken its place.
        if budgets.get(&self.id).is_some_and(|budget| budget.strong_count() == 0) {
            budgets.remove(&self.id);
        }
    }
}

/// A guess that waits for a budget.
struct Waiting<'a>(&'a Budget);

impl<'a> Waiting<'a> {
    fn new(budget: &'a Budget) -> Result<Self, LimitError> {
        let before = budget.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Self(budget);
        if before < MAX_WAITING { Ok(waiting) } else { Err(LimitError::Busy) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A place in a budget, which is free again when this is dropped.
struct Place {
    budget: Arc<Budget>,
    wakes: Wakes,
}

/// Who tries again when a place is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wakes {
    /// The first of the queue. The others wait for their turn.
    First,
    /// Nobody: the first of the queue itself has tried in vain.
    Nobody,
}

impl Place {
    /// Keeps the place of a wrong guess that the store could not count.
    fn keep(self) {
        self.budget.uncounted.fetch_add(1, Ordering::SeqCst);
        // One that waits may wait in vain now.
        self.budget.ended.notify_one();
        tokio::spawn(async move {
            sleep(self.budget.limits.uncounted).await;
            self.budget.uncounted.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budget.running.fetch_sub(1, Ordering::SeqCst);
        if self.wakes == Wakes::First {
            self.budget.ended.notify_one();
        }
    }
}

/// A running guess. It ends when this is dropped, and costs nothing unless it was wrong.
pub struct Guess {
    places: [Place; 2],
}

impl Guess {
    /// Takes the guess out of its budgets.
    ///
    /// # Errors
    ///
    /// If the store fails. The guess keeps its places for a minute then.
    pub async fn was_wrong(self) -> Result<(), StoreError> {
        let counted = self.count().await;
        if counted.is_err() {
            self.places.into_iter().for_each(Place::keep);
        }
        counted
    }

    async fn count(&self) -> Result<(), StoreError> {
        for Place { budget, .. } in &self.places {
            let (limits, kind) = (&budget.limits, budget.kind);
            // It can be empty already if other instances have guesses running. Then it stays so.
            let _ = limits.store.take(&budget.id, kind.burst, kind.period, limits.now()).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guess").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};
    use tokio::task::JoinSet;
    use tower_jwt_auth::test_util::ManualClock;
    use tower_jwt_auth::{NumericDate, SystemClock};

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
        let mut places = Vec::new();
        for (kind, key) in [(ADDRESS, network(address).to_string()), (USER, user.to_owned())] {
            match limits.budget(kind, &key).attempt(Wakes::First).await {
                Ok(Some(place)) => places.push(place),
                Ok(None) => return Ok(None),
                Err(LimitError::Exhausted(wait)) => return Err(wait),
                Err(error) => panic!("{error:?}"),
            }
        }
        let Ok(places) = places.try_into() else { unreachable!() };
        Ok(Some(Guess { places }))
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
            limits.wrong_secret("alice", HERE).await.unwrap();
        }
        assert!(matches!(limits.wrong_secret("alice", HERE).await, Err(LimitError::Exhausted(_))));
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
        assert!(limits.budgets().is_empty());
    }

    /// Guesses until one has to wait, in a task of its own each. Returns the ones that wait.
    async fn wait_in_vain(
        limits: &Arc<Limits>,
        user: &'static str,
        number: usize,
    ) -> JoinSet<bool> {
        let mut waiting = JoinSet::new();
        for _ in 0..number {
            let limits = Arc::clone(limits);
            waiting.spawn(async move { limits.guess(user, HERE).await.is_ok() });
        }
        let budget = limits.budget(USER, user);
        while (budget.waiting.load(Ordering::SeqCst) as usize) < number {
            sleep(Duration::from_millis(1)).await;
        }
        waiting
    }

    #[tokio::test]
    async fn those_that_wait_for_one_user_hold_up_no_other_one() {
        let (limits, _) = limits().await;
        let mut running = Vec::new();
        for _ in 0..10 {
            running.push(limits.guess("alice", HERE).await.unwrap());
        }
        let mut waiting = wait_in_vain(&limits, "alice", 20).await;
        drop(limits.guess("bob", HERE).await.unwrap());
        // Each end lets one further one start, and it ends at once here, so all come to their turn.
        running.pop();
        while let Some(has_started) = waiting.join_next().await {
            assert!(has_started.unwrap());
        }
        drop(running);
        assert!(limits.budgets().is_empty());
    }

    #[tokio::test]
    async fn too_many_that_wait_are_refused_at_once() {
        let (limits, _) = limits().await;
        let mut running = Vec::new();
        for _ in 0..10 {
            running.push(limits.guess("alice", HERE).await.unwrap());
        }
        let mut waiting = wait_in_vain(&limits, "alice", MAX_WAITING as usize).await;
        let there = IpAddr::from([127, 0, 0, 2]);
        assert!(matches!(limits.guess("alice", there).await, Err(LimitError::Busy)));
        // Those that give up make room.
        waiting.shutdown().await;
        running.pop();
        drop(limits.guess("alice", there).await.unwrap());
    }

    #[tokio::test]
    async fn a_guess_that_waits_does_not_ask_the_store_again_and_again() {
        let (limits, _) = limits().await;
        let mut running = Vec::new();
        for _ in 0..10 {
            running.push(limits.guess("alice", HERE).await.unwrap());
        }
        let _waiting = wait_in_vain(&limits, "alice", 3).await;
        sleep(Duration::from_millis(50)).await;
        // Only the ten run: the one that tried in vain has gone to sleep.
        let budget = limits.budget(USER, "alice");
        for _ in 0..20 {
            assert_eq!(budget.running.load(Ordering::SeqCst), 10);
            tokio::task::yield_now().await;
        }
    }

    /// Over a database in this folder that counts no guess, and whose guesses keep their places for this time.
    async fn without_counting(folder: &tempfile::TempDir, uncounted: Duration) -> Arc<Limits> {
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = Arc::new(SqlStore::open(&url).await.unwrap());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let full =
            "CREATE TRIGGER full BEFORE INSERT ON limits BEGIN SELECT RAISE(FAIL, 'full'); END";
        sqlx::raw_sql(full).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Arc::new(Limits { uncounted, ..Limits::new(store, Arc::new(SystemClock)) })
    }

    #[tokio::test]
    async fn wrong_guesses_that_cannot_be_counted_are_limited_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let limits = without_counting(&folder, UNCOUNTED).await;
        let mut running = Vec::new();
        for _ in 0..10 {
            running.push(limits.guess("alice", HERE).await.unwrap());
        }
        let waiting = wait_in_vain(&limits, "alice", 3).await;
        for guess in running {
            guess.was_wrong().await.unwrap_err();
        }
        assert_eq!(waiting.join_all().await, [false; 3]);
        assert_eq!(try_guess(&limits, "alice", HERE).await.unwrap_err(), UNCOUNTED);
        for guess in 10..50 {
            let user = format!("user {guess}");
            limits.guess(&user, HERE).await.unwrap().was_wrong().await.unwrap_err();
        }
        assert_eq!(try_guess(&limits, "bob", HERE).await.unwrap_err(), UNCOUNTED);
        let there = IpAddr::from([127, 0, 0, 2]);
        assert!(try_guess(&limits, "bob", there).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_guess_that_cannot_be_counted_gives_its_places_back_after_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let limits = without_counting(&folder, Duration::from_millis(20)).await;
        for _ in 0..10 {
            limits.guess("alice", HERE).await.unwrap().was_wrong().await.unwrap_err();
        }
        while !limits.budgets().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        limits.guess("alice", HERE).await.unwrap().was_wrong().await.unwrap_err();
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
