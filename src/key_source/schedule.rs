//! When a set is fetched, and who may ask for it: rules over times, without I/O and without a clock.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fetch::FETCH_TIMEOUT;

/// How long after one unknown `kid` was asked for the next one may be.
pub(super) const COOL_DOWN: Duration = Duration::from_secs(10);
/// The wait after a first failure; it doubles with each one more.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(15);
/// How late a fetch may begin or end before its task counts as stuck.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one warning of failed fetches stands for the next ones too.
const WARNING: Duration = Duration::from_secs(60);

/// The state of one issuer's fetches.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// When the next fetch is due by itself; `None` before there is a task.
    next_at: Option<Instant>,
    /// When an unknown `kid` last asked for a fetch.
    asked_at: Option<Instant>,
    /// The number of the last fetch that somebody asked for.
    wanted: u64,
    /// When that was.
    wanted_at: Option<Instant>,
    /// When the fetch began that is under way.
    begun_at: Option<Instant>,
    started: u64,
    /// The number of the last fetch that succeeded.
    pub(super) succeeded: u64,
    failures_in_a_row: u32,
    warned_at: Option<Instant>,
    pub(super) ok: u64,
    pub(super) failed: u64,
    /// Of the last fetch; `None` when it succeeded.
    pub(super) last_error: Option<Arc<str>>,
}

/// What somebody is told who asks for a key that is not held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Wait for the end of this fetch.
    Wait {
        /// Its number, from 1.
        fetch: u64,
        /// It had begun before, so its answer may be from before too.
        had_begun: bool,
    },
    /// No fetch now: what is known has to do.
    NotNow,
}

impl Schedule {
    /// A `kid` is not held: asks for a fetch, if it may.
    ///
    /// A fetch that is under way or due is waited for, and uses up nothing.
    pub(super) fn ask(&mut self, now: Instant) -> Ask {
        let next = self.started.saturating_add(1);
        if self.begun_at.is_some() {
            return Ask::Wait { fetch: self.started, had_begun: true };
        }
        if !self.is_wanted() && !self.is_due(now) {
            let may_ask = self.asked_at.is_none_or(|at| now >= after(at, COOL_DOWN));
            if !may_ask {
                return Ask::NotNow;
            }
            self.asked_at = Some(now);
            self.demand(now);
        }
        Ask::Wait { fetch: next, had_begun: false }
    }

    /// The operator asks for a fetch that begins after now: its number.
    pub(super) fn demand(&mut self, now: Instant) -> u64 {
        if !self.is_wanted() {
            self.wanted_at = Some(now);
        }
        let next = self.started.saturating_add(1);
        // Somebody may wait for a later one, which was to follow one that was lost.
        self.wanted = self.wanted.max(next);
        next
    }

    /// There is a task: the first fetch is due.
    pub(super) fn start(&mut self, now: Instant) {
        self.next_at.get_or_insert(now);
    }

