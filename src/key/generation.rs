//! The process-wide counter of keys and sets.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that no key and no set of this process has had: what is remembered under it belongs to
/// that key or set alone.
pub(crate) fn next() -> NonZeroU64 {
    let before = LAST.fetch_add(1, Ordering::Relaxed);
    NonZeroU64::MIN.saturating_add(before)
}
