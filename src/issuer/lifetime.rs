//! The lifetime of a token.

use std::time::Duration;

/// In effect unlimited, and beyond the calendar of many libraries.
pub(crate) const HUNDRED_YEARS: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Removes the fraction of a lifetime. The error says why the lifetime is not valid.
pub(crate) fn whole_seconds(lifetime: Duration) -> Result<Duration, &'static str> {
    match lifetime.as_secs() {
        0 => Err("the lifetime of a token is at least one second"),
        seconds if seconds > HUNDRED_YEARS.as_secs() => {
            Err("the lifetime of a token is at most a hundred years")
        }
        seconds => Ok(Duration::from_secs(seconds)),
    }
}
