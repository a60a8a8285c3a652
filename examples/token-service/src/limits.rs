//! How often a password may be guessed wrong: per user, and per address.
//!
//! The counting is governor's (GCRA): a budget of N that fills up again over a minute. A guess takes
//! one from both budgets before the password is checked, so that a thousand requests at once get no
//! further than the same in a row; a right password gives it back.

use std::collections::HashMap;
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

/// Wrong guesses of one user's password in a minute.
pub const PER_USER: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Wrong guesses from one address in a minute, whomever they are about.
pub const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// How many users, and how many addresses, are kept in mind.
const CAPACITY: usize = 10_000;

/// Both budgets.
pub struct Limits<C: Clock = DefaultClock> {
    users: Budget<String, C>,
    addresses: Budget<IpAddr, C>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(&DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limits<C> {
    pub fn new(clock: &C) -> Self {
        Self {
            users: Budget::new(PER_USER, clock.clone()),
            addresses: Budget::new(PER_ADDRESS, clock.clone()),
        }
    }

    /// Takes a guess out of both budgets, or says how long there is none.
    pub fn take(&self, user: &str, address: IpAddr) -> Result<(), Duration> {
        let (user, address) = (user.to_owned(), network(address));
        self.users.take(&user)?;
        self.addresses.take(&address).inspect_err(|_| self.users.give_back(&user))
    }

    /// Undoes [`take`](Self::take): the password was right.
    pub fn give_back(&self, user: &str, address: IpAddr) {
        self.users.give_back(&user.to_owned());
        self.addresses.give_back(&network(address));
    }

    /// Whether a guess is left, without taking it.
    pub fn check(&self, user: &str, address: IpAddr) -> Result<(), Duration> {
        self.take(user, address)?;
        self.give_back(user, address);
        Ok(())
    }
}

impl<C: Clock> std::fmt::Debug for Limits<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// Who is counted as one: an IPv4 address, or the 64 bits of IPv6 that one subscriber is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

struct Budget<K: Eq + Hash + Clone, C: Clock> {
    limiter: RateLimiter<K, Store<K>, C, NoOpMiddleware<C::Instant>>,
    store: Store<K>,
    /// What one guess costs: the time in which it comes back.
    cost: u64,
}

impl<K: Eq + Hash + Clone, C: Clock> Budget<K, C> {
    fn new(per_minute: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_minute(per_minute);
        let store = Store::default();
        Self {
            limiter: RateLimiter::new(quota, store.clone(), clock),
            store,
            cost: Nanos::from(quota.replenish_interval()).as_u64(),
        }
    }

    fn take(&self, key: &K) -> Result<(), Duration> {
        let now = self.limiter.clock().now();
        self.limiter.check_key(key).map_err(|not_until| not_until.wait_time_from(now))
    }

    fn give_back(&self, key: &K) {
        if let Some(spent_until) = self.store.lock().get_mut(key) {
            *spent_until = Nanos::new(spent_until.as_u64().saturating_sub(self.cost));
        }
    }
}

/// The limiter's memory: for each key the time at which its budget is full again. Bounded: the key
/// whose budget is fullest gives way, so that nobody is forgotten by making others up.
#[derive(Clone)]
struct Store<K>(Arc<Mutex<HashMap<K, Nanos>>>);

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Store<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Nanos>> {
        // Whole after a panic too: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> StateStore for Store<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_again = self.lock();
        let (answer, next) = measure(full_again.get(key).copied())?;
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

    fn limits() -> (Limits<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Limits::new(&clock), clock)
    }

    #[test]
    fn e8_ten_guesses_per_user_and_then_one_every_six_seconds() {
        let (limits, clock) = limits();
        for _ in 0..10 {
            limits.take("alice", HERE).unwrap();
        }
        assert_eq!(limits.take("alice", HERE), Err(Duration::from_secs(6)));
        limits.take("bob", HERE).unwrap();

        clock.advance(Duration::from_secs(6));
        limits.take("alice", HERE).unwrap();
        limits.take("alice", HERE).unwrap_err();

        clock.advance(Duration::from_secs(60));
        for _ in 0..10 {
            limits.take("alice", HERE).unwrap();
        }
        limits.take("alice", HERE).unwrap_err();
    }

    #[test]
    fn e8_fifty_guesses_per_address_whomever_they_are_about() {
        let (limits, _) = limits();
        for guess in 0..50 {
            limits.take(&format!("user {guess}"), HERE).unwrap();
        }
        limits.take("alice", HERE).unwrap_err();
        // Refused for the address, it was not taken from alice.
        for _ in 0..10 {
            limits.take("alice", IpAddr::from([127, 0, 0, 2])).unwrap();
        }
    }

    #[test]
    fn e8_what_is_given_back_does_not_count() {
        let (limits, _) = limits();
        for _ in 0..9 {
            limits.take("alice", HERE).unwrap();
        }
        for _ in 0..1000 {
            limits.check("alice", HERE).unwrap();
        }
        limits.take("alice", HERE).unwrap();
        limits.check("alice", HERE).unwrap_err();
    }

    #[test]
    fn e8_an_ipv6_subscriber_is_one_address() {
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
    fn e8_the_memory_is_bounded_and_forgets_no_attacked_user() {
        let (limits, _) = limits();
        for _ in 0..10 {
            limits.take("alice", HERE).unwrap();
        }
        for number in 0..CAPACITY as u32 + 100 {
            limits.take(&number.to_string(), IpAddr::from(number.to_be_bytes())).unwrap();
        }
        assert_eq!(limits.users.store.lock().len(), CAPACITY);
        assert_eq!(limits.addresses.store.lock().len(), CAPACITY);
        limits.take("alice", IpAddr::from([192, 0, 2, 1])).unwrap_err();
    }
}
