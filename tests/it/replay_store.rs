//! Stores of what may be used once: the first use, its end, and limits. Each test runs over every store.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tower_jwt_auth::{
    Clock, ConfigErrorKind, MemoryReplayStore, NumericDate, ReplayCheck, ReplayEntry,
    ReplayOutcome, ReplayStore,
};

use crate::support::NOW;

#[derive(Clone, Debug)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> NumericDate {
        at(self.0.load(Ordering::Relaxed))
    }
}

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW)))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn at(seconds: i64) -> NumericDate {
    NumericDate::from_unix_seconds(seconds)
}

/// A store that answers later, as one over a network does.
#[derive(Debug)]
struct Later(MemoryReplayStore);

impl ReplayStore for Later {
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
        let (store, entry) = (self.0.clone(), entry.clone());
        ReplayCheck::pending(async move {
            std::future::ready(()).await;
            store.record(&entry).wait().await
        })
    }
}

fn stores() -> Vec<(Box<dyn ReplayStore>, Hand)> {
    let small = |clock: &Hand| {
        let store = MemoryReplayStore::with_capacity(8).unwrap().with_share(4).unwrap();
        store.with_clock(clock.clone())
    };
    let (one, other) = (Hand::new(), Hand::new());
    vec![(Box::new(small(&one)), one), (Box::new(Later(small(&other))), other)]
}

