//! The log of failures of the store.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::facts;
use crate::store::StoreError;

/// How often a failure is logged at most. While the store is down, each request is one.
const INTERVAL: Duration = Duration::from_secs(1);

static LOG: AtMost = AtMost(Mutex::new(Past { last: None, left_out: 0 }));

/// Logs that the store failed, at most once a second.
pub(crate) fn store_failed(error: &StoreError) {
    facts::refused("temporarily_unavailable");
    if let Some(left_out) = LOG.count(Instant::now()) {
        tracing::error!(error = error as &dyn Error, left_out, "the store failed");
    }
}

struct AtMost(Mutex<Past>);

struct Past {
    /// When a failure was logged last.
    last: Option<Instant>,
    /// The failures since then.
    left_out: u64,
}

impl AtMost {
    /// The number of failures that were left out, if this one is to be logged.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if past.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            past.left_out = past.left_out.saturating_add(1);
            return None;
        }
        past.last = Some(now);
        Some(std::mem::take(&mut past.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_logged_at_most_once_a_second() {
        let log = AtMost(Mutex::new(Past { last: None, left_out: 0 }));
        let start = Instant::now();
        let after = |milliseconds| log.count(start + Duration::from_millis(milliseconds));
        assert_eq!(after(0), Some(0));
        assert_eq!((after(1), after(999)), (None, None));
        assert_eq!(after(1000), Some(2));
        assert_eq!(after(1500), None);
        assert_eq!(after(3000), Some(1));
    }
}
