//! Limits on wrong passwords, for each user and for each address.
//!
//! governor counts them (GCRA): each wrong guess takes one out of a budget of N, which fills up again within a minute.
//! A running guess may still turn out wrong, so the number of running guesses is at most the rest of the budget. The
//! other guesses wait until one ends. So a thousand requests at once get no more guesses than a thousand in a row, and
//! right passwords cost nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;

/// The wrong guesses of one user's password that are allowed in a minute.
pub const PER_USER: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The wrong guesses from one address that are allowed in a minute, for all users together.
pub const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// The number of users, and of addresses, that are remembered.
const CAPACITY: usize = 10_000;

/// The budgets of users and of addresses.
pub struct Limits<C: Clock = DefaultClock> {
    budgets: Mutex<Budgets<C>>,
    /// Notified when a guess ends.
    ended: Notify,
}

struct Budgets<C: Clock> {
    users: Budget<String, C>,
    addresses: Budget<IpAddr, C>,
}

/// Why a guess may not start.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// Wrong guesses have used up the budget. The next guess is possible after this time.
    Exhausted(Duration),
    /// The running guesses may use up the rest of the budget.
    Full,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(&DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limits<C> {
    pub fn new(clock: &C) -> Self {
        let budgets = Budgets {
            users: Budget::new(PER_USER, clock.clone()),
            addresses: Budget::new(PER_ADDRESS, clock.clone()),
        };
        Self { budgets: Mutex::new(budgets), ended: Notify::new() }
    }
}

impl<C: Clock> Limits<C> {
    /// Starts a guess, or returns the time until the next one is possible. Waits while that depends on the result of
    /// running guesses.
    pub async fn guess(
        self: &Arc<Self>,
        user: &str,
        address: IpAddr,
    ) -> Result<Guess<C>, Duration> {
        loop {
            // Registered before the check, so that no end between the check and the wait is missed.
            let ended = self.ended.notified();
            match self.try_guess(user, address) {
                Ok(guess) => return Ok(guess),
                Err(Refusal::Exhausted(wait)) => return Err(wait),
                Err(Refusal::Full) => ended.await,
            }
        }
    }

    fn try_guess(self: &Arc<Self>, user: &str, address: IpAddr) -> Result<Guess<C>, Refusal> {
        let (user, address) = (user.to_owned(), network(address));
        let mut budgets = self.budgets();
        budgets.addresses.ask(&address)?;
        budgets.users.ask(&user)?;
        budgets.addresses.begin(&address);
        budgets.users.begin(&user);
        Ok(Guess { limits: Arc::clone(self), user, address, is_wrong: false })
    }

    fn budgets(&self) -> MutexGuard<'_, Budgets<C>> {
        // Nothing panics while the lock is held.
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> fmt::Debug for Limits<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// A running guess. It ends when this is dropped, and costs nothing unless it was wrong.
#[derive(Debug)]
pub struct Guess<C: Clock = DefaultClock> {
    limits: Arc<Limits<C>>,
    user: String,
    address: IpAddr,
    is_wrong: bool,
}

impl<C: Clock> Guess<C> {
    /// Takes the guess out of both budgets.
    pub fn was_wrong(mut self) {
        self.is_wrong = true;
    }
}

impl<C: Clock> Drop for Guess<C> {
    fn drop(&mut self) {
        let mut budgets = self.limits.budgets();
        budgets.addresses.end(&self.address, self.is_wrong);
        budgets.users.end(&self.user, self.is_wrong);
        drop(budgets);
        self.limits.ended.notify_waiters();
    }
}

/// The part of an address that is counted: all of IPv4, or the 64 bits of IPv6 that one subscriber has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

struct Budget<K: Key, C: Clock> {
    /// Counts the wrong guesses.
    limiter: RateLimiter<Question<K>, Store<K>, C, NoOpMiddleware<C::Instant>>,
    /// The number of running guesses, at most the rest of the budget.
    on_the_way: HashMap<K, u32>,
}

trait Key: Eq + Hash + Clone {}

impl<K: Eq + Hash + Clone> Key for K {}

impl<K: Key, C: Clock> Budget<K, C> {
    fn new(per_minute: NonZeroU32, clock: C) -> Self {
        Self {
            limiter: RateLimiter::new(Quota::per_minute(per_minute), Store::default(), clock),
            on_the_way: HashMap::new(),
        }
    }

    /// Whether a guess is left even if all running ones turn out wrong. Changes nothing.
    fn ask(&self, key: &K) -> Result<(), Refusal> {
        let now = self.limiter.clock().now();
        let question = Question { key: key.clone(), is_counted: false };
        self.limiter
            .check_key(&question)
            .map_err(|not_until| Refusal::Exhausted(not_until.wait_time_from(now)))?;

        let on_the_way = self.on_the_way.get(key).copied().unwrap_or(0);
        let one_more = NonZeroU32::MIN.saturating_add(on_the_way);
        let has_room = on_the_way > 0 || self.on_the_way.len() < CAPACITY;
        match self.limiter.check_key_n(&question, one_more) {
            Ok(Ok(())) if has_room => Ok(()),
            _ => Err(Refusal::Full),
        }
    }

    fn begin(&mut self, key: &K) {
        *self.on_the_way.entry(key.clone()).or_default() += 1;
    }

    fn end(&mut self, key: &K, is_wrong: bool) {
        if let Some(number) = self.on_the_way.get_mut(key) {
            *number -= 1;
            if *number == 0 {
                self.on_the_way.remove(key);
            }
        }
        if is_wrong {
            // This cannot fail: it was checked at the start, and the budget has only grown since then.
            let _ = self.limiter.check_key(&Question { key: key.clone(), is_counted: true });
        }
    }
}

/// A query of the limiter. The store keeps the result only if the query is counted.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question<K> {
    key: K,
    is_counted: bool,
}

/// The limiter's store: for each key the time at which its budget is full again. It is bounded, and evicts the key with
/// the fullest budget. So made-up keys do not evict a key with many wrong guesses.
struct Store<K>(RefCell<HashMap<K, Nanos>>);

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Key> StateStore for Store<K> {
    type Key = Question<K>;

    fn measure_and_replace<T, F, E>(&self, question: &Question<K>, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let key = &question.key;
        let mut full_again = self.0.borrow_mut();
        let (answer, next) = measure(full_again.get(key).copied())?;
        if !question.is_counted {
            return Ok(answer);
        }
        if full_again.len() >= CAPACITY && !full_again.contains_key(key) {
            let fullest = full_again.iter().min_by_key(|(_, time)| **time);
            if let Some(fullest) = fullest.map(|(key, _)| key.clone()) {
                full_again.remove(&fullest);
            }
        }
        full_again.insert(key.clone(), next);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn limits() -> (Arc<Limits<FakeRelativeClock>>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Arc::new(Limits::new(&clock)), clock)
    }

    type TestLimits = Arc<Limits<FakeRelativeClock>>;

    #[track_caller]
    fn guess_wrong(limits: &TestLimits, user: &str, address: IpAddr) {
        limits.try_guess(user, address).unwrap().was_wrong();
    }

    #[test]
    fn ten_guesses_per_user_and_then_one_every_six_seconds() {
        let (limits, clock) = limits();
        for _ in 0..10 {
            guess_wrong(&limits, "alice", HERE);
        }
        let refusal = limits.try_guess("alice", HERE).unwrap_err();
        assert_eq!(refusal, Refusal::Exhausted(Duration::from_secs(6)));
        guess_wrong(&limits, "bob", HERE);

        clock.advance(Duration::from_secs(6));
        guess_wrong(&limits, "alice", HERE);
        limits.try_guess("alice", HERE).unwrap_err();

        clock.advance(Duration::from_secs(60));
        for _ in 0..10 {
            guess_wrong(&limits, "alice", HERE);
        }
        limits.try_guess("alice", HERE).unwrap_err();
    }

    #[test]
    fn fifty_guesses_per_address_whomever_they_are_about() {
        let (limits, _) = limits();
        for guess in 0..50 {
            guess_wrong(&limits, &format!("user {guess}"), HERE);
        }
        limits.try_guess("alice", HERE).unwrap_err();
        // The refusal because of the address took nothing from alice's budget.
        for _ in 0..10 {
            guess_wrong(&limits, "alice", IpAddr::from([127, 0, 0, 2]));
        }
    }

    #[test]
    fn right_guesses_do_not_count() {
        let (limits, _) = limits();
        for _ in 0..9 {
            guess_wrong(&limits, "alice", HERE);
        }
        for _ in 0..1000 {
            drop(limits.try_guess("alice", HERE).unwrap());
        }
        guess_wrong(&limits, "alice", HERE);
        limits.try_guess("alice", HERE).unwrap_err();
    }

    #[test]
    fn as_many_are_on_the_way_as_are_left() {
        let (limits, clock) = limits();
        for _ in 0..7 {
            guess_wrong(&limits, "alice", HERE);
        }
        let mut on_the_way: Vec<_> =
            (0..3).map(|_| limits.try_guess("alice", HERE).unwrap()).collect();
        assert_eq!(limits.try_guess("alice", HERE).unwrap_err(), Refusal::Full);
        clock.advance(Duration::from_secs(6));
        on_the_way.push(limits.try_guess("alice", HERE).unwrap());
        assert_eq!(limits.try_guess("alice", HERE).unwrap_err(), Refusal::Full);

        on_the_way.pop();
        on_the_way.push(limits.try_guess("alice", HERE).unwrap());
        on_the_way.into_iter().for_each(Guess::was_wrong);
        let refusal = limits.try_guess("alice", HERE).unwrap_err();
        assert_eq!(refusal, Refusal::Exhausted(Duration::from_secs(6)));
        assert!(limits.budgets().users.on_the_way.is_empty());
        assert!(limits.budgets().addresses.on_the_way.is_empty());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        assert_eq!(
            network("2001:db8::1".parse().unwrap()),
            network("2001:db8::2".parse().unwrap())
        );
        assert_ne!(
            network("2001:db8::1".parse().unwrap()),
            network("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_no_attacked_user() {
        let (limits, _) = limits();
        for _ in 0..10 {
            guess_wrong(&limits, "alice", HERE);
        }
        for number in 0..CAPACITY as u32 + 100 {
            guess_wrong(&limits, &number.to_string(), IpAddr::from(number.to_be_bytes()));
        }
        limits.try_guess("alice", IpAddr::from([192, 0, 2, 1])).unwrap_err();

        let store = Store::default();
        for key in 0..CAPACITY + 100 {
            let question = Question { key, is_counted: true };
            store.measure_and_replace(&question, |_| Ok::<_, ()>(((), Nanos::new(1)))).unwrap();
        }
        assert_eq!(store.0.borrow().len(), CAPACITY);
    }
}
