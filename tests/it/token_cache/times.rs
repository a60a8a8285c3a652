//! At each time, a verifier with a cache decides like one without, and one with a clock that is late like one with a clock
//! that is not.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tower_jwt_auth::{IssuerSet, JwtAuthLayer, JwtVerifier, RejectionKind};

use super::{Counted, Hands, Late, hs256, kind};
use crate::support::requests::{bearer, refusal, send};
use crate::support::{AUDIENCE, ISSUER, NOW, claims};

/// Verifiers with the same rules and clock: one without a cache, one with it, and both with a clock that has a recent time.
struct Pair {
    clock: Hands,
    keys: Counted,
    plain: JwtVerifier,
    cached: JwtVerifier,
    late: Vec<JwtVerifier>,
    late_set: IssuerSet,
}

impl Pair {
    fn new(leeway: u64, max_age: Option<u64>) -> Self {
        let (clock, keys) = (Hands::at(NOW as f64), Counted::of(hs256()));
        let new = |keys: Counted| {
            let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap();
            let verifier = verifier.with_leeway(Duration::from_secs(leeway)).unwrap();
            let verifier = verifier.with_clock(clock.clone());
            match max_age {
                Some(max_age) => verifier.with_max_age(Duration::from_secs(max_age)).unwrap(),
                None => verifier,
            }
        };
        let plain = new(Counted::of(hs256()));
        let cached = new(keys.clone()).with_token_cache(100).unwrap();
        let late = [0.0, 0.25, 10.0].into_iter().flat_map(|behind| {
            // Behind an `Arc`, as applications share a clock.
            let plain = plain.clone().with_clock(Arc::new(Late::by(behind, &clock)));
            [plain.clone(), plain.with_token_cache(100).unwrap()]
        });
        let late = late.collect();
        let of_late = plain.clone().with_clock(Late::by(10.0, &clock));
        let late_set = IssuerSet::new().with_token_cache(100).unwrap();
        late_set.add(of_late).unwrap();
        Self { clock, keys, plain, cached, late, late_set }
    }

    /// The result of all at this time, which is the same.
    fn at(&self, seconds: f64, token: &str) -> Option<RejectionKind> {
        self.clock.set(seconds);
        let expected = kind(&self.plain, token);
        assert_eq!(kind(&self.cached, token), expected, "at {seconds}");
        for late in &self.late {
            assert_eq!(kind(late, token), expected, "with a late clock, at {seconds}");
        }
        let in_the_set = refusal(&send(&JwtAuthLayer::new(self.late_set.clone()), bearer(token)));
        assert_eq!(in_the_set, expected, "in a set with a late clock, at {seconds}");
        let response = send(&JwtAuthLayer::new(self.cached.clone()), bearer(token));
        assert_eq!(refusal(&response), expected, "in the layer, at {seconds}");
        expected
    }
}

const NOW_F: f64 = NOW as f64;

#[test]
fn token_from_the_cache_expires_to_the_moment() {
    let pair = Pair::new(30, None);
    let token = hs256().token(&json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60}));
    for (seconds, expected) in [
        (0.0, None),
        (60.0, None),
        (89.75, None),
        (90.0, Some(RejectionKind::ExpiredToken)),
        (89.75, None),
        (500.0, Some(RejectionKind::ExpiredToken)),
        (0.0, None),
    ] {
        assert_eq!(pair.at(NOW_F + seconds, &token), expected, "{seconds}");
    }
}

#[test]
fn token_from_the_cache_is_too_old_to_the_moment() {
    let pair = Pair::new(30, Some(60));
    let token = hs256().token(&claims());
    // `iat` is a minute ago.
    for (seconds, expected) in [
        (0.0, None),
        (29.75, None),
        (30.0, Some(RejectionKind::TooOld)),
        (29.75, None),
        (-90.0, None),
        (-90.25, Some(RejectionKind::IssuedInFuture)),
    ] {
        assert_eq!(pair.at(NOW_F + seconds, &token), expected, "{seconds}");
    }
}

