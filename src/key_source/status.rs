use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::key::{JwkSet, SkippedKey};

/// What a source of keys knows of itself, at one moment: for a readiness probe and for the operator.
///
/// # Example: a line for a probe
///
/// ```
/// use tower_jwt_auth::{Algorithm, KeySource, VerificationKey};
///
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
/// let status = key.status();
/// assert!(status.is_ready());
/// assert_eq!((status.fetches_ok(), status.fetches_failed()), (0, 0));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct KeyStatus {
    /// `None` when the source does not know.
    pub(crate) ready: Option<bool>,
    pub(crate) age: Option<Duration>,
    pub(crate) stale: bool,
    pub(crate) changes: u64,
    pub(crate) keys: usize,
    pub(crate) kids: Vec<String>,
    pub(crate) skipped: Vec<SkippedKey>,
    pub(crate) fetches_ok: u64,
    pub(crate) fetches_failed: u64,
    pub(crate) next_refresh: Option<Duration>,
    pub(crate) last_error: Option<Arc<str>>,
}

impl KeyStatus {
    /// The status of a custom source: whether it can look keys up.
    pub fn new(is_ready: bool) -> Self {
        Self { ready: Some(is_ready), ..Self::default() }
    }

    /// The status of a source that does not know whether it can look keys up. It is not
    /// [ready](Self::is_ready).
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Replaces the last error; none by default.
    #[must_use]
    pub fn with_last_error(mut self, error: impl fmt::Display) -> Self {
        self.last_error = Some(error.to_string().into());
        self
    }

    /// Whether there are keys that may be used; `false` also when the source
    /// [does not know](Self::is_unknown).
    pub fn is_ready(&self) -> bool {
        self.ready == Some(true)
    }

    /// Adds what a source that holds this set can tell of it.
    pub(super) fn describe(&mut self, set: &JwkSet) {
        self.keys = set.len();
        self.kids = set.printable_kids().map(str::to_owned).collect();
        self.skipped = set.skipped().to_vec();
    }

    /// Whether the source does not know if there are keys that may be used: a custom source without
    /// a [`status`](crate::KeySource::status) of its own.
    pub fn is_unknown(&self) -> bool {
        self.ready.is_none()
    }

    /// How long ago the keys were last confirmed by their issuer; `None` when they never were, or do
    /// not come from one.
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Whether the keys are older than their issuer said that they are good for, and serve on
    /// because it cannot be reached.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// How often the set has changed; the first one that was fetched is 1. It is a count of this
    /// source, unlike [`KeySource::generation`](crate::KeySource::generation).
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many keys are held.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The `kid` of each key that has one and whose `kid` is at most 128 characters of printable
    /// ASCII.
    pub fn kids(&self) -> &[String] {
        &self.kids
    }

    /// The keys of the set that are not used, with the reasons.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// How many fetches succeeded, with a new set or the same one.
    pub fn fetches_ok(&self) -> u64 {
        self.fetches_ok
    }

    /// How many fetches failed.
    pub fn fetches_failed(&self) -> u64 {
        self.fetches_failed
    }

    /// In how long the next fetch is due if nobody asks for one before; `None` when none is.
    pub fn next_refresh(&self) -> Option<Duration> {
        self.next_refresh
    }

    /// Why the last fetch failed; `None` when it succeeded. It may name the URLs of the issuer: a
    /// tenant that an [`IssuerTemplate`](crate::IssuerTemplate) allows stands in them. It holds
    /// nothing else that came with a request.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

impl fmt::Debug for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStatus")
            .field("ready", &self.ready)
            .field("age", &self.age)
            .field("stale", &self.stale)
            .field("changes", &self.changes)
            .field("kids", &self.kids)
            .field("fetches_ok", &self.fetches_ok)
            .field("fetches_failed", &self.fetches_failed)
            .field("next_refresh", &self.next_refresh)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}