    /// `None` when a fetch should begin now, else when to look again.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        match self.next_at {
            Some(next_at) if !self.is_wanted() && next_at > now => Some(next_at),
            _ => None,
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.begun_at = Some(now);
        self.started = self.started.saturating_add(1);
    }

    /// The fetch brought a set that is fresh for so long: the next one is due at 80 % of it, or a
    /// little earlier, so that many instances do not all come at once.
    pub(super) fn succeed(&mut self, now: Instant, fresh: Duration) {
        self.begun_at = None;
        self.succeeded = self.started;
        self.failures_in_a_row = 0;
        self.last_error = None;
        self.ok = self.ok.saturating_add(1);
        self.next_at = Some(after(now, jittered(fresh.mul_f64(0.8), 0.1)));
    }

    /// The fetch failed. Answers how many have in a row, when the operator should be told; strangers,
    /// who can make fetches happen, cannot make more lines of a log.
    pub(super) fn fail(&mut self, now: Instant, error: Arc<str>) -> Option<u32> {
        self.begun_at = None;
        let doubled = 1_u32.checked_shl(self.failures_in_a_row).unwrap_or(u32::MAX);
        let retry = FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last_error = Some(error);
        self.failed = self.failed.saturating_add(1);
        self.next_at = Some(after(now, jittered(retry, 0.5)));
        let is_quiet = self.warned_at.is_none_or(|at| now >= after(at, WARNING));
        is_quiet.then(|| {
            self.warned_at = Some(now);
            self.failures_in_a_row
        })
    }

    /// What fetches is gone. By a panic, that fetch has failed; with its runtime, the issuer is not to
    /// blame: whoever waits for it gets another one of the same number, on his own runtime.
    pub(super) fn lose(&mut self, now: Instant, by_panic: bool) {
        match self.begun_at {
            None => {}
            Some(_) if by_panic => drop(self.fail(now, "the fetch was broken off".into())),
            Some(_) => {
                self.begun_at = None;
                self.wanted = self.wanted.max(self.started);
                self.wanted_at = Some(now);
                self.started = self.started.saturating_sub(1);
            }
        }
    }

    /// Whether a fetch should have begun, or ended, a while ago: then its task does not run.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let by = match self.begun_at {
            Some(begun_at) => Some(after(begun_at, FETCH_TIMEOUT)),
            None if self.is_wanted() => self.wanted_at,
            None => self.next_at,
        };
        by.is_some_and(|by| now >= after(by, PATIENCE))
    }

    /// How many fetches have ended.
    pub(super) fn ended(&self) -> u64 {
        self.started.saturating_sub(u64::from(self.begun_at.is_some()))
    }

    /// In how long the next fetch begins by itself.
    pub(super) fn next_refresh(&self, now: Instant) -> Option<Duration> {
        self.next_at.map(|at| at.saturating_duration_since(now))
    }

    /// In how long a fetch may begin, by itself or for the asking.
    pub(super) fn retry_after(&self, now: Instant) -> Duration {
        let by_itself = self.next_refresh(now).unwrap_or_default();
        let by_asking = self
            .asked_at
            .map_or(Duration::ZERO, |at| after(at, COOL_DOWN).saturating_duration_since(now));
        // Whole seconds, rounded up: `Retry-After` has no others.
        let wait = by_itself.min(by_asking);
        Duration::from_secs(wait.as_secs().saturating_add(1))
    }

    fn is_wanted(&self) -> bool {
        self.wanted > self.started
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next_at.is_none_or(|at| at <= now)
    }
}

/// A time this much later, or the same when there is none.
pub(super) fn after(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time)
}