#[test]
fn token_from_the_cache_is_refused_when_the_clock_is_set_back_before_its_time() {
    for (name, expected) in
        [("nbf", RejectionKind::ImmatureToken), ("iat", RejectionKind::IssuedInFuture)]
    {
        let pair = Pair::new(30, None);
        let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 9999});
        claims[name] = NOW.into();
        let token = hs256().token(&claims);
        assert_eq!(pair.at(NOW_F, &token), None);
        assert_eq!(pair.at(NOW_F - 30.0, &token), None, "{name}");
        assert_eq!(pair.at(NOW_F - 30.25, &token), Some(expected), "{name}");
        assert_eq!(pair.at(NOW_F - 9999.0, &token), Some(expected), "{name}");
        assert_eq!(pair.at(NOW_F, &token), None, "{name}");
    }
}

#[test]
fn token_is_verified_again_after_five_minutes() {
    let pair = Pair::new(30, None);
    let token = hs256().token(&claims());
    let lookups = |seconds: f64| {
        pair.clock.set(NOW_F + seconds);
        let before = pair.keys.lookups();
        assert_eq!(kind(&pair.cached, &token), None);
        pair.keys.lookups() - before
    };
    let found = [0.0, 1.0, 299.75, 300.0, 301.0, 599.75, 600.0, 599.0, 600.5].map(lookups);
    assert_eq!(found, [1, 0, 0, 1, 0, 0, 1, 1, 0]);
}

#[test]
fn current_time_is_read_only_where_a_recent_one_does_not_decide() {
    let hands = Hands::at(NOW_F);
    let clock = Late::by(10.0, &hands);
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Counted::of(hs256())).unwrap();
    let plain = verifier.with_leeway(Duration::ZERO).unwrap().with_clock(clock.clone());
    let cached = plain.clone().with_token_cache(100).unwrap();
    let claims =
        json!({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 60});
    let token = hs256().token(&claims);
    let reads = |seconds: f64, verifier: &JwtVerifier| {
        hands.set(NOW_F + seconds);
        let before = clock.reads();
        assert_eq!(kind(verifier, &token), None, "at {seconds}");
        clock.reads() - before
    };
    // The recent time is ten seconds before the current one, which may be ten seconds later than that.
    for (seconds, expected) in [(0.0, 0), (59.75, 0), (-0.25, 1)] {
        assert_eq!(reads(seconds, &plain), expected, "at {seconds}");
    }
    assert_eq!(reads(0.0, &cached), 0, "verified");
    assert_eq!(reads(0.0, &cached), 0, "found");
    assert_eq!(reads(59.75, &cached), 0, "found near the end");
}

/// A quarter of a second, which a float has exactly.
fn offset() -> impl Strategy<Value = f64> {
    prop_oneof![-400..400_i32, -4..4_i32, Just(0)].prop_map(|quarters| f64::from(quarters) / 4.0)
}

fn some_claims() -> impl Strategy<Value = Value> {
    let time = || proptest::option::of(offset());
    (offset(), time(), time()).prop_map(|(exp, nbf, iat)| {
        let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW_F + 20.0 + exp});
        for (name, time) in [("nbf", nbf), ("iat", iat)] {
            if let Some(time) = time {
                claims[name] = json!(NOW_F - 20.0 + time);
            }
        }
        claims
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn verifier_with_a_cache_decides_like_one_without_at_any_time(
        claims in some_claims(),
        leeway in prop_oneof![Just(0_u64), Just(1), Just(30)],
        max_age in proptest::option::of(1..100_u64),
        times in proptest::collection::vec(offset(), 1..12),
    ) {
        let pair = Pair::new(leeway, max_age);
        let token = hs256().token(&claims);
        for time in times {
            pair.at(NOW_F + time, &token);
        }
        // And at each moment at which something changes, from both sides and back.
        let at = |name: &str| claims[name].as_f64();
        let leeway = leeway as f64;
        let edges = [
            at("exp").map(|exp| exp + leeway),
            at("nbf").map(|nbf| nbf - leeway),
            at("iat").map(|iat| iat - leeway),
            at("iat").zip(max_age).map(|(iat, max_age)| iat + leeway + max_age as f64),
        ];
        for edge in edges.into_iter().flatten() {
            for step in [-0.25, 0.0, 0.25, 0.0, -0.25] {
                pair.at(edge + step, &token);
            }
        }
    }
}
