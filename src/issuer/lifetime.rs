//! The lifetime of a token.

use std::time::Duration;

/// Removes the fraction of a lifetime. The error says why the lifetime is not valid.
pub(crate) fn whole_seconds(lifetime: Duration) -> Result<Duration, &'static str> {
    const HUNDRED_YEARS: u64 = 100 * 366 * 24 * 60 * 60;

    match lifetime.as_secs() {
        0 => Err("the lifetime of a token is at least one second"),
        // In effect unlimited, and beyond the calendar of many libraries.
        seconds if seconds > HUNDRED_YEARS => {
            Err("the lifetime of a token is at most a hundred years")
        }
        seconds => Ok(Duration::from_secs(seconds)),
    }
}
