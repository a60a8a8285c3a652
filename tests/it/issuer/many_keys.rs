//! Rings whose list has more keys than a set may have.

use std::time::Duration;

use serde_json::json;
use tower_jwt_auth::{
    Clock as _, JwtVerifier, KeyRing, KeySource, NumericDate, RejectionKind, RingKeyState,
    RingKeyStatus, SigningKey, SystemClock, TokenIssuer,
};

use super::{Clock, es256};
use crate::support::{AUDIENCE, ISSUER, NOW};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

type List = Vec<(SigningKey, NumericDate)>;

fn at(seconds: i64) -> NumericDate {
    NumericDate::from_unix_seconds(NOW + seconds)
}

/// Keys with numbers as `kid`, each with its time after [`NOW`]. They share their key pair: its generation is slow.
fn numbered(times: impl IntoIterator<Item = i64>) -> List {
    let key = es256();
    let named = |(n, time): (u32, i64)| (key.clone().with_kid(n.to_string()), at(time));
    (0..).zip(times).map(named).collect()
}

fn kids(ring: &KeyRing) -> Vec<u32> {
    ring.keys().iter().map(|key| key.kid().parse().unwrap()).collect()
}

fn current(ring: &KeyRing) -> String {
    let keys = ring.keys();
    let current = keys.iter().find(|key| key.state() == RingKeyState::Current);
    current.unwrap().kid().to_owned()
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap())
}

#[test]
fn a_longer_lifetime_applies_to_the_whole_list() {
    // By the system's clock, which is the default.
    let now = SystemClock.now().unix_seconds() - NOW;
    let list = numbered((0..90).map(|n| now + (n - 89) * DAY));
    let ring = KeyRing::from_keys(list.clone()).unwrap();
    assert_eq!(kids(&ring), [87, 88, 89]);
    let ring = ring.with_max_token_lifetime(seconds(7 * DAY)).unwrap();
    assert_eq!(kids(&ring), (81..90).collect::<Vec<_>>());
    assert_eq!(ring.status().keys(), 9);
    // Also after the list was read again, and changed.
    ring.set_keys(list.clone()).unwrap();
    let ring = ring.with_max_token_lifetime(seconds(10 * DAY)).unwrap();
    assert_eq!(kids(&ring), (78..90).collect::<Vec<_>>());
}

#[test]
fn a_restart_reads_every_list_that_a_running_process_reads() {
    let now = SystemClock.now().unix_seconds() - NOW;
    let list = numbered((0..200).map(|n| now + (n - 199) * 20 * MINUTE));
    let running = KeyRing::new(es256()).unwrap();
    let often = |ring: KeyRing| {
        let ring = ring.with_max_token_lifetime(seconds(HOUR)).unwrap();
        ring.with_rotation(seconds(20 * MINUTE), seconds(5 * MINUTE)).unwrap()
    };
    let running = often(running);
    running.set_keys(list.clone()).unwrap();
    let started = often(KeyRing::from_keys(list).unwrap());
    assert_eq!(kids(&started), [195, 196, 197, 198, 199]);
    assert_eq!(kids(&started), kids(&running));
    assert_eq!(started.jwk_set(), running.jwk_set());
}

#[test]
fn a_list_is_read_by_the_clock_that_is_set_later() {
    for now in [0, 10_000 * DAY, -10_000 * DAY] {
        let list = numbered((0..100).map(|n| now + (n - 89) * DAY));
        let clock = Clock::at(NOW + now);
        let ring = KeyRing::from_keys(list).unwrap().with_clock(clock);
        assert_eq!(kids(&ring), (87..100).collect::<Vec<_>>(), "{now}");
        assert_eq!(current(&ring), "89");
        // 100 days of keys ahead: a rotation is not due.
        assert_eq!(ring.rotation_due(), None);
    }
}

