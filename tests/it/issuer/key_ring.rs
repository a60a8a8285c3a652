//! The keys of an issuer, by the time.

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, IssueErrorKind, JwtVerifier, KeyRing, KeySource, NumericDate,
    RejectionKind, RingKeyState, SigningKey, TokenIssuer,
};

use super::{Clock, SECRET, es256, part};
use crate::support::{AUDIENCE, ISSUER, NOW, now};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> NumericDate {
    NumericDate::from_unix_seconds(NOW + seconds)
}

fn named(kid: &str) -> SigningKey {
    es256().with_kid(kid)
}

/// A ring whose clock shows [`NOW`], with keys by their times after it.
fn ring(clock: &Clock, keys: &[(&str, i64)]) -> KeyRing {
    let keys = keys.iter().map(|(kid, time)| (named(kid), at(*time)));
    KeyRing::from_keys(keys).unwrap().with_clock(clock.clone())
}

/// The keys that are not gone, by the first letter of their states.
fn states(ring: &KeyRing) -> String {
    let letter = |state| match state {
        RingKeyState::Next => 'n',
        RingKeyState::Current => 'c',
        _ => 'r',
    };
    let one = |key: &tower_jwt_auth::RingKeyStatus| format!("{}{}", key.kid(), letter(key.state()));
    ring.keys().iter().map(one).collect::<Vec<_>>().join(" ")
}

fn issuer(ring: &KeyRing, clock: &Clock) -> TokenIssuer {
    let issuer = TokenIssuer::new(ISSUER, ring.clone()).unwrap();
    issuer.with_audience(AUDIENCE).unwrap().with_clock(clock.clone())
}

fn verifier(ring: &KeyRing, clock: &Clock) -> JwtVerifier {
    JwtVerifier::new(ISSUER, AUDIENCE, ring.clone()).unwrap().with_clock(clock.clone())
}

fn kid_of(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

fn published(ring: &KeyRing) -> Vec<String> {
    let set: Value = serde_json::from_str(&ring.jwk_set()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_state_of_a_key_follows_from_the_time() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("b", DAY), ("a", 0)]);
    let issuer = issuer(&ring, &clock);
    // The default: 24 hours for tokens and 10 minutes of difference.
    let gone = DAY + DAY + 600;
    for (time, expected, kids) in [
        (0, "ac bn", vec!["a", "b"]),
        (DAY - 1, "ac bn", vec!["a", "b"]),
        (DAY, "ar bc", vec!["a", "b"]),
        (gone - 1, "ar bc", vec!["a", "b"]),
        (gone, "bc", vec!["b"]),
        (1000 * DAY, "bc", vec!["b"]),
        // Back: the same times have the same states again.
        (DAY, "ar bc", vec!["a", "b"]),
        (0, "ac bn", vec!["a", "b"]),
        // Before all: the first key signs at once.
        (-DAY, "ac bn", vec!["a", "b"]),
    ] {
        clock.set(NOW + time);
        assert_eq!(states(&ring), expected, "{time}");
        assert_eq!(published(&ring), kids, "{time}");
        assert_eq!(ring.status().kids(), kids);
        let current = ring.keys().into_iter().find(|key| key.state() == RingKeyState::Current);
        assert_eq!(kid_of(&issuer.issue(&json!({})).unwrap()), current.unwrap().kid());
    }
    let keys = ring.keys();
    assert_eq!((keys[0].signs_from(), keys[0].gone_at()), (at(0), Some(at(gone))));
    assert_eq!((keys[1].signs_from(), keys[1].gone_at()), (at(DAY), None));
    assert_eq!(keys[1].algorithm(), Algorithm::ES256);
}

