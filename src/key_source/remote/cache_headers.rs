//! How long a response is fresh, by its headers and within the bounds of the crate.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// The lifetime by `Cache-Control` and `Age` (RFC 9111 sections 4.2 and 5.2.2, RFC 5861 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// How long the response is fresh.
    pub(super) fresh: Duration,
    /// How much longer it may be used while its origin cannot be reached.
    pub(super) stale: Duration,
}

impl Default for Lifetime {
    /// For a response without these headers.
    fn default() -> Self {
        Self { fresh: DEFAULT_FRESH, stale: DEFAULT_STALE }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DEFAULT_FRESH: Duration = Duration::from_secs(10 * 60);
const DEFAULT_STALE: Duration = Duration::from_secs(60 * 60);

impl Lifetime {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let directives: Vec<(String, Option<u64>)> = headers
            .get_all(CACHE_CONTROL)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .map(directive)
            .collect();
        let has = |name: &str| directives.iter().any(|(other, _)| other == name);
        // The smallest value, if a directive is duplicated.
        let seconds = |name: &str| {
            let values = directives.iter().filter(|(other, _)| other == name);
            values.filter_map(|(_, seconds)| *seconds).min()
        };
        let age = headers.get(AGE).and_then(|age| delta_seconds(age.to_str().ok()?.trim()));
        let fresh = match seconds("max-age") {
            _ if has("no-store") || has("no-cache") => Duration::ZERO,
            Some(max_age) => Duration::from_secs(max_age.saturating_sub(age.unwrap_or(0))),
            None => DEFAULT_FRESH,
        };
        let stale = seconds("stale-if-error").map_or(DEFAULT_STALE, Duration::from_secs);
        Self { fresh, stale }.bounded()
    }

    /// Of keys that no response has confirmed: never fresh, and used as long as stale keys without `stale-if-error`.
    pub(super) fn unconfirmed() -> Self {
        Self { fresh: Duration::ZERO, stale: DEFAULT_STALE }
    }

    /// The same within the bounds of the crate.
    pub(super) fn bounded(self) -> Self {
        Self { fresh: self.fresh.clamp(MINUTE, DAY), stale: self.stale.clamp(MINUTE, DAY) }
    }
}

/// A directive's name in lower case, and its argument if that is a number of seconds.
fn directive(text: &str) -> (String, Option<u64>) {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.trim().trim_matches('"')),
        None => (text, ""),
    };
    (name.trim().to_ascii_lowercase(), delta_seconds(value))
}

/// A number of seconds (RFC 9111 section 1.2.2). A number that an integer cannot hold becomes the
/// largest integer.
fn delta_seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> (u64, u64) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let lifetime = Lifetime::of(&map);
        (lifetime.fresh.as_secs(), lifetime.stale.as_secs())
    }

    #[test]
    fn an_answer_is_fresh_for_as_long_as_it_says_within_bounds() {
        let fresh = |value| of(&[("cache-control", value)]).0;
        for (value, seconds) in [
            ("max-age=300", 300),
            ("public, MAX-AGE=\"300\"", 300),
            ("max-age=300, max-age=200", 200),
            ("max-age=0", 60),
            ("max-age=5", 60),
            ("max-age=31536000", 86_400),
            ("max-age=99999999999999999999999", 86_400),
            ("no-store", 60),
            ("no-store, max-age=300", 60),
            ("no-cache", 60),
            ("max-age", 600),
            ("max-age=-1", 600),
            ("max-age=soon", 600),
            ("s-maxage=300", 600),
            ("private", 600),
            ("", 600),
        ] {
            assert_eq!(fresh(value), seconds, "{value}");
        }
        assert_eq!(of(&[]).0, 600);
    }

    #[test]
    fn the_time_in_other_caches_counts() {
        let fresh = |age| of(&[("cache-control", "max-age=300"), ("age", age)]).0;
        for (age, seconds) in [
            ("100", 200),
            ("299", 60),
            ("400", 60),
            ("-1", 300),
            ("x", 300),
            ("99999999999999999999999", 60),
        ] {
            assert_eq!(fresh(age), seconds, "{age}");
        }
        assert_eq!(of(&[("age", "100")]).0, 600);
    }

    #[test]
    fn stale_if_error_is_honoured_within_bounds() {
        let stale = |value| of(&[("cache-control", value)]).1;
        assert_eq!(stale("max-age=300"), 3600);
        assert_eq!(stale("stale-if-error=120"), 120);
        assert_eq!(stale("stale-if-error=0"), 60);
        assert_eq!(stale("stale-if-error=31536000"), 86_400);
    }
}