#[test]
fn a_ring_with_too_many_keys_starts_and_learns_of_a_leak() {
    let clock = Clock::at(NOW);
    let before = numbered([-90 * DAY]);
    let ring = KeyRing::from_keys(before.clone()).unwrap().with_clock(clock.clone());
    let issuer = TokenIssuer::new(ISSUER, ring.clone()).unwrap();
    let issuer = issuer.with_audience(AUDIENCE).unwrap().with_clock(clock.clone());
    let token = issuer.issue_for(&json!({}), seconds(DAY)).unwrap();

    // An operator adds 70 keys, one in each second.
    let mut list = numbered([-90 * DAY].into_iter().chain(1..=70));
    list[0] = before[0].clone();
    clock.set(NOW + 71);
    ring.set_keys(list.clone()).unwrap();
    let started = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock.clone());
    for ring in [&ring, &started] {
        assert_eq!(ring.keys().len(), 64);
        assert_eq!(current(ring), "70");
        // The key that signed most of the tokens stays.
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, ring.clone()).unwrap();
        let verifier = verifier.with_clock(clock.clone());
        assert!(verifier.verify_now(&token).is_ok());
        // It has leaked, and there are still more than 64.
        ring.set_keys(list[1..].to_vec()).unwrap();
        let rejection = verifier.verify_now(&token).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::UnknownKey);
        assert_eq!((ring.keys().len(), current(ring)), (64, "70".to_owned()));
    }
    assert_eq!(ring.jwk_set(), started.jwk_set());
}

#[test]
fn of_too_many_keys_those_stay_that_sign_now_or_soon_or_have_signed_for_long() {
    let clock = Clock::at(NOW);
    // Two retired keys, the current one, and one for each of the next 100 days: 7 are to be published by now.
    let list =
        numbered([-3 * HOUR, -2 * HOUR, -HOUR].into_iter().chain((1..=100).map(|n| n * DAY)));
    let ring = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock.clone());
    assert_eq!(kids(&ring), (0..64).collect::<Vec<_>>());
    // What was left out is published when it is needed.
    for day in 1..=100_u32 {
        clock.set(NOW + i64::from(day) * DAY);
        ring.set_keys(list.clone()).unwrap();
        assert_eq!(current(&ring), (day + 2).to_string());
        let published = kids(&ring);
        let needed = (day + 1..=day + 9).filter(|&kid| kid < 103);
        assert!(needed.into_iter().all(|kid| published.contains(&kid)), "{day}: {published:?}");
    }
}

#[test]
fn the_key_whose_time_has_come_always_signs() {
    let clock = Clock::at(NOW);
    // Each signs for 10 seconds, save number 40, which signs for one.
    let time = |n: i64| if n <= 40 { n * 10 } else { n * 10 - 9 };
    let list = numbered((0..100).map(time));
    let ring = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock.clone());
    for n in 0..100 {
        clock.set(NOW + time(n));
        ring.set_keys(list.clone()).unwrap();
        assert_eq!(current(&ring), n.to_string());
        assert_eq!(ring.keys().len(), 64);
    }
    // Before all of them, the first one signs.
    clock.set(NOW - 1);
    ring.set_keys(list).unwrap();
    assert_eq!(current(&ring), "0");
}

#[test]
fn a_rotation_considers_keys_that_are_left_out() {
    let clock = Clock::at(NOW);
    // The newest of 80 keys will sign in 60 days. It is not published yet.
    let list = numbered((0..79).map(|n| n - 100).chain([60 * DAY]));
    let ring = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock.clone());
    let ring = ring.with_rotation(seconds(61 * DAY), seconds(7 * DAY)).unwrap();
    assert_eq!(ring.rotation_due(), None);
    assert!(!ring.rotate_if_due().unwrap());
    // It is removed from the list, which changes nothing else.
    ring.set_keys(list[..79].to_vec()).unwrap();
    clock.set(NOW + 54 * DAY);
    assert_eq!(ring.due_key().unwrap().follows(), "78");
}

#[test]
fn a_long_list_that_is_read_again_changes_nothing() {
    let clock = Clock::at(NOW);
    let list = numbered((0..80).map(|n| n * MINUTE - HOUR));
    let ring = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock);
    let before = (ring.generation(), ring.jwk_set());
    ring.set_keys(list).unwrap();
    assert_eq!((ring.generation(), ring.jwk_set()), before);
}

#[test]
fn keys_of_a_process_do_not_pile_up() {
    let clock = Clock::at(NOW);
    let ring = KeyRing::new(es256()).unwrap().with_clock(clock.clone());
    for n in 1..=500 {
        clock.set(NOW + 90 * DAY * n);
        ring.rotate_if_due().unwrap();
    }
    // Those that are gone are forgotten: a clock that is set back does not show them.
    clock.set(NOW);
    let shown: Vec<_> = ring.keys().iter().map(RingKeyStatus::signs_from).collect();
    assert!(shown.len() <= 64, "{}", shown.len());
}