#[test]
fn a_retired_key_verifies_the_last_token_until_it_expires() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("a", 0), ("b", DAY)]);
    let issuer = issuer(&ring, &clock);
    let verifier = verifier(&ring, &clock).with_leeway(Duration::from_secs(300)).unwrap();

    clock.set(NOW + DAY - 1);
    let last = issuer.issue_for(&json!({}), ring.max_token_lifetime()).unwrap();
    assert_eq!(kid_of(&last), "a");
    for time in [DAY - 1, DAY, DAY + DAY - 2, DAY + DAY + 298] {
        clock.set(NOW + time);
        assert!(verifier.verify_now(&last).is_ok(), "{time}");
    }
    clock.set(NOW + DAY + DAY + 300);
    let rejection = verifier.verify_now(&last).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::ExpiredToken);
    clock.set(NOW + DAY + DAY + 600);
    let rejection = verifier.verify_now(&last).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::UnknownKey);
}

#[test]
fn a_token_that_a_next_key_signed_too_early_is_accepted() {
    let clock = Clock::at(NOW);
    let (a, b) = (named("a"), named("b"));
    let ring = KeyRing::from_keys([(a, at(0)), (b.clone(), at(60))]).unwrap();
    let ring = ring.with_clock(clock.clone());
    let ahead = super::issuer(b);
    let token = ahead.issue(&json!({"sub": "alice"})).unwrap();
    assert!(verifier(&ring, &clock).verify_now(&token).is_ok());
    assert_eq!(states(&ring), "ac bn");
}

#[test]
fn processes_with_the_same_list_agree() {
    let clock = Clock::at(NOW);
    // Two keys with one time: the greater `kid` signs.
    let list = [("b", 0), ("a", 0), ("c", HOUR)].map(|(kid, time)| (named(kid), at(time)));
    let one = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock.clone());
    let [first, second, third] = list;
    let other = KeyRing::from_keys([third, first, second]).unwrap().with_clock(clock.clone());
    for time in [-1, 0, HOUR, HOUR + DAY + 600] {
        clock.set(NOW + time);
        assert_eq!(states(&one), states(&other));
        assert_eq!(one.jwk_set(), other.jwk_set());
    }
    clock.set(NOW);
    assert_eq!(states(&one), "ar bc cn");
}

#[test]
fn a_fraction_of_a_second_makes_no_difference() {
    let clock = Clock::at(NOW);
    let time: NumericDate = serde_json::from_str(&format!("{NOW}.9")).unwrap();
    let ring = KeyRing::from_keys([(named("a"), at(-1)), (named("b"), time)]).unwrap();
    assert_eq!(states(&ring.with_clock(clock)), "ar bc");
}

#[test]
fn a_ring_without_a_key_that_can_sign_is_refused() {
    let error = KeyRing::from_keys([]).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::KeySet);
    assert!(error.to_string().contains("at least one key"), "{error}");

    let error = KeyRing::from_keys([(named("a"), at(0)), (named("a"), at(1))]).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::KeySet);
    assert!(error.to_string().contains("the same `kid`"), "{error}");

    for kid in ["", "a\n", &"x".repeat(1025)] {
        for error in [
            KeyRing::new(named(kid)).unwrap_err(),
            KeyRing::from_keys([(named(kid), at(0))]).unwrap_err(),
            TokenIssuer::new(ISSUER, named(kid)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ConfigErrorKind::Key, "{kid:?}");
        }
    }
}

#[test]
fn a_list_that_cannot_be_used_changes_nothing() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("a", 0)]);
    let generation = ring.generation();
    assert!(ring.set_keys([]).is_err());
    assert!(ring.set_keys([(named("b"), at(0)), (named("b"), at(1))]).is_err());
    assert!(ring.add_next(named("a"), at(1)).is_err());
    assert_eq!(states(&ring), "ac");
    assert_eq!(ring.generation(), generation);
}

#[test]
fn a_list_replaces_all_keys_and_revokes_those_that_are_left_out() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("a", 0)]);
    let (issuer, verifier) = (issuer(&ring, &clock), verifier(&ring, &clock));
    let old = issuer.issue(&json!({})).unwrap();
    assert!(verifier.verify_now(&old).is_ok());

    ring.set_keys([(named("b"), at(0))]).unwrap();
    let rejection = verifier.verify_now(&old).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::UnknownKey);
    let new = issuer.issue(&json!({})).unwrap();
    assert_eq!(kid_of(&new), "b");
    assert!(verifier.verify_now(&new).is_ok());
}

