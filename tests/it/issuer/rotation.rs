//! When keys are replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, KeyRing, NumericDate, RingKeyState, RingKeyStatus, SigningKey,
};

use super::{Clock, es256};
use crate::support::NOW;

const DAY: i64 = 24 * 3600;

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

fn at(seconds: i64) -> NumericDate {
    NumericDate::from_unix_seconds(NOW + seconds)
}

/// A ring whose key is new at [`NOW`].
fn ring(clock: &Clock) -> KeyRing {
    KeyRing::new(es256()).unwrap().with_clock(clock.clone())
}

#[test]
fn a_key_is_replaced_after_90_days_and_its_successor_is_published_7_days_before() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock);
    for time in [0, 83 * DAY - 1] {
        clock.set(NOW + time);
        assert_eq!(ring.rotation_due(), None);
        assert!(!ring.rotate_if_due().unwrap());
        assert_eq!(ring.keys().len(), 1);
    }
    clock.set(NOW + 83 * DAY);
    assert_eq!(ring.rotation_due(), Some(at(90 * DAY)));
    assert!(ring.rotate_if_due().unwrap());
    assert!(!ring.rotate_if_due().unwrap());
    let states = |ring: &KeyRing| ring.keys().iter().map(RingKeyStatus::state).collect::<Vec<_>>();
    assert_eq!(states(&ring), [RingKeyState::Current, RingKeyState::Next]);
    assert_eq!(ring.keys()[1].signs_from(), at(90 * DAY));
    clock.set(NOW + 90 * DAY);
    assert_eq!(states(&ring), [RingKeyState::Retired, RingKeyState::Current]);
    clock.set(NOW + 92 * DAY);
    assert_eq!(states(&ring), [RingKeyState::Current]);
}

#[test]
fn a_late_rotation_still_publishes_the_key_before_it_signs() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock);
    clock.set(NOW + 1000 * DAY);
    assert_eq!(ring.rotation_due(), Some(at(1007 * DAY)));
    assert!(ring.rotate_if_due().unwrap());
    assert_eq!(ring.keys()[0].state(), RingKeyState::Current);
    assert_eq!(ring.rotation_due(), None);
}

#[test]
fn a_new_key_has_the_algorithm_of_the_newest() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock).with_rotation(days(2), days(1)).unwrap();
    ring.add_next(SigningKey::generate(Algorithm::EdDSA).unwrap(), at(DAY)).unwrap();
    clock.set(NOW + 2 * DAY);
    assert!(ring.rotate_if_due().unwrap());
    assert_eq!(ring.keys().last().unwrap().algorithm(), Algorithm::EdDSA);
}

#[test]
fn a_clock_that_was_wrong_does_not_stop_the_rotation() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock);
    // Back: nothing is due, and the first key signs.
    clock.set(NOW - 1000 * DAY);
    assert_eq!(ring.rotation_due(), None);
    assert_eq!(ring.keys()[0].state(), RingKeyState::Current);
    // Far forward: a key is added that signs in a distant future.
    clock.set(NOW + 36_500 * DAY);
    assert!(ring.rotate_if_due().unwrap());
    // Right again: the first key is replaced in time.
    clock.set(NOW + 83 * DAY);
    assert!(ring.rotate_if_due().unwrap());
    let starts: Vec<_> = ring.keys().iter().map(RingKeyStatus::signs_from).collect();
    assert_eq!(starts, [at(0), at(90 * DAY), at(36_507 * DAY)]);
    // At the end of time.
    clock.set(i64::MAX);
    assert!(ring.rotate_if_due().unwrap());
    assert_eq!(ring.keys().last().unwrap().state(), RingKeyState::Current);
}

#[test]
fn a_rotation_leaves_verifiers_the_time_to_fetch() {
    let ring = KeyRing::new(es256()).unwrap();
    for (age, published_before) in [
        (days(90), Duration::from_secs(119)),
        (days(7), days(7)),
        (days(7), days(8)),
        (days(36_700), days(7)),
        (Duration::MAX, Duration::MAX),
    ] {
        let error = ring.clone().with_rotation(age, published_before).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration, "{age:?} {published_before:?}");
    }
    let short = ring.with_max_token_lifetime(Duration::from_secs(3600)).unwrap();
    assert!(short.with_rotation(Duration::from_secs(121), Duration::from_secs(120)).is_ok());
}

