//! How long a token may live.

use std::time::Duration;

/// Without the fraction, or why it is no lifetime.
pub(crate) fn whole_seconds(lifetime: Duration) -> Result<Duration, &'static str> {
    const HUNDRED_YEARS: u64 = 100 * 366 * 24 * 60 * 60;

    match lifetime.as_secs() {
        0 => Err("the lifetime of a token is at least one second"),
        // As good as without end, and out of reach of many a library's calendar.
        seconds if seconds > HUNDRED_YEARS => {
            Err("the lifetime of a token is at most a hundred years")
        }
        seconds => Ok(Duration::from_secs(seconds)),
    }
}
