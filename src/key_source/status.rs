use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::key::{JwkSet, SkippedKey};

/// The status of a key source at one moment, for a readiness probe and for the operator.
///
/// # Example: a readiness probe
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
    pub(crate) unconfirmed: bool,
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
    /// Creates the status of a custom source, which is ready if it has keys to look up.
    pub fn new(is_ready: bool) -> Self {
        Self { ready: Some(is_ready), ..Self::default() }
    }

    /// Creates the status of a source that does not know whether it has keys. Such a status is not
    /// [ready](Self::is_ready).
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Replaces the [last error](Self::last_error); none by default.
    #[must_use]
    pub fn with_last_error(mut self, error: impl fmt::Display) -> Self {
        self.last_error = Some(error.to_string().into());
        self
    }

    /// Whether there are usable keys; `false` also when the source
    /// [does not know](Self::is_unknown).
    pub fn is_ready(&self) -> bool {
        self.ready == Some(true)
    }

    /// Adds what a source that holds this set can report about it.
    pub(super) fn describe(&mut self, set: &JwkSet) {
        self.keys = set.len();
        self.kids = set.printable_kids().map(str::to_owned).collect();
        self.skipped = set.skipped().to_vec();
    }

    /// Whether the source does not know if there are usable keys, such as a custom source that does
    /// not implement [`status`](crate::KeySource::status).
    pub fn is_unknown(&self) -> bool {
        self.ready.is_none()
    }

    /// The time since the last successful fetch; `None` before the first one, and for keys that are
    /// not fetched. For keys from a `KeyFile` the time since an earlier process fetched them.
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Whether the keys are no longer fresh; `false` for keys that are not fetched. While the issuer
    /// cannot be reached, such keys stay in use for a limited time, as long as the status
    /// [is ready](Self::is_ready).
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether the keys are initial keys, or keys from a `KeyFile`, and no fetch has succeeded yet. Such keys are also
    /// [stale](Self::is_stale), and the source [is ready](Self::is_ready) as long as they may be used. `false`
    /// for other keys.
    pub fn is_unconfirmed(&self) -> bool {
        self.unconfirmed
    }

    /// How often the fetched set has changed: 1 after the first successful fetch, 0 before it and for
    /// keys that are not fetched. A document that differs in any byte is a change. Each source counts
    /// its own changes, unlike [`KeySource::generation`](crate::KeySource::generation).
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The number of keys in the loaded set, without the [skipped](Self::skipped) ones. 0 before the first
    /// successful fetch unless there are initial keys or keys from a `KeyFile`, for a single [`VerificationKey`](crate::VerificationKey), and in a status from
    /// [`new`](Self::new) or [`unknown`](Self::unknown). A set that is too old to be used is counted too: for
    /// readiness see [`is_ready`](Self::is_ready).
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The `kid` of each [counted](Self::keys) key that has one, without those that are longer than
    /// 128 characters or not printable ASCII.
    pub fn kids(&self) -> &[String] {
        &self.kids
    }

    /// The keys of the set that are not used, with the reasons.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The number of successful fetches since the source was created, whether the set changed or not.
    pub fn fetches_ok(&self) -> u64 {
        self.fetches_ok
    }

    /// The number of failed fetches since the source was created.
    pub fn fetches_failed(&self) -> u64 {
        self.fetches_failed
    }

    /// The time until the next scheduled fetch; zero when that fetch is due, also while it runs. `None` for
    /// keys that are not fetched, and in a status from [`new`](Self::new) or [`unknown`](Self::unknown).
    pub fn next_refresh(&self) -> Option<Duration> {
        self.next_refresh
    }

    /// Why the last fetch failed; `None` when it succeeded, and before the first fetch.
    ///
    /// The text may contain the URLs of the issuer, including a tenant that an
    /// [`IssuerTemplate`](crate::IssuerTemplate) allows. It contains nothing else from a request.
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
            .field("unconfirmed", &self.unconfirmed)
            .field("changes", &self.changes)
            .field("kids", &self.kids)
            .field("fetches_ok", &self.fetches_ok)
            .field("fetches_failed", &self.fetches_failed)
            .field("next_refresh", &self.next_refresh)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}
