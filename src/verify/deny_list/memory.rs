use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::claims::NumericDate;
use crate::clock::{Clock, SystemClock};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::opaque_error::opaque_error;
use crate::verify::deny_list::revocation::{Revocation, RevocationQuery, Revoked};
use crate::verify::deny_list::store::{RevocationLookup, RevocationStore};
use crate::verify::verified_token::VerifiedToken;

/// A deny-list in the memory of this process. It is empty after a restart, and other processes do not see it.
///
/// It is bounded: at most as many entries as [`new`](Self::new) is given, and at most 256 bytes of keys for each of
/// them, on average. If it is full, [`revoke`](Self::revoke) returns an error: an entry is removed at its end, and never
/// to make room for another one. [`Revocation::all_before`] always fits. Clones share their entries.
///
/// # Example: log out
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use tower_jwt_auth::test_util::TestIssuer;
/// use tower_jwt_auth::{DenyList, JwtAuthLayer, MemoryRevocationStore, RevokeError, VerifiedToken};
///
/// async fn log_out(store: MemoryRevocationStore, token: VerifiedToken) -> Result<(), RevokeError> {
///     store.revoke_token(&token)
/// }
///
/// let store = MemoryRevocationStore::new(100_000).unwrap();
/// let layer = JwtAuthLayer::new(DenyList::new(TestIssuer::new().verifier(), store.clone()));
/// # let _ = (log_out, layer);
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryRevocationStore {
    clock: Arc<dyn Clock>,
    max_entries: usize,
    entries: Arc<RwLock<Entries>>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    by_end: BTreeSet<(NumericDate, Arc<str>)>,
    key_bytes: usize,
}

struct Entry {
    effect: Revoked,
    end: NumericDate,
}

impl MemoryRevocationStore {
    const MAX_ENTRIES: usize = 10_000_000;
    /// The average for each entry.
    const MAX_KEY_BYTES: usize = 256;

    /// Creates an empty list for at most this many entries. An entry takes at most 250 bytes, and its key.
    ///
    /// # Errors
    ///
    /// When the number is 0 or greater than 10,000,000.
    pub fn new(max_entries: usize) -> Result<Self, ConfigError> {
        if !(1..=Self::MAX_ENTRIES).contains(&max_entries) {
            let message =
                format!("a deny-list has 1 to {} entries, not {max_entries}", Self::MAX_ENTRIES);
            return Err(ConfigError::new(ConfigErrorKind::Capacity, message));
        }
        Ok(Self { clock: Arc::new(SystemClock), max_entries, entries: Arc::default() })
    }

    /// Replaces the clock by which entries end; the [`SystemClock`] by default.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Adds an entry that ends after this time. For an entry that exists, the later end and the later time of "issued
    /// before" apply.
    ///
    /// Give the longest time for which the verifier accepts a token, with its leeway, if you do not know the expiry of
    /// the tokens: 2 hours, if tokens live one hour.
    ///
    /// # Errors
    ///
    /// When the list is full. The tokens are not revoked then.
    pub fn revoke(&self, revocation: &Revocation, lasts: Duration) -> Result<(), RevokeError> {
        let now = self.clock.now();
        let seconds = lasts.as_secs().saturating_add(u64::from(lasts.subsec_nanos() > 0));
        self.add(revocation, now, now.saturating_add(seconds))
    }

    /// Revokes one token, until its verifier refuses it anyway: see
    /// [`refused_from`](VerifiedToken::refused_from). A verifier with a larger leeway or maximum age accepts it longer:
    /// if services with different settings share the list, use [`revoke`](Self::revoke).
    ///
    /// # Errors
    ///
    /// When the list is full, the token has no `jti`, its expiry is not known, or its claims cannot be read by name.
    pub fn revoke_token<C>(&self, token: &VerifiedToken<C>) -> Result<(), RevokeError> {
        let revocation = Revocation::of(token).ok_or_else(|| {
            RevokeError::new(RevokeErrorKind::NotIdentified, "the token has no `iss` or no `jti`")
        })?;
        let end = VerifiedToken::refused_from(token).ok_or_else(|| {
            RevokeError::new(RevokeErrorKind::NotIdentified, "the expiry of the token is not known")
        })?;
        self.add(&revocation, self.clock.now(), end)
    }

    /// Removes the entry with this key, whatever its time. Returns whether there was one.
    pub fn restore(&self, revocation: &Revocation) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.remove(revocation.key()).is_some()
    }

    /// The number of entries. Entries that have ended are counted until the next [`revoke`](Self::revoke).
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).by_key.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(
        &self,
        revocation: &Revocation,
        now: NumericDate,
        end: NumericDate,
    ) -> Result<(), RevokeError> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.remove_ended(now);
        let (mut effect, mut end) = (revocation.effect(), end);
        match entries.remove(revocation.key()) {
            Some(old) => {
                effect = effect.strictest(old.effect);
                end = end.max(old.end);
            }
            None if revocation.is_of_all() || self.has_room(&entries, revocation) => {}
            None => return Err(RevokeError::new(RevokeErrorKind::Full, "the deny-list is full")),
        }
        entries.insert(revocation.key(), Entry { effect, end });
        Ok(())
    }

    fn has_room(&self, entries: &Entries, revocation: &Revocation) -> bool {
        let key_bytes = entries.key_bytes.saturating_add(revocation.key().len());
        entries.by_key.len() < self.max_entries
            && key_bytes <= self.max_entries.saturating_mul(Self::MAX_KEY_BYTES)
    }
}

impl Entries {
    fn insert(&mut self, key: &str, entry: Entry) {
        let key: Arc<str> = Arc::from(key);
        self.key_bytes = self.key_bytes.saturating_add(key.len());
        self.by_end.insert((entry.end, Arc::clone(&key)));
        self.by_key.insert(key, entry);
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let (key, entry) = self.by_key.remove_entry(key)?;
        self.key_bytes = self.key_bytes.saturating_sub(key.len());
        self.by_end.remove(&(entry.end, key));
        Some(entry)
    }

    fn remove_ended(&mut self, now: NumericDate) {
        while self.by_end.first().is_some_and(|(end, _)| *end <= now) {
            let Some((_, key)) = self.by_end.pop_first() else { break };
            self.by_key.remove(&key);
            self.key_bytes = self.key_bytes.saturating_sub(key.len());
        }
    }
}

impl RevocationStore for MemoryRevocationStore {
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
        let now = self.clock.now();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = query.keys().filter_map(|key| entries.by_key.get(&*key));
        let effects = found.filter(|entry| entry.end > now).map(|entry| entry.effect);
        RevocationLookup::ready(Ok(effects.collect()))
    }
}

impl fmt::Debug for MemoryRevocationStore {
    /// Omits the entries, which can contain personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocationStore")
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}

/// Why a token could not be revoked.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevokeErrorKind {
    /// The list is full.
    Full,
    /// The token cannot be named in the list, or its expiry is not known.
    NotIdentified,
}

/// A token could not be revoked: it is still accepted.
pub struct RevokeError {
    kind: RevokeErrorKind,
    message: std::borrow::Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RevokeError {
    fn new(kind: RevokeErrorKind, message: &'static str) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Why.
    pub fn kind(&self) -> RevokeErrorKind {
        self.kind
    }
}

opaque_error!(RevokeError, kind);
