//! The time at which a request ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::claims::NumericDate;
use crate::clock::{Clock, SystemClock};
use crate::verify::VerifiedToken;

/// The clock is read again at least this often: a timer does not advance while the machine is suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A clock that is slower than the timer does not keep the task busy.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

pub(super) type Timer = Option<Pin<Box<Sleep>>>;

/// When a request ends. The two bodies of the request share it.
#[derive(Clone)]
pub(super) struct Deadline {
    clock: Arc<dyn Clock>,
    at: NumericDate,
    is_request_cut: Arc<AtomicBool>,
}

impl Deadline {
    /// The time from which the verifier of this token refuses it; `None` if the expiry is not known.
    pub(super) fn of<C>(token: &VerifiedToken<C>) -> Option<Self> {
        let expires_at = token.expires_at()?;
        let (clock, leeway): (Arc<dyn Clock>, u64) = match VerifiedToken::rule_context(token) {
            Some(context) => (Arc::clone(&context.clock), context.leeway),
            // A custom verifier has no leeway that is known.
            None => (Arc::new(SystemClock), 0),
        };
        Some(Self { clock, at: expires_at.saturating_add(leeway), is_request_cut: Arc::default() })
    }

    pub(super) fn has_passed(&self) -> bool {
        self.clock.now() >= self.at
    }

    /// Waits until the deadline has passed. The timer is created by the first call.
    pub(super) fn poll_passed(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
        while !self.has_passed() {
            let sleep = timer.get_or_insert_with(|| Box::pin(sleep(self.time_to_sleep())));
            ready!(sleep.as_mut().poll(cx));
            *timer = None;
        }
        Poll::Ready(())
    }

    fn time_to_sleep(&self) -> Duration {
        let (now, at) = (self.clock.now().to_system_time(), self.at.to_system_time());
        let rest = now.zip(at).and_then(|(now, at)| at.duration_since(now).ok());
        rest.unwrap_or(LONGEST_SLEEP).clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
    }

    /// Records that the body of the request was cut off.
    pub(super) fn cut_request(&self) {
        self.is_request_cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_request_cut(&self) -> bool {
        self.is_request_cut.load(Ordering::Relaxed)
    }
}
