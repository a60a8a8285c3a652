//! How long a response is fresh, by its headers and within the bounds of the crate.

use std::time::Duration;

#[cfg(feature = "reqwest-0_13")]
use std::time::SystemTime;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};
#[cfg(feature = "reqwest-0_13")]
use http::header::{DATE, EXPIRES};

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
        let directives = Directives::of(headers);
        let fresh = match directives.seconds("max-age") {
            _ if directives.has("no-store") || directives.has("no-cache") => Duration::ZERO,
            Some(max_age) => Duration::from_secs(max_age.saturating_sub(age(headers).unwrap_or(0))),
            None => DEFAULT_FRESH,
        };
        let stale = directives.seconds("stale-if-error").map_or(DEFAULT_STALE, Duration::from_secs);
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

/// How long a response is fresh by `Cache-Control`, `Expires` and `Age` (RFC 9111 section 4.2), without bounds; `None` if it does
/// not say. `Cache-Control` outranks `Expires`.
#[cfg(feature = "reqwest-0_13")]
pub(super) fn freshness(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let directives = Directives::of(headers);
    if directives.has("no-store") || directives.has("no-cache") {
        return Some(Duration::ZERO);
    }
    let lifetime = match directives.seconds("max-age") {
        Some(max_age) => Duration::from_secs(max_age),
        None => {
            let expires = headers.get(EXPIRES)?;
            let date =
                |value: &http::HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
            let sent = headers.get(DATE).and_then(date).unwrap_or(now);
            // An invalid date, such as `0`, is in the past.
            date(expires).and_then(|at| at.duration_since(sent).ok()).unwrap_or_default()
        }
    };
    Some(lifetime.saturating_sub(Duration::from_secs(age(headers).unwrap_or(0))))
}

/// The directives of `Cache-Control`.
struct Directives(Vec<(String, Option<u64>)>);

impl Directives {
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
        Self(lines.flat_map(|line| line.split(',')).map(directive).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// The smallest value, if a directive is duplicated.
    fn seconds(&self, name: &str) -> Option<u64> {
        let values = self.0.iter().filter(|(other, _)| other == name);
        values.filter_map(|(_, seconds)| *seconds).min()
    }
}

/// The time in other caches, in seconds.
fn age(headers: &HeaderMap) -> Option<u64> {
    delta_seconds(headers.get(AGE)?.to_str().ok()?.trim())
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

    #[cfg(feature = "reqwest-0_13")]
    #[test]
    fn a_document_is_fresh_by_cache_control_or_else_by_expires() {
        const NOW: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
        const LATER: &str = "Thu, 01 Jan 2026 00:05:00 GMT";
        let now = httpdate::parse_http_date(NOW).unwrap();
        for (headers, seconds) in [
            (&[] as &[(&str, &str)], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "max-age=300")], Some(300)),
            (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "400")], Some(0)),
            (&[("cache-control", "no-store, max-age=300")], Some(0)),
            (&[("cache-control", "no-cache"), ("expires", LATER)], Some(0)),
            (&[("cache-control", "max-age=60"), ("expires", LATER)], Some(60)),
            (&[("expires", LATER)], Some(300)),
            (&[("expires", LATER), ("age", "100")], Some(200)),
            (&[("expires", LATER), ("date", "Thu, 01 Jan 2026 00:04:00 GMT")], Some(60)),
            (&[("expires", LATER), ("date", "soon")], Some(300)),
            (&[("expires", NOW)], Some(0)),
            (&[("expires", "Wed, 31 Dec 2025 00:00:00 GMT")], Some(0)),
            (&[("expires", "0")], Some(0)),
            (&[("expires", "-1")], Some(0)),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(http::HeaderName::from_static(name), value.parse().unwrap());
            }
            let fresh = freshness(&map, now);
            assert_eq!(fresh, seconds.map(Duration::from_secs), "{headers:?}");
        }
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
