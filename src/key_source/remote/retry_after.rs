//! `Retry-After`: when a server accepts the next request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::clock::{Clock, SystemClock};

/// The longest time that is read; the source limits it further.
const MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The remaining time (RFC 9110 section 10.2.3), if the header is valid and the time is not over.
///
/// A date is compared with the `Date` of the same response, so the two clocks need not agree.
/// Without `Date` it is compared with the system clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let wait = match is_number {
        true => Duration::from_secs(value.parse().unwrap_or(u64::MAX)),
        false => {
            let at = httpdate::parse_http_date(value).ok()?;
            let now = date(headers).unwrap_or_else(system_time);
            at.duration_since(now).ok()?
        }
    };
    (!wait.is_zero()).then_some(wait.min(MAX))
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?.trim()).ok()
}

fn system_time() -> SystemTime {
    let seconds = u64::try_from(SystemClock.now().unix_seconds()).unwrap_or_default();
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(retry_after_is: &str, date_is: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_is.parse().unwrap());
        if let Some(date) = date_is {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_read_and_bounded() {
        for (value, expected) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("86401", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("0", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds(value, None), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn date_is_compared_with_the_date_of_the_answer() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, expected) in [
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            // The two obsolete forms (RFC 9110 section 5.6.7).
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("Sun Nov  6 08:50:07 1994", Some(30)),
            ("Sun, 06 Nov 2095 08:50:07 GMT", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:00 GMT", None),
            ("Sun, 06 Nov 1994", None),
        ] {
            assert_eq!(seconds(value, now), expected, "{value}");
        }
    }

    #[test]
    fn date_without_a_date_of_the_answer_is_compared_with_the_system_clock() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        let soon = httpdate::fmt_http_date(system_time() + Duration::from_secs(60));
        let wait = seconds(&soon, None).unwrap();
        assert!((50..=60).contains(&wait), "{wait}");
        // A response with an unreadable `Date` has none.
        assert!(seconds(&soon, Some("now")).is_some());
    }
}
