//! The process-wide counter of keys and sets.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns a number that no other key or set of this process has. What is cached under it belongs
/// to one key or set only.
pub(crate) fn next() -> NonZeroU64 {
    let before = LAST.fetch_add(1, Ordering::Relaxed);
    NonZeroU64::MIN.saturating_add(before)
}
