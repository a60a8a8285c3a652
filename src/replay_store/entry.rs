use std::fmt;
use std::time::Duration;

use crate::claims::NumericDate;
use crate::crypto::digest::{SHA256_LENGTH, sha256};

/// A single use, for a [`ReplayStore`](crate::ReplayStore) to record: what is used, who uses it, and until when the
/// store must remember it.
///
/// # Example: a test of a custom store
///
/// ```
/// use tower_jwt_auth::{MemoryReplayStore, NumericDate, ReplayEntry, ReplayOutcome, ReplayStore};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let until = NumericDate::from_unix_seconds(4_000_000_000);
/// let entry = ReplayEntry::new("test", "owner", &["value"], until);
/// let store = MemoryReplayStore::new();
/// assert_eq!(store.record(&entry).wait().await?, ReplayOutcome::FirstUse);
/// assert_eq!(store.record(&entry).wait().await?, ReplayOutcome::SeenBefore);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ReplayEntry {
    digest: [u8; SHA256_LENGTH],
    owner: [u8; SHA256_LENGTH],
    expires_at: NumericDate,
}

impl ReplayEntry {
    /// Creates an entry. The purpose keeps apart what has nothing to do with each other. The owner is who chooses the
    /// values, such as a proof key (a client can have several) or the subject of a token. The values together name what
    /// is used. Two entries are the same use if purpose, owner and all values are equal.
    pub fn new(purpose: &str, owner: &str, values: &[&str], expires_at: NumericDate) -> Self {
        let owner = hash([purpose, owner]);
        let mut digest = hash(values.iter().copied());
        digest = sha256(&[&owner, &digest]);
        Self { digest, owner, expires_at }
    }

    /// The digest of all that names the use (SHA-256): the key in the store.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The digest of purpose and owner (SHA-256), to limit how many entries one owner can have.
    pub fn owner(&self) -> &[u8; 32] {
        &self.owner
    }

    /// Until when the store must remember the use, by the clock of the verifier that records it. What is used has
    /// expired then, also for an instance whose clock is behind by the verifier's leeway.
    pub fn expires_at(&self) -> NumericDate {
        self.expires_at
    }

    /// How long the store must remember the use, from this time on; `None` if that time is over. It is for databases that
    /// take a lifetime, such as `PX` of Redis: round it up. Their own clock then does not matter.
    pub fn remaining(&self, now: NumericDate) -> Option<Duration> {
        let (end, now) = (self.expires_at.to_system_time()?, now.to_system_time()?);
        end.duration_since(now).ok().filter(|remaining| !remaining.is_zero())
    }
}

impl fmt::Debug for ReplayEntry {
    /// Shows only the time: the digests identify a client.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayEntry").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The digest of several texts. Each has its length before it, so that they cannot run into each other.
fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> [u8; SHA256_LENGTH] {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(&text.len().to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    sha256(&[&bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(purpose: &str, owner: &str, values: &[&str]) -> ReplayEntry {
        ReplayEntry::new(purpose, owner, values, NumericDate::EPOCH)
    }

    #[test]
    fn entries_with_the_same_texts_are_the_same_use() {
        let (one, other) = (entry("a", "b", &["c", "d"]), entry("a", "b", &["c", "d"]));
        assert_eq!((one.digest(), one.owner()), (other.digest(), other.owner()));
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let all = [
            entry("a", "b", &["c", "d"]),
            entry("a", "b", &["cd"]),
            entry("a", "b", &["cd", ""]),
            entry("a", "b", &["", "cd"]),
            entry("a", "bc", &["d"]),
            entry("ab", "", &["c", "d"]),
            entry("ab", "c", &["d"]),
            entry("", "ab", &["c", "d"]),
            entry("a", "b", &[]),
        ];
        for (n, one) in all.iter().enumerate() {
            for other in all.iter().skip(n + 1) {
                assert_ne!(one.digest(), other.digest());
            }
        }
    }

    #[test]
    fn remaining_time_ends_with_the_entry() {
        let at = NumericDate::from_unix_seconds;
        let entry = ReplayEntry::new("a", "b", &["c"], at(1000));
        assert_eq!(entry.remaining(at(970)), Some(Duration::from_secs(30)));
        assert_eq!(
            entry.remaining(NumericDate::new(999, 1)),
            Some(Duration::from_nanos(999_999_999))
        );
        for now in [at(1000), at(1001), at(i64::MAX)] {
            assert_eq!(entry.remaining(now), None);
        }
        let endless = ReplayEntry::new("a", "b", &["c"], at(i64::MAX));
        assert!(endless.remaining(at(0)).is_some());
    }

    #[test]
    fn owner_is_that_of_one_purpose() {
        assert_eq!(entry("a", "b", &["c"]).owner(), entry("a", "b", &["d"]).owner());
        assert_ne!(entry("a", "b", &["c"]).owner(), entry("x", "b", &["c"]).owner());
    }
}
