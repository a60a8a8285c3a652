//! Generated configurations, and the verifier that the crate makes of each.

use std::time::Duration;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExpectedIssuer, FixedClock, JwkSet, JwtVerifier, NumericDate,
};

use crate::support::reference::{ClaimsType, Config};
use crate::support::{AUDIENCE, ISSUER, NOW};

/// The names that are expected, mostly the good one among them.
fn names(good: &'static str, other: &'static str) -> impl Strategy<Value = Option<Vec<String>>> {
    prop_oneof![
        5 => Just(Some(vec![good])),
        3 => Just(Some(vec![other, good])),
        1 => Just(Some(vec![other])),
        1 => Just(None),
    ]
    .prop_map(|names| names.map(|names| names.into_iter().map(str::to_owned).collect()))
}

/// Of a token and of its header; mostly the defaults.
fn limits() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![9 => Just((16_384, 4_096)), 1 => (200..400_usize, 128..200_usize)]
}

pub(super) fn config() -> impl Strategy<Value = Config> {
    let algorithms = subsequence(Algorithm::ALL, 1..=Algorithm::ALL.len())
        .prop_map(|algorithms| algorithms.iter().map(|a| a.name().to_owned()).collect());
    (
        (names(ISSUER, "https://other.example"), names(AUDIENCE, "a")),
        option::weighted(0.1, algorithms),
        (0..=60_u64, option::weighted(0.2, 1..200_u64)),
        prop_oneof![9 => NOW - 40..NOW + 100, 1 => 0..i64::MAX],
        [0.3, 0.2, 0.5, 0.5, 0.3].map(prop::bool::weighted),
        subsequence(vec!["sub", "scope", "aud", "jti", "events", "other"], 0..=2),
        (any::<bool>(), option::weighted(0.1, select(vec!["azp", "client_id"])), limits()),
    )
        .prop_map(|(expected, algorithms, (leeway, max_age), now, flags, required, rest)| {
            let (value, in_place_of_audience, (max_token, max_header)) = rest;
            Config {
                issuers: expected.0,
                audiences: expected.1,
                algorithms,
                leeway,
                max_age,
                now,
                rfc9068: flags[0],
                exclusive_audience: flags[1],
                required: required.into_iter().map(str::to_owned).collect(),
                ignore_confirmation: flags[2],
                accept_id_tokens: flags[3],
                allow_at_hash: flags[4],
                in_place_of_audience,
                max_token,
                max_header,
                claims: if value { ClaimsType::Value } else { ClaimsType::Registered },
                slack: 0,
            }
        })
}

/// The verifier that the crate makes of it.
pub(super) fn verifier(config: &Config, keys: JwkSet) -> JwtVerifier {
    let issuer = config.issuers.clone();
    let issuer = issuer.map_or_else(ExpectedIssuer::dangerous_any, ExpectedIssuer::from);
    let audience = match (config.audiences.clone(), config.in_place_of_audience) {
        (None, _) => ExpectedAudience::dangerous_any(),
        (Some(names), None) => names.into(),
        (Some(names), Some("azp")) => ExpectedAudience::authorized_parties(names),
        (Some(names), Some(_)) => ExpectedAudience::clients(names),
    };
    let mut verifier = JwtVerifier::new(issuer, audience, keys)
        .unwrap()
        .with_clock(FixedClock(NumericDate::from_unix_seconds(config.now)))
        .with_leeway(Duration::from_secs(config.leeway))
        .and_then(|verifier| verifier.with_max_token_length(config.max_token))
        .and_then(|verifier| verifier.with_max_header_length(config.max_header))
        .unwrap();
    if let Some(algorithms) = &config.algorithms {
        let algorithms = algorithms.iter().map(|name| name.parse().unwrap());
        verifier = verifier.with_algorithms(algorithms).unwrap();
    }
    if let Some(max_age) = config.max_age {
        verifier = verifier.with_max_age(Duration::from_secs(max_age)).unwrap();
    }
    if config.rfc9068 {
        verifier = verifier.require_rfc9068();
    }
    if config.exclusive_audience {
        verifier = verifier.exclusive_audience();
    }
    if config.ignore_confirmation {
        verifier = verifier.dangerous_ignore_confirmation();
    }
    if config.allow_at_hash {
        verifier = verifier.allow_at_hash();
    }
    if config.accept_id_tokens {
        verifier = verifier.dangerous_accept_id_tokens();
    }
    config.required.iter().fold(verifier, |verifier, name| verifier.add_required_claim(name))
}
