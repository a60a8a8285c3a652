use std::time::Duration;

#[cfg(not(feature = "jwks-url"))]
use std::time::Instant;
#[cfg(feature = "jwks-url")]
use tokio::time::Instant;

/// Limits the first fetches that unverified tokens cause: 64 in a row, and one more each second. A fetch is
/// given back when a token of its issuer is verified.
pub(super) struct FirstFetches {
    /// The time at which all fetches are available again.
    full_at: Instant,
}

impl FirstFetches {
    const REFILL: Duration = Duration::from_secs(1);
    /// The time to refill all but one.
    const REFILL_OTHERS: Duration = Duration::from_secs(63);

    pub(super) fn new() -> Self {
        Self { full_at: now() }
    }

    pub(super) fn is_one_left(&self) -> bool {
        self.full_at.saturating_duration_since(now()) <= Self::REFILL_OTHERS
    }

    pub(super) fn take(&mut self) {
        let from = self.full_at.max(now());
        self.full_at = from.checked_add(Self::REFILL).unwrap_or(from);
    }

    pub(super) fn give_back(&mut self) {
        self.full_at = self.full_at.checked_sub(Self::REFILL).unwrap_or(self.full_at);
    }
}

#[allow(clippy::disallowed_methods, reason = "the `Clock` is for tokens, not for fetches")]
fn now() -> Instant {
    Instant::now()
}