/// The duration, made shorter by up to this part of it.
fn jittered(duration: Duration, part: f64) -> Duration {
    // Every `RandomState` has keys of its own: randomness enough, without a dependency.
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

    /// A schedule whose first fetch has succeeded just now.
    fn fetched(now: Instant) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.begin(now);
        schedule.succeed(now, secs(600));
        schedule
    }

    #[test]
    fn the_next_fetch_is_due_at_eighty_percent_or_a_little_earlier() {
        let now = Instant::now();
        for _ in 0..200 {
            let next = fetched(now).next_refresh(now).unwrap();
            assert!((secs(432)..=secs(480)).contains(&next), "{next:?}");
        }
        assert_ne!(fetched(now).next_refresh(now), fetched(now).next_refresh(now));
    }

    #[test]
    fn retries_back_off_and_stay_below_fifteen_seconds() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        for bound in [1.0, 2.0, 4.0, 8.0, 15.0, 15.0].into_iter().chain([15.0; 100]) {
            schedule.begin(now);
            schedule.fail(now, "no".into());
            let retry = schedule.next_refresh(now).unwrap().as_secs_f64();
            assert!((bound / 2.0..=bound).contains(&retry), "{retry} {bound}");
        }
        schedule.begin(now);
        schedule.succeed(now, secs(600));
        assert_eq!(schedule.failures_in_a_row, 0);
    }

    /// One waits for the fetch after the one under way, which is lost; then another one asks.
    #[test]
    fn v52_who_asks_after_a_loss_takes_no_fetch_from_who_asked_before() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.begin(now);
        assert_eq!(schedule.demand(now), 2);
        schedule.lose(now, false);
        assert_eq!(schedule.demand(now), 1);
        for ended in 1..=2 {
            assert!(schedule.is_wanted(), "{ended}");
            schedule.begin(now);
            schedule.succeed(now, secs(600));
            assert_eq!(schedule.ended(), ended);
        }
        assert!(!schedule.is_wanted());
    }

    #[test]
    fn v49_an_unknown_kid_asks_at_once_and_then_every_ten_seconds() {
        let start = Instant::now();
        let mut schedule = fetched(start);
        let mut asked = Vec::new();
        for second in 0..40 {
            let now = after(start, secs(second));
            if let Ask::Wait { had_begun, .. } = schedule.ask(now) {
                assert!(!had_begun);
                asked.push(second);
                schedule.begin(now);
                schedule.fail(now, "no".into());
                schedule.next_at = Some(after(start, secs(1000)));
            }
        }
        assert_eq!(asked, [0, 10, 20, 30]);
    }

    #[test]
    fn v49_a_fetch_under_way_or_due_uses_up_nothing() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.ask(now), Ask::Wait { fetch: 1, had_begun: false });
        schedule.begin(now);
        assert_eq!(schedule.ask(now), Ask::Wait { fetch: 1, had_begun: true });
        schedule.succeed(now, secs(600));
        assert_eq!(schedule.asked_at, None);
        assert_eq!(schedule.ask(now), Ask::Wait { fetch: 2, had_begun: false });
        assert_eq!(schedule.asked_at, Some(now));
        assert_eq!(schedule.ask(now), Ask::Wait { fetch: 2, had_begun: false });
        schedule.begin(now);
        schedule.succeed(now, secs(600));
        assert_eq!(schedule.ask(now), Ask::NotNow);
    }

    #[test]
    fn the_operator_is_told_once_a_minute() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        let told: Vec<_> = (0..180)
            .filter(|second| schedule.fail(after(start, secs(*second)), "no".into()).is_some())
            .collect();
        assert_eq!(told, [0, 60, 120]);
    }

    #[test]
    fn a_demand_during_a_fetch_is_for_the_next_one() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.begin(now);
        assert_eq!(schedule.demand(now), 2);
        schedule.succeed(now, secs(600));
        assert_eq!(schedule.wait_until(now), None);
        assert_eq!(schedule.ended(), 1);
    }

    #[test]
    fn a_fetch_that_is_lost_is_made_again_and_one_that_panics_has_failed() {
        let now = Instant::now();
        let mut schedule = fetched(now);
        schedule.begin(now);
        schedule.lose(now, false);
        assert_eq!((schedule.ended(), schedule.failed), (1, 0));
        assert_eq!(schedule.wait_until(now), None);
        schedule.begin(now);
        assert_eq!(schedule.ask(now), Ask::Wait { fetch: 2, had_begun: true });
        schedule.lose(now, true);
        assert_eq!((schedule.ended(), schedule.failed, schedule.succeeded), (2, 1, 1));
        // Nothing is under way.
        schedule.lose(now, true);
        assert_eq!(schedule.failed, 1);
    }

    #[test]
    fn a_task_is_stuck_when_a_fetch_is_a_second_late() {
        let start = Instant::now();
        let at = |millis| after(start, Duration::from_millis(millis));
        let stuck_at = |schedule: &Schedule| {
            (0..700_000_u64).step_by(500).find(|millis| schedule.is_stuck(at(*millis)))
        };
        let mut schedule = Schedule::default();
        assert_eq!(stuck_at(&schedule), None);
        schedule.start(start);
        assert_eq!(stuck_at(&schedule), Some(1000));
        schedule.begin(start);
        assert_eq!(stuck_at(&schedule), Some(6000));
        schedule.succeed(start, secs(600));
        assert!(stuck_at(&schedule).is_some_and(|at| (433_000..=481_000).contains(&at)));
        schedule.demand(at(2000));
        schedule.demand(at(4000));
        assert_eq!(stuck_at(&schedule), Some(3000));
        schedule.begin(at(4000));
        schedule.lose(at(5000), false);
        assert_eq!(stuck_at(&schedule), Some(6000));
    }
}