#[test]
fn one_of_many_threads_rotates() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock);
    clock.set(NOW + 83 * DAY);
    let rotations: usize = std::thread::scope(|scope| {
        let rotate = || usize::from(ring.rotate_if_due().unwrap());
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(rotate)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((rotations, ring.keys().len()), (1, 2));
}

#[test]
fn keys_of_a_database_are_replaced_when_it_is_due() {
    let clock = Clock::at(NOW);
    let mut rows = vec![(es256(), at(0))];
    let ring = KeyRing::from_keys(rows.clone()).unwrap().with_clock(clock.clone());
    clock.set(NOW + 85 * DAY);
    let signs_from = ring.rotation_due().unwrap();
    assert_eq!(signs_from, at(92 * DAY));
    rows.push((es256(), signs_from));
    ring.set_keys(rows.clone()).unwrap();
    assert_eq!(ring.rotation_due(), None);
    assert_eq!(ring.keys()[1].kid(), rows[1].0.kid());
}

#[test]
fn of_many_processes_with_one_database_one_adds_the_next_key() {
    // By the `kid` that a key follows, as with a unique index.
    let mut rows = BTreeMap::from([(String::new(), (es256(), at(0)))]);
    let list = |rows: &BTreeMap<_, _>| rows.values().cloned().collect::<Vec<_>>();
    // Their clocks differ, and so do the times that they find.
    let processes: Vec<_> = (0..5)
        .map(|n| {
            let ring = KeyRing::from_keys(list(&rows)).unwrap();
            let clock = Clock::at(NOW + 83 * DAY + n);
            (ring.with_clock(clock.clone()), clock)
        })
        .collect();
    for rotation in 0..3 {
        let newest = list(&rows).into_iter().max_by_key(|(_, signs_from)| *signs_from);
        let newest = newest.unwrap().0.kid().to_owned();
        for (n, (ring, _)) in (0..).zip(&processes) {
            let due = ring.due_key().unwrap();
            assert_eq!(due.follows(), newest);
            assert_eq!(Some(due.signs_from()), ring.rotation_due());
            assert_eq!(due.signs_from(), at((rotation + 1) * 90 * DAY + n));
            rows.entry(due.follows().to_owned()).or_insert((es256(), due.signs_from()));
        }
        assert_eq!(i64::try_from(rows.len()).unwrap(), rotation + 2);
        for (n, (ring, clock)) in (0..).zip(&processes) {
            ring.set_keys(list(&rows)).unwrap();
            assert!(ring.due_key().is_none() && ring.rotation_due().is_none());
            clock.set(NOW + (rotation + 1) * 90 * DAY + 83 * DAY + n);
        }
    }
}

#[test]
fn a_due_key_names_the_key_that_it_follows_and_not_one_of_a_wrong_clock() {
    let clock = Clock::at(NOW + 83 * DAY);
    let keys = [("a", 0), ("far", 36_500 * DAY)];
    let keys = keys.map(|(kid, time)| (es256().with_kid(kid), at(time)));
    let ring = KeyRing::from_keys(keys).unwrap().with_clock(clock);
    assert_eq!(ring.due_key().unwrap().follows(), "a");
    let text = format!("{:?}", ring.due_key());
    assert!(text.contains("\"a\""), "{text}");
}

#[test]
fn keys_never_rotate_so_often_that_a_ring_has_too_many() {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let ring = KeyRing::new(es256()).unwrap();
    // 1,450 minutes by default, with the 10 minutes for clocks and leeway.
    let error = ring.clone().with_rotation(minutes(23), minutes(2)).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Duration);
    assert!(error.to_string().contains("64 keys"), "{error}");
    ring.clone().with_rotation(minutes(24), minutes(2)).unwrap();
    let ring = ring.with_rotation(minutes(25), minutes(2)).unwrap();
    let error = ring.clone().with_max_token_lifetime(minutes(25 * 61 - 10)).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Duration);
    assert!(error.to_string().contains("64 keys"), "{error}");
    ring.clone().with_max_token_lifetime(minutes(25 * 61 - 11)).unwrap();
    // A shorter lifetime first, then keys that sign for a shorter time.
    let ring = ring.with_max_token_lifetime(minutes(60)).unwrap();
    ring.with_rotation(minutes(20), minutes(5)).unwrap();
}

#[test]
fn keys_that_rotate_as_often_as_allowed_always_fit() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock).with_max_token_lifetime(Duration::from_secs(6659)).unwrap();
    let ring = ring.with_rotation(Duration::from_secs(121), Duration::from_secs(120)).unwrap();
    let mut most = 0;
    for seconds in 0..10_000 {
        clock.set(NOW + seconds);
        ring.rotate_if_due().unwrap();
        most = most.max(ring.keys().len());
    }
    // One more can be added by hand.
    assert!((60..64).contains(&most), "{most}");
}