#[test]
fn the_generation_changes_with_the_keys_and_only_then() {
    let clock = Clock::at(NOW);
    let list = [(named("a"), at(0)), (named("b"), at(DAY))];
    let ring = KeyRing::from_keys(list.clone()).unwrap().with_clock(clock.clone());
    let both = ring.generation();
    assert!(both.is_some());

    // The same list, read again.
    ring.set_keys(list.clone()).unwrap();
    assert_eq!(ring.generation(), both);
    // Another key signs, and the same keys verify.
    clock.set(NOW + DAY);
    assert_eq!(ring.generation(), both);
    // A key is gone.
    clock.set(NOW + DAY + DAY + 600);
    let one = ring.generation();
    assert_ne!(one, both);
    // It is back with the clock: the same keys as before.
    clock.set(NOW);
    assert_eq!(ring.generation(), both);
    // A new key.
    ring.add_next(named("c"), at(2 * DAY)).unwrap();
    assert!(ring.generation() != both && ring.generation() != one);

    // The same name for another key, and the same key with another time.
    let [a, _] = list;
    for other in [(named("b"), at(DAY)), (a.0.clone().with_kid("b"), at(2 * DAY))] {
        let before = ring.generation();
        ring.set_keys([a.clone(), other]).unwrap();
        assert_ne!(ring.generation(), before);
    }
}

#[test]
fn the_generation_of_a_look_up_is_the_one_that_the_ring_shows() {
    use tower_jwt_auth::KeyQuery;
    // A cache keeps the look-up's, so a source of the application that wraps a ring sees both.
    #[derive(Debug)]
    struct Watched(KeyRing);
    impl KeySource for Watched {
        fn find_key(&self, query: &KeyQuery<'_>) -> tower_jwt_auth::KeyLookup {
            let lookup = self.0.find_key(query);
            assert!(lookup.is_ready());
            lookup
        }
        fn generation(&self) -> Option<u64> {
            self.0.generation()
        }
    }
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("a", 0), ("b", DAY)]);
    let issuer = issuer(&ring, &clock);
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Watched(ring.clone())).unwrap();
    let verifier = verifier.with_clock(clock.clone());
    #[cfg(feature = "token-cache")]
    let verifier = verifier.with_token_cache(64).unwrap();
    let token = issuer.issue_for(&json!({}), Duration::from_secs(3 * 3600)).unwrap();
    for _ in 0..3 {
        assert!(verifier.verify_now(&token).is_ok());
    }
    // The key is left out: the cached token is refused at once.
    ring.set_keys([(named("b"), at(DAY))]).unwrap();
    assert_eq!(verifier.verify_now(&token).unwrap_err().kind(), RejectionKind::UnknownKey);
}

