//! Limits on the number of requests: for each address, right or wrong, and for each client.
//!
//! Requests count for a client once it has proven who it is. A public client proves nothing, so its requests count for
//! each address: nobody can use up the budget of a client from elsewhere.
//!
//! They protect the service from an overload, and guard no secret. So they are in memory, and each instance counts for
//! itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

use crate::client_address::network;

/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: u32 = 10;
/// The number of addresses, and of clients, that are remembered.
const CAPACITY: usize = 10_000;

/// The budgets of addresses and of clients.
pub struct Rates<C: Clock = DefaultClock> {
    addresses: Option<Rate<IpAddr, C>>,
    clients: Option<Rate<String, C>>,
    public_clients: Option<Rate<(String, IpAddr), C>>,
}

impl Rates {
    /// So many requests per second, and ten times as many at once. Zero: no limit.
    pub fn new(per_second: u32) -> Self {
        Self::with_clock(per_second, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn with_clock(per_second: u32, clock: &C) -> Self {
        let quota = NonZeroU32::new(per_second).map(|number| {
            let burst = number.saturating_mul(const { NonZeroU32::new(BURST_SECONDS).unwrap() });
            Quota::per_second(number).allow_burst(burst)
        });
        Self {
            addresses: quota.map(|quota| Rate::new(quota, clock.clone())),
            clients: quota.map(|quota| Rate::new(quota, clock.clone())),
            public_clients: quota.map(|quota| Rate::new(quota, clock.clone())),
        }
    }
}

impl<C: Clock> Rates<C> {
    /// Counts a request from this address.
    ///
    /// # Errors
    ///
    /// If there are too many. The next one is possible after this time.
    pub fn address(&self, address: IpAddr) -> Result<(), Duration> {
        self.addresses.as_ref().map_or(Ok(()), |rate| rate.count(&network(address)))
    }

    /// Counts a request of this client, whose credentials are right.
    ///
    /// # Errors
    ///
    /// As [`address`](Self::address).
    pub fn client(&self, id: &str) -> Result<(), Duration> {
        self.clients.as_ref().map_or(Ok(()), |rate| rate.count(&id.to_owned()))
    }

    /// Counts a request of this public client from this address.
    ///
    /// # Errors
    ///
    /// As [`address`](Self::address).
    pub fn public_client(&self, id: &str, address: IpAddr) -> Result<(), Duration> {
        let key = || (id.to_owned(), network(address));
        self.public_clients.as_ref().map_or(Ok(()), |rate| rate.count(&key()))
    }
}

impl<C: Clock> fmt::Debug for Rates<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

type Limiter<K, C> = RateLimiter<K, Budgets<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

struct Rate<K: Key, C: Clock>(Mutex<Limiter<K, C>>);

trait Key: Eq + Hash + Clone {}

impl<K: Eq + Hash + Clone> Key for K {}

impl<K: Key, C: Clock> Rate<K, C> {
    fn new(quota: Quota, clock: C) -> Self {
        Self(Mutex::new(RateLimiter::new(quota, Budgets::default(), clock)))
    }

    fn count(&self, key: &K) -> Result<(), Duration> {
        let limiter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = limiter.clock().now();
        limiter.check_key(key).map(drop).map_err(|not_until| not_until.wait_time_from(now))
    }
}

/// For each key the time at which its budget is full again. The number of keys is bounded; the key with the fullest
/// budget is evicted, so made-up keys do not evict a busy one.
struct Budgets<K>(RefCell<HashMap<K, Nanos>>);

impl<K> Default for Budgets<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Key> StateStore for Budgets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_again = self.0.borrow_mut();
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

    #[test]
    fn a_burst_and_then_so_many_per_second() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::with_clock(2, &clock);
        for _ in 0..20 {
            rates.address(HERE).unwrap();
            rates.client("app").unwrap();
        }
        assert_eq!(rates.address(HERE).unwrap_err(), Duration::from_millis(500));
        rates.client("app").unwrap_err();
        rates.address(IpAddr::from([127, 0, 0, 2])).unwrap();
        rates.client("other").unwrap();
        clock.advance(Duration::from_secs(1));
        rates.address(HERE).unwrap();
        rates.address(HERE).unwrap();
        rates.address(HERE).unwrap_err();
    }

    #[test]
    fn a_public_client_is_counted_for_each_address() {
        let rates = Rates::with_clock(1, &FakeRelativeClock::default());
        for _ in 0..10 {
            rates.public_client("app", HERE).unwrap();
        }
        rates.public_client("app", HERE).unwrap_err();
        rates.public_client("app", IpAddr::from([127, 0, 0, 2])).unwrap();
        rates.public_client("other", HERE).unwrap();
        rates.client("app").unwrap();
    }

    #[test]
    fn zero_is_no_limit() {
        let rates = Rates::new(0);
        for _ in 0..10_000 {
            rates.address(HERE).unwrap();
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let budgets = Budgets::default();
        for key in 0..CAPACITY + 100 {
            budgets.measure_and_replace(&key, |_| Ok::<_, ()>(((), Nanos::new(1)))).unwrap();
        }
        assert_eq!(budgets.0.borrow().len(), CAPACITY);
    }
}
