//! When keys are replaced.

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
    let short = ring.with_rotation(Duration::from_secs(121), Duration::from_secs(120));
    assert!(short.is_ok());
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