#[test]
fn secrets_verify_in_the_process_and_are_never_published() {
    let clock = Clock::at(NOW);
    let secret = SigningKey::from_secret(&SECRET, Algorithm::HS256).unwrap().with_kid("a");
    let ring = KeyRing::from_keys([(secret, at(0)), (named("b"), at(DAY))]).unwrap();
    let ring = ring.with_clock(clock.clone());
    assert_eq!(published(&ring), ["b"]);
    let token = issuer(&ring, &clock).issue(&json!({})).unwrap();
    assert!(verifier(&ring, &clock).verify_now(&token).is_ok());
    assert_eq!(ring.status().keys(), 2);

    let ring = KeyRing::new(SigningKey::generate(Algorithm::HS512).unwrap()).unwrap();
    assert_eq!(ring.jwk_set(), r#"{"keys":[]}"#);
    assert!(ring.status().is_ready());
}

#[test]
fn a_token_never_outlives_its_key() {
    let ring = KeyRing::new(es256()).unwrap();
    let ring = ring.with_max_token_lifetime(Duration::from_millis(600_900)).unwrap();
    assert_eq!(ring.max_token_lifetime(), Duration::from_secs(600));
    let issuer = TokenIssuer::new(ISSUER, ring).unwrap().with_audience(AUDIENCE).unwrap();
    // The default of 30 minutes is too long for it.
    assert_eq!(issuer.lifetime(), Duration::from_secs(600));
    let error = issuer.issue_for(&json!({}), Duration::from_secs(601)).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Lifetime);
    assert!(error.to_string().contains("with_max_token_lifetime"), "{error}");
    assert!(issuer.issue_for(&json!({}), Duration::from_secs(600)).is_ok());
    let error = issuer.with_lifetime(Duration::from_secs(601)).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Duration);

    // A single key is never retired.
    let single = TokenIssuer::new(ISSUER, es256()).unwrap();
    assert!(single.with_lifetime(Duration::from_secs(50 * 366 * 24 * 3600)).is_ok());
    let ring = KeyRing::new(es256()).unwrap();
    for lifetime in [Duration::ZERO, Duration::MAX] {
        let error = ring.clone().with_max_token_lifetime(lifetime).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration);
    }
}

#[test]
fn an_added_key_signs_from_a_time_that_is_not_in_the_past() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("a", -300)]);
    for time in [-DAY, -601, -301] {
        let error = ring.add_next(named("b"), at(time)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration, "{time}");
    }
    assert_eq!(states(&ring), "ac");
    // Clocks may differ, and a rotation may be needed at once.
    ring.add_next(named("b"), at(-299)).unwrap();
    ring.add_next(named("d"), at(DAY)).unwrap();
    ring.add_next(named("c"), at(HOUR)).unwrap();
    assert_eq!(states(&ring), "ar bc cn dn");
}

#[test]
fn keys_that_are_gone_make_room() {
    let clock = Clock::at(NOW);
    let key = es256();
    let keys = |count: i64| {
        let key = key.clone();
        (0..count).map(move |n| (key.clone().with_kid(n.to_string()), at((n - 200) * DAY)))
    };
    let ring = ring(&clock, &[("first", 0)]);
    ring.set_keys(keys(201)).unwrap();
    assert_eq!(states(&ring), "198r 199r 200c");

    for n in 1..=61 {
        ring.add_next(key.clone().with_kid(format!("next{n}")), at(n)).unwrap();
    }
    assert_eq!(ring.keys().len(), 64);
    let error = ring.add_next(key.clone().with_kid("one more"), at(100)).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::KeySet);
    assert!(error.to_string().contains("at most 64"), "{error}");
    assert_eq!(ring.keys().len(), 64);
}

#[test]
fn clones_share_their_keys() {
    let clock = Clock::at(NOW);
    let ring = ring(&clock, &[("a", 0)]);
    let issuer = issuer(&ring, &clock);
    let of_issuer = issuer.verification_keys();
    ring.clone().add_next(named("b"), at(0)).unwrap();
    assert_eq!((states(&ring), states(&of_issuer)), ("ar bc".to_owned(), "ar bc".to_owned()));
    assert_eq!(issuer.jwk_set(), ring.jwk_set());
    let later = Clock::at(NOW + 3 * DAY);
    let apart = ring.clone().with_clock(later);
    apart.set_keys([(named("c"), at(0))]).unwrap();
    assert_eq!((states(&ring), states(&apart)), ("ar bc".to_owned(), "cc".to_owned()));
}

#[test]
fn a_ring_shows_no_key_material() {
    let ring = KeyRing::new(named("shown").with_kid("shown")).unwrap().with_clock(now());
    let text = format!("{ring:?} {:?}", issuer(&ring, &Clock::at(NOW)));
    assert!(text.contains("shown") && text.contains("Current"), "{text}");
    let jwk: Value = serde_json::from_str(&ring.jwk_set()).unwrap();
    assert!(!text.contains(jwk["keys"][0]["x"].as_str().unwrap()));
}
