//! The time at which a request ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::claims::NumericDate;
use crate::clock::{Clock, SystemClock};
use crate::rejection::{Rejection, RejectionKind};
use crate::verify::VerifiedToken;

/// The clock is read again at least this often, since a timer does not advance while the machine is suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The timer sleeps at least this long, so that a clock that is slower than the timer does not keep the task busy.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

pub(super) type Timer = Option<Pin<Box<Sleep>>>;

/// When a request ends. The two bodies of the request share it.
#[derive(Clone)]
pub(super) struct Deadline {
    clock: Arc<dyn Clock>,
    at: NumericDate,
    reason: RejectionKind,
    is_request_cut: Arc<AtomicBool>,
}

impl Deadline {
    /// The time from which the verifier of this token refuses it; `None` if the expiry is not known.
    pub(super) fn of<C>(token: &VerifiedToken<C>) -> Option<Self> {
        let (at, reason) = VerifiedToken::end(token)?;
        let clock: Arc<dyn Clock> = match VerifiedToken::rule_context(token) {
            Some(context) => Arc::clone(&context.clock),
            // The clock of a custom verifier is not known.
            None => Arc::new(SystemClock),
        };
        Some(Self { clock, at, reason, is_request_cut: Arc::default() })
    }

    /// The rejection with which the verifier refuses the token after the deadline.
    pub(super) fn rejection(&self) -> Rejection {
        self.reason.into()
    }

    pub(super) fn has_passed(&self) -> bool {
        self.clock.now() >= self.at
    }

    /// Waits until the deadline has passed. The timer is created by the first call.
    pub(super) fn poll_passed(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(left) = self.time_left() {
            let time = left.clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
            let sleep = timer.get_or_insert_with(|| Box::pin(sleep(time)));
            ready!(sleep.as_mut().poll(cx));
            *timer = None;
        }
        Poll::Ready(())
    }

    /// The time until the deadline; `None` if it has passed. The clock is read once.
    fn time_left(&self) -> Option<Duration> {
        let now = self.clock.now();
        if now >= self.at {
            return None;
        }
        let times = now.to_system_time().zip(self.at.to_system_time());
        // Treat a time that the platform cannot represent as far away.
        Some(times.map_or(LONGEST_SLEEP, |(now, at)| at.duration_since(now).unwrap_or_default()))
    }

    /// Records that the body of the request was cut off.
    pub(super) fn cut_request(&self) {
        self.is_request_cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_request_cut(&self) -> bool {
        self.is_request_cut.load(Ordering::Relaxed)
    }
}
