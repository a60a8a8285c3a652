use std::fmt;
use std::sync::Arc;
#[cfg(feature = "jwks-url")]
use std::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::claims::NumericDate;

/// A source of the current time, with which the times in a token are compared: `exp`, `nbf` and
/// `iat`, and `auth_time` by [`Rule::max_age`](crate::Rule::max_age).
///
/// The default is [`SystemClock`]; [`JwtVerifier::with_clock`](crate::JwtVerifier::with_clock)
/// replaces it. A verifier reads its clock after it has checked the signature or found the token in
/// its cache. `Rule::max_age` reads the verifier's clock again. The
/// age of fetched keys does not depend on this clock. A `TokenIssuer` (feature `issuer`) has its own
/// clock, for the `iat` and `exp` that it writes.
///
/// # Example: a clock that an application sets
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use std::sync::Arc;
/// use tower_jwt_auth::{Algorithm, Clock, JwtVerifier, NumericDate, VerificationKey};
///
/// #[derive(Clone, Debug)]
/// struct Simulated(Arc<AtomicI64>);
///
/// impl Clock for Simulated {
///     fn now(&self) -> NumericDate {
///         NumericDate::from_unix_seconds(self.0.load(Ordering::Relaxed))
///     }
/// }
///
/// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let clock = Simulated(Arc::new(AtomicI64::new(1_700_000_000)));
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
///     .with_clock(clock.clone());
/// clock.0.store(1_800_000_000, Ordering::Relaxed);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> NumericDate;

    /// Returns a time that is at most ten seconds before [`now`](Self::now), and never after it, if such a time costs
    /// less; `None` by default.
    ///
    /// It is used only where the current time would decide the same: for a token that is valid at both ends of those
    /// ten seconds. Otherwise `now` is read too. [`SystemClock`] has one on Linux, with feature `token-cache`: the time
    /// of the kernel's last tick, usually a few milliseconds ago.
    ///
    /// The bound must hold whenever the method returns, also after the clock was set and after the process stood still.
    /// A time that is further behind accepts expired tokens; one that is ahead accepts tokens before their time. Return
    /// `None` if in doubt: a time that a background task stores is only as good as that task. A clock that wraps
    /// another and shifts its time must shift both.
    fn recent(&self) -> Option<NumericDate> {
        None
    }
}

impl<K: Clock + ?Sized> Clock for Arc<K> {
    fn now(&self) -> NumericDate {
        (**self).now()
    }

    fn recent(&self) -> Option<NumericDate> {
        (**self).recent()
    }
}

/// Where the current time is, relative to a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "token-cache"), allow(dead_code, reason = "read by a cache alone"))]
pub(crate) enum Position {
    Before,
    Within,
    After,
}

/// The latest time that it can be now, by a [recent](Clock::recent) time.
pub(crate) fn latest_now(recent: NumericDate) -> NumericDate {
    recent.saturating_add(10)
}

impl Position {
    /// The period begins at `from`, and ends before `until`.
    #[inline]
    pub(crate) fn of(clock: &dyn Clock, from: NumericDate, until: NumericDate) -> Self {
        let is_within = |recent: NumericDate| from <= recent && latest_now(recent) < until;
        if clock.recent().is_some_and(is_within) {
            return Self::Within;
        }
        let now = clock.now();
        match () {
            () if now < from => Self::Before,
            () if now < until => Self::Within,
            () => Self::After,
        }
    }
}

/// The clock of the operating system: the default.
///
/// The times count from 1970 in UTC, as in a token (RFC 7519 section 2).
#[allow(clippy::exhaustive_structs, reason = "there is nothing to add")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The system's time; a time before 1970 counts as 1970.
    fn now(&self) -> NumericDate {
        system_time().duration_since(UNIX_EPOCH).map_or(NumericDate::EPOCH, |since| {
            let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            NumericDate::new(seconds, since.subsec_nanos())
        })
    }

    #[cfg(all(feature = "token-cache", target_os = "linux"))]
    #[inline]
    fn recent(&self) -> Option<NumericDate> {
        use rustix::time::{ClockId, DynamicClockId, clock_gettime_dynamic};

        // An error, as from a filter of system calls, is no reason to panic.
        let tick = clock_gettime_dynamic(DynamicClockId::Known(ClockId::RealtimeCoarse)).ok()?;
        let nanos = u32::try_from(tick.tv_nsec).ok()?;
        (tick.tv_sec >= 0).then(|| NumericDate::new(tick.tv_sec, nanos))
    }
}

/// The time since 1970 according to the system clock. Unlike a monotonic clock, it continues while
/// the machine is suspended.
#[cfg(feature = "jwks-url")]
pub(crate) fn since_epoch() -> Duration {
    system_time().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The current time for measuring durations. The application's [`Clock`] is not used for that,
/// since it may stand still.
#[allow(clippy::disallowed_methods, reason = "durations are not a matter of the `Clock`")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

/// A clock that always returns the same time, for tests and for checking a token as of another
/// time.
#[allow(clippy::exhaustive_structs, reason = "a wrapper: it is the time that it tells")]
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub NumericDate);

impl Clock for FixedClock {
    fn now(&self) -> NumericDate {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_time_is_at_most_ten_seconds_behind_the_current_one_and_never_after_it() {
        let is_expected = cfg!(all(feature = "token-cache", target_os = "linux"));
        for _ in 0..100_000 {
            // Whatever happens between the two, the time was read after `before`.
            let before = SystemClock.now();
            let recent = SystemClock.recent();
            assert_eq!(recent.is_some(), is_expected);
            if let Some(recent) = recent {
                assert!(before < latest_now(recent) && recent <= SystemClock.now());
            }
        }
    }
}