fn record(store: &dyn ReplayStore, owner: &str, value: &str, until: i64) -> Result<bool, String> {
    let entry = ReplayEntry::new("test", owner, &[value], at(until));
    match store.record(&entry).wait().now_or_never().unwrap() {
        Ok(outcome) => Ok(outcome == ReplayOutcome::FirstUse),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn first_use_passes_and_every_later_one_is_seen() {
    for (store, _) in stores() {
        assert_eq!(record(&*store, "a", "1", NOW + 60), Ok(true));
        assert_eq!(record(&*store, "a", "1", NOW + 60), Ok(false));
        assert_eq!(record(&*store, "a", "1", NOW + 90), Ok(false), "{store:?}");
        assert_eq!(record(&*store, "a", "2", NOW + 60), Ok(true));
    }
}

#[test]
fn value_of_another_owner_is_another_use() {
    for (store, _) in stores() {
        assert_eq!(record(&*store, "a", "1", NOW + 60), Ok(true));
        assert_eq!(record(&*store, "b", "1", NOW + 60), Ok(true));
    }
}

#[test]
fn use_is_remembered_until_it_expires() {
    for (store, clock) in stores() {
        assert_eq!(record(&*store, "a", "1", NOW + 60), Ok(true));
        clock.advance(59);
        assert_eq!(record(&*store, "a", "1", NOW + 600), Ok(false));
        clock.advance(1);
        assert_eq!(record(&*store, "a", "1", NOW + 600), Ok(true));
        assert_eq!(record(&*store, "a", "1", NOW + 600), Ok(false));
    }
}

#[test]
fn full_store_refuses_and_forgets_nothing() {
    for (store, clock) in stores() {
        for owner in ["a", "b"] {
            for value in ["1", "2", "3", "4"] {
                assert_eq!(record(&*store, owner, value, NOW + 60), Ok(true));
            }
        }
        assert_eq!(record(&*store, "c", "1", NOW + 60), Err("the replay store is full".to_owned()));
        for value in ["1", "2", "3", "4"] {
            assert_eq!(record(&*store, "a", value, NOW + 60), Ok(false));
        }
        clock.advance(60);
        assert_eq!(record(&*store, "c", "1", NOW + 120), Ok(true));
    }
}

#[test]
fn one_owner_cannot_fill_the_store_for_others() {
    for (store, clock) in stores() {
        for value in ["1", "2", "3", "4"] {
            assert_eq!(record(&*store, "a", value, NOW + 60), Ok(true));
        }
        let error = record(&*store, "a", "5", NOW + 60).unwrap_err();
        assert_eq!(error, "the share of one owner in the replay store is full");
        assert_eq!(record(&*store, "b", "5", NOW + 60), Ok(true));
        // Its own uses end, and make room.
        clock.advance(60);
        for value in ["5", "6", "7", "8"] {
            assert_eq!(record(&*store, "a", value, NOW + 120), Ok(true));
        }
    }
}

#[test]
fn expired_entries_of_others_do_not_hide_those_of_the_owner() {
    let clock = Hand::new();
    let store = MemoryReplayStore::with_capacity(1000).unwrap().with_share(10).unwrap();
    let store = store.with_clock(clock.clone());
    for owner in 0..50 {
        for value in 0..10 {
            let until = NOW + 1 + owner;
            assert_eq!(record(&store, &owner.to_string(), &value.to_string(), until), Ok(true));
        }
    }
    assert_eq!(store.len(), 500);
    clock.advance(50);
    // The entries of the last owner are behind 490 others in the order of their ends.
    assert_eq!(record(&store, "49", "new", NOW + 120), Ok(true));
    assert_eq!(store.len(), 1);
}

#[test]
fn removal_of_expired_entries_is_bounded_for_each_call() {
    let clock = Hand::new();
    let store = MemoryReplayStore::with_capacity(4000).unwrap().with_share(10).unwrap();
    let store = store.with_clock(clock.clone());
    for owner in 0..399 {
        for value in 0..10 {
            assert_eq!(record(&store, &owner.to_string(), &value.to_string(), NOW + 60), Ok(true));
        }
    }
    for value in 0..10 {
        assert_eq!(record(&store, "last", &value.to_string(), NOW + 61), Ok(true));
    }
    clock.advance(61);
    let results: Vec<_> = (0..5)
        .map(|_| {
            let before = store.len();
            let result = record(&store, "last", "new", NOW + 120);
            assert!(before - store.len() <= 1004, "a call removes a bounded number");
            result
        })
        .collect();
    let full = Err("the share of one owner in the replay store is full".to_owned());
    assert_eq!(results[..3], [full.clone(), full.clone(), full]);
    assert_eq!(results[3..], [Ok(true), Ok(false)]);
}

#[test]
fn clock_that_is_set_back_admits_no_forgotten_entry_again() {
    for (store, clock) in stores() {
        assert_eq!(record(&*store, "a", "1", NOW + 60), Ok(true));
        assert_eq!(record(&*store, "a", "2", NOW + 90), Ok(true));
        clock.advance(60);
        // Removes the first entry.
        assert_eq!(record(&*store, "a", "3", NOW + 120), Ok(true));
        clock.advance(-60);
        let refused = record(&*store, "a", "1", NOW + 60).unwrap_err();
        assert_eq!(
            refused,
            "the clock of the replay store was set back to before forgotten entries"
        );
        assert!(record(&*store, "b", "new", NOW + 59).is_err());
        // What ends later was not forgotten.
        assert_eq!(record(&*store, "a", "2", NOW + 90), Ok(false));
        assert_eq!(record(&*store, "b", "new", NOW + 61), Ok(true));
    }
}

#[test]
fn entry_that_replaces_an_expired_one_counts_as_forgotten() {
    for (store, clock) in stores() {
        for value in ["0", "1", "2", "3"] {
            assert_eq!(record(&*store, "a", value, NOW + 50), Ok(true));
        }
        assert_eq!(record(&*store, "b", "1", NOW + 60), Ok(true));
        clock.advance(60);
        assert_eq!(record(&*store, "b", "1", NOW + 600), Ok(true));
        clock.advance(-60);
        assert!(record(&*store, "b", "2", NOW + 60).is_err());
        assert_eq!(record(&*store, "b", "1", NOW + 600), Ok(false));
    }
}

/// A clock that stalls the second one that reads it.
#[derive(Debug, Default)]
struct Stalling(AtomicUsize);

impl Clock for Stalling {
    fn now(&self) -> NumericDate {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => at(NOW),
            1 => {
                thread::sleep(Duration::from_millis(50));
                at(NOW)
            }
            _ => at(NOW + 60),
        }
    }
}

#[test]
fn thread_that_stalls_after_it_read_the_clock_admits_no_forgotten_entry() {
    let clock = Arc::new(Stalling::default());
    let store = MemoryReplayStore::new().with_clock(Arc::clone(&clock));
    assert_eq!(record(&store, "a", "1", NOW + 60), Ok(true));
    let stalled = {
        let store = store.clone();
        thread::spawn(move || record(&store, "a", "1", NOW + 60))
    };
    while clock.0.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    // At this time the entry has expired, and is removed.
    assert_eq!(record(&store, "b", "1", NOW + 120), Ok(true));
    assert_eq!(store.len(), 1);
    assert_eq!(stalled.join().unwrap(), Ok(false));
}

#[test]
fn store_shrinks_while_it_is_used() {
    let clock = Hand::new();
    let store = MemoryReplayStore::new().with_clock(clock.clone());
    for value in 0..1000 {
        assert_eq!(record(&store, "a", &value.to_string(), NOW + 60), Ok(true));
    }
    clock.advance(60);
    for value in 0..400 {
        assert_eq!(record(&store, "b", &value.to_string(), NOW + 120), Ok(true));
    }
    assert_eq!(store.len(), 400);
}

#[test]
fn entry_that_has_expired_is_an_error_and_not_a_first_use() {
    for (store, _) in stores() {
        for until in [0, NOW - 1, NOW] {
            assert!(record(&*store, "a", "1", until).is_err());
        }
        assert_eq!(record(&*store, "a", "1", NOW + 1), Ok(true));
    }
}

#[test]
fn of_many_at_the_same_time_one_is_the_first() {
    let store = MemoryReplayStore::new();
    let start = Arc::new(Barrier::new(32));
    for round in 0..20 {
        let value = round.to_string();
        let threads: Vec<_> = (0..32)
            .map(|_| {
                let (store, start, value) = (store.clone(), Arc::clone(&start), value.clone());
                thread::spawn(move || {
                    start.wait();
                    record(&store, "a", &value, 4_000_000_000).unwrap()
                })
            })
            .collect();
        let firsts =
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|first| *first);
        assert_eq!(firsts.count(), 1);
    }
}

#[test]
fn limits_of_a_store_are_checked() {
    for capacity in [0, usize::MAX, (1 << 26) + 1] {
        let error = MemoryReplayStore::with_capacity(capacity).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
    }
    let store = MemoryReplayStore::with_capacity(1 << 26).unwrap();
    for share in [0, (1 << 26) + 1] {
        assert_eq!(store.clone().with_share(share).unwrap_err().kind(), ConfigErrorKind::Capacity);
    }
    assert!(MemoryReplayStore::with_capacity(1).unwrap().with_share(1).is_ok());
}

#[test]
fn debug_of_a_store_and_an_entry_shows_no_digest() {
    let store = MemoryReplayStore::new();
    let entry = ReplayEntry::new("test", "owner", &["value"], at(4_000_000_000));
    assert!(store.record(&entry).is_ready() && !store.is_empty());
    assert_eq!(format!("{entry:?}"), "ReplayEntry { expires_at: NumericDate(4000000000), .. }");
    let shown = format!("{store:?}");
    assert!(
        shown.starts_with("MemoryReplayStore { capacity: 262144, share: 32768, len: 1"),
        "{shown}"
    );
}
