//! When a set is fetched, and how many fetches an unknown `kid` may start. No I/O.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// The delay after a first failure. It doubles with each further failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(15);
/// The longest `Retry-After` that is respected: before the first set is loaded, and later.
const MAX_PAUSE_AT_START: Duration = Duration::from_secs(20);
const MAX_PAUSE: Duration = Duration::from_secs(5 * 60);
/// How many fetches unknown `kid`s may start at once, and how long it takes until one more is
/// allowed.
const BUCKET: u32 = 3;
const REFILL: Duration = Duration::from_secs(10);
/// At most one warning about failed fetches is logged in this time.
const WARNING: Duration = Duration::from_secs(60);

/// The times of one source's fetches, and their results.
#[derive(Debug)]
pub(super) struct Schedule {
    /// When the next fetch is due.
    next_at: Instant,
    /// The `Retry-After` time of the issuer.
    not_before: Option<Instant>,
    bucket: Bucket,
    is_first_charged: bool,
    failures_in_a_row: u32,
    warned_at: Option<Instant>,
    pub(super) ok: u64,
    pub(super) failed: u64,
    /// The error of the last fetch; `None` when it succeeded.
    pub(super) last_error: Option<Arc<str>>,
}

/// The fetches that unknown `kid`s may still start.
#[derive(Debug)]
struct Bucket {
    left: u32,
    /// When `left` was last updated, as long as the bucket is not full.
    counted_at: Instant,
}

impl Schedule {
    /// A schedule whose first fetch is due.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next_at: now,
            not_before: None,
            bucket: Bucket { left: BUCKET, counted_at: now },
            is_first_charged: false,
            failures_in_a_row: 0,
            warned_at: None,
            ok: 0,
            failed: 0,
            last_error: None,
        }
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next_at
    }

    /// Whether no `Retry-After` forbids a fetch now.
    pub(super) fn is_allowed(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| now >= at)
    }

    /// Takes a fetch for an unknown `kid` out of the bucket; `false` when none is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.is_allowed(now) && self.bucket.take(now)
    }

    /// When [`take`](Self::take) will succeed if no other request takes the fetch.
    pub(super) fn take_at(&self, now: Instant) -> Instant {
        let refilled = self.bucket.next_at(now);
        self.not_before.map_or(refilled, |at| at.max(refilled))
    }

    /// Records a fetched set that is fresh for this long. The next fetch is due at 80 % of that
    /// time or slightly earlier, so that many instances do not fetch at the same time.
    pub(super) fn succeed(&mut self, now: Instant, fresh: Duration) {
        self.failures_in_a_row = 0;
        self.last_error = None;
        self.not_before = None;
        self.ok = self.ok.saturating_add(1);
        self.next_at = after(now, jittered(fresh.mul_f64(0.8), 0.1));
    }

    /// Records a failed fetch; `pause` is the issuer's `Retry-After`. Returns the number of
    /// consecutive failures when the operator should be warned: an untrusted client can cause
    /// fetches, but not log lines.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        error: Arc<str>,
        pause: Option<Duration>,
    ) -> Option<u32> {
        let doubled = 1_u32.checked_shl(self.failures_in_a_row).unwrap_or(u32::MAX);
        let retry = FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY);
        self.next_at = after(now, jittered(retry, 0.5));
        let max_pause = if self.ok == 0 { MAX_PAUSE_AT_START } else { MAX_PAUSE };
        self.not_before = pause.map(|pause| after(now, pause.min(max_pause)));
        if let Some(at) = self.not_before {
            self.next_at = self.next_at.max(at);
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last_error = Some(error);
        self.failed = self.failed.saturating_add(1);
        let is_quiet = self.warned_at.is_none_or(|at| now >= after(at, WARNING));
        is_quiet.then(|| {
            self.warned_at = Some(now);
            self.failures_in_a_row
        })
    }

    /// Records that the runtime of the fetch shut down. The issuer did not cause it, so a fetch is
    /// due now.
    pub(super) fn lose(&mut self, now: Instant) {
        self.next_at = now;
    }

    /// Counts the first fetch as one for an unknown `kid`, if a request waited for it and the set
    /// does not have its `kid`.
    pub(super) fn charge_first(&mut self, now: Instant) {
        if self.ok == 1 && !self.is_first_charged {
            self.is_first_charged = true;
            self.bucket.take(now);
        }
    }

    /// The time until a fetch may start, by the schedule or for an unknown `kid`.
    pub(super) fn retry_after(&self, now: Instant) -> Duration {
        let wait = self.next_at.min(self.take_at(now)).saturating_duration_since(now);
        // Rounded up to whole seconds, as `Retry-After` needs them.
        Duration::from_secs(wait.as_secs().saturating_add(1))
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        while self.left < BUCKET && now >= after(self.counted_at, REFILL) {
            self.left = self.left.saturating_add(1);
            self.counted_at = after(self.counted_at, REFILL);
        }
        if self.left == BUCKET {
            self.counted_at = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn next_at(&self, now: Instant) -> Instant {
        if self.left > 0 { now } else { after(self.counted_at, REFILL).max(now) }
    }
}

/// The time this much later, or the same time if it cannot be represented.
pub(super) fn after(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time)
}

