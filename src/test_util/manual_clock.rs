use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::claims::NumericDate;
use crate::clock::Clock;

/// A clock that shows the same time until a test changes it. Clones share the time.
///
/// # Example: a token that expires while the test runs
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::test_util::{ManualClock, TestIssuer};
/// use tower_jwt_auth::{NumericDate, RejectionKind};
///
/// let clock = ManualClock::new(NumericDate::from_unix_seconds(1_700_000_000));
/// let issuer = TestIssuer::new().with_clock(clock.clone());
/// let (verifier, token) = (issuer.verifier(), issuer.token().build());
/// assert!(verifier.verify_now(&token).is_ok());
///
/// clock.advance(Duration::from_secs(3600));
/// let rejection = verifier.verify_now(&token).unwrap_err();
/// assert_eq!(rejection.kind(), RejectionKind::ExpiredToken);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<NumericDate>>);

impl ManualClock {
    /// Creates a clock that shows this time.
    pub fn new(now: NumericDate) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock forward; a fraction of a second in `by` is dropped. The clock stops at the
    /// largest time.
    pub fn advance(&self, by: Duration) {
        self.turn(|now| now.saturating_add(by.as_secs()));
    }

    /// Sets the clock to this time, forward or back.
    pub fn set(&self, now: NumericDate) {
        self.turn(|_| now);
    }

    fn turn(&self, to: impl FnOnce(NumericDate) -> NumericDate) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = to(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> NumericDate {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
