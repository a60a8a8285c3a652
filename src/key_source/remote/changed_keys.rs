use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::claims::NumericDate;
use crate::key::JwkSet;

/// A set of keys that was fetched and accepted, for the closure that
/// [`JwksUrl::on_changed_keys`](crate::JwksUrl::on_changed_keys) is given. It contains public keys only.
#[derive(Clone)]
pub struct ChangedKeys {
    source: String,
    json: Bytes,
    keys: JwkSet,
    fetched_at: NumericDate,
}

impl ChangedKeys {
    pub(super) fn new(source: &str, json: Bytes, keys: JwkSet, since_epoch: Duration) -> Self {
        let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        let fetched_at = NumericDate::from_unix_seconds(seconds);
        Self { source: source.to_owned(), json, keys, fetched_at }
    }

    /// The name of the source: the URL of the set without its query, or the issuer whose metadata name that URL.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The JWK set as the issuer sent it: a JSON object, of at most 256 KiB, with all members and with the keys that are
    /// not used. A byte order mark at its start is left out.
    pub fn json(&self) -> &str {
        // It was read as JSON, so it is UTF-8.
        std::str::from_utf8(&self.json).unwrap_or_default()
    }

    /// The keys of the set that are used.
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }

    /// The time by the system clock at which the set was fetched, in whole seconds.
    pub fn fetched_at(&self) -> NumericDate {
        self.fetched_at
    }
}

impl fmt::Debug for ChangedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangedKeys")
            .field("source", &self.source)
            .field("keys", &self.keys)
            .field("fetched_at", &self.fetched_at)
            .finish_non_exhaustive()
    }
}