/// The duration, shortened at random by up to this fraction of it.
fn jittered(duration: Duration, part: f64) -> Duration {
    // Each `RandomState` has new random keys, so no other dependency is needed.
    let random = RandomState::new().build_hasher().finish();
    let share = f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    duration.mul_f64(1.0 - part * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A schedule whose first fetch has just succeeded.
    fn fetched(now: Instant) -> Schedule {
        let mut schedule = Schedule::new(now);
        schedule.succeed(now, secs(600));
        schedule
    }

    fn in_seconds(schedule: &Schedule, now: Instant) -> f64 {
        (schedule.next_at() - now).as_secs_f64()
    }

    #[test]
    fn the_next_fetch_is_due_at_eighty_percent_or_a_little_earlier() {
        let now = Instant::now();
        for _ in 0..200 {
            let next = in_seconds(&fetched(now), now);
            assert!((432.0..=480.0).contains(&next), "{next:?}");
        }
        assert_ne!(fetched(now).next_at(), fetched(now).next_at());
    }

    #[test]
    fn retries_back_off_and_stay_below_fifteen_seconds() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        for bound in [1.0, 2.0, 4.0, 8.0, 15.0, 15.0].into_iter().chain([15.0; 100]) {
            schedule.fail(now, "no".into(), None);
            let retry = in_seconds(&schedule, now);
            assert!((bound / 2.0..=bound).contains(&retry), "{retry} {bound}");
        }
        schedule.succeed(now, secs(600));
        assert_eq!(schedule.failures_in_a_row, 0);
    }

    #[test]
    fn unknown_kids_get_three_fetches_and_then_one_in_ten_seconds() {
        let start = Instant::now();
        let mut schedule = fetched(start);
        let mut taken = Vec::new();
        for second in 100..140 {
            for _ in 0..5 {
                if schedule.take(after(start, secs(second))) {
                    taken.push(second);
                }
            }
        }
        assert_eq!(taken, [100, 100, 100, 110, 120, 130]);
        let now = after(start, secs(139));
        assert_eq!(schedule.take_at(now), after(start, secs(140)));
        // An idle time fills the bucket, but not beyond its capacity.
        let later = after(start, secs(1000));
        assert_eq!((0..10).filter(|_| schedule.take(later)).count(), 3);
        assert_eq!(schedule.take_at(later), after(start, secs(1010)));
    }

    #[test]
    fn the_first_fetch_is_charged_once_if_it_was_for_an_unknown_kid() {
        let now = Instant::now();
        let mut schedule = fetched(now);
        schedule.charge_first(now);
        schedule.charge_first(now);
        assert_eq!((0..10).filter(|_| schedule.take(now)).count(), 2);
        let mut second = fetched(now);
        second.succeed(now, secs(600));
        second.charge_first(now);
        assert_eq!((0..10).filter(|_| second.take(now)).count(), 3);
    }

    #[test]
    fn the_operator_is_told_once_a_minute() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let told: Vec<_> = (0..180)
            .filter(|second| schedule.fail(after(start, secs(*second)), "".into(), None).is_some())
            .collect();
        assert_eq!(told, [0, 60, 120]);
    }

    #[test]
    fn retry_after_of_the_issuer_delays_whatever_asks_for_a_fetch_within_bounds() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        for (loaded, asked, waits) in
            [(false, 7, 7), (false, 3600, 20), (true, 60, 60), (true, 3600, 300)]
        {
            if loaded {
                schedule.succeed(now, secs(600));
            }
            schedule.failures_in_a_row = 0;
            schedule.fail(now, "429".into(), Some(secs(asked)));
            assert_eq!(schedule.next_at(), after(now, secs(waits)), "{asked}");
            assert!(!schedule.take(after(now, secs(waits - 1))));
            assert_eq!(schedule.retry_after(now), secs(waits + 1));
        }
        assert!(schedule.take(after(now, secs(300))));
        // A short pause does not shorten the back-off, and the next failure forgets it.
        schedule.failures_in_a_row = 10;
        schedule.fail(now, "429".into(), Some(secs(1)));
        assert!(in_seconds(&schedule, now) > 7.0);
        schedule.fail(now, "500".into(), None);
        assert!(schedule.is_allowed(now));
    }
}
