use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::verify::deny_list::entries::{Entries, Limits};
use crate::verify::deny_list::revocation::{Revocation, RevocationQuery};
use crate::verify::deny_list::revoke_error::{RevokeError, RevokeErrorKind};
use crate::verify::deny_list::store::{RevocationLookup, RevocationStore};
use crate::verify::verified_token::VerifiedToken;

/// A deny-list in the memory of this process. It is empty after a restart, and other processes do not see it.
///
/// It is bounded: at most as many entries as [`new`](Self::new) is given, and at most 256 bytes of keys for each of
/// them, on average. If it is full, [`revoke`](Self::revoke) returns an error: an entry is removed at its end, and
/// never to make room for another one. An eighth is kept for entries that are not a single `jti`, so users who log out
/// cannot prevent an operator from revoking a subject. The single tokens of one subject have a
/// [share](Self::with_share) of the list. [`Revocation::all_before`] always fits. Clones share their entries.
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
    limits: Limits,
    entries: Arc<RwLock<Entries>>,
}

impl MemoryRevocationStore {
    const MAX_ENTRIES: usize = 10_000_000;
    /// How many entries that have ended are removed while requests wait for the lock.
    const REMOVED_IN_A_ROUND: usize = 1000;
    /// How often a call takes the lock, if there is no room and more entries have ended.
    const MAX_ROUNDS: usize = 16;

    /// Creates an empty list for at most this many entries. An entry takes at most 320 bytes, and its key.
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
        let (clock, limits) = (Arc::new(SystemClock), Limits::new(max_entries));
        Ok(Self { clock, limits, entries: Arc::default() })
    }

    /// Replaces how many tokens of one subject can be in the list by [`revoke_token`](Self::revoke_token) or
    /// [`Revocation::of`]; by default a 64th of all entries, but at least 16. So a user who logs in and out all the
    /// time cannot fill the list. All tokens of one issuer that have no `sub` count as those of one subject.
    ///
    /// # Errors
    ///
    /// When the share is 0, or more than all entries.
    pub fn with_share(mut self, share: usize) -> Result<Self, ConfigError> {
        if !(1..=self.limits.entries).contains(&share) {
            let message = format!(
                "the share of one subject must be 1 to {} entries, not {share}",
                self.limits.entries
            );
            return Err(ConfigError::new(ConfigErrorKind::Capacity, message));
        }
        self.limits.share = share;
        Ok(self)
    }

    /// Replaces the clock by which entries end; the [`SystemClock`] by default. It must show the same time as the clock
    /// of the verifiers. An entry for one token lasts a minute longer than any verifier accepts the token, so that a
    /// verification that has begun can end.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Adds an entry, which lasts for this time: see [`Revocation::end`]. For an entry that exists, the later end and
    /// the later time of "issued before" apply.
    ///
    /// Let it last for the lifetime of a token plus twice the leeway of the verifiers. It counts from now, or from the
    /// time of "issued before" if that is later. So an entry for a subject does not last forever.
    ///
    /// # Errors
    ///
    /// When the list is full, or the entry is [`of`](Revocation::of) a token and the share of its subject is full. The
    /// tokens are not revoked then.
    pub fn revoke(&self, revocation: &Revocation, lasts: Duration) -> Result<(), RevokeError> {
        self.add(revocation, lasts)
    }

    /// Revokes one token, until no verifier accepts it, with any leeway: until 6 minutes after its `exp`.
    ///
    /// # Errors
    ///
    /// When the list or the share of the subject is full, the token has no `jti`, its expiry is not known, or its
    /// claims cannot be read by name.
    pub fn revoke_token<C>(&self, token: &VerifiedToken<C>) -> Result<(), RevokeError> {
        match Revocation::of(token) {
            Some(revocation) if revocation.has_end() => self.add(&revocation, Duration::ZERO),
            Some(_) => Err(RevokeError::without_end()),
            None if VerifiedToken::ids(token).is_none() => Err(RevokeError::unreadable()),
            None => Err(RevokeError::new(RevokeErrorKind::NotIdentified)),
        }
    }

    /// Removes the entry with this key, whatever its time. Returns whether there was one.
    pub fn restore(&self, revocation: &Revocation) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.restore(revocation)
    }

    /// The number of entries. Each call of [`revoke`](Self::revoke) removes up to 1000 entries that have ended;
    /// until then they are counted.
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry. The lock is held for a bounded number of removals, so that requests do not wait long.
    fn add(&self, revocation: &Revocation, lasts: Duration) -> Result<(), RevokeError> {
        let now = self.clock.now();
        let end = revocation.end(now, lasts);
        let mut refused = RevokeErrorKind::Full;
        for _ in 0..Self::MAX_ROUNDS {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            let has_more = entries.remove_ended(now, Self::REMOVED_IN_A_ROUND);
            match entries.add(revocation, end, self.limits) {
                Ok(()) => return Ok(()),
                Err(kind) => refused = kind,
            }
            if !has_more {
                break;
            }
        }
        Err(RevokeError::new(refused))
    }
}

impl RevocationStore for MemoryRevocationStore {
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
        let now = self.clock.now();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = query.keys().filter_map(|key| entries.find(&key, now)).collect();
        RevocationLookup::ready(Ok(found))
    }
}

impl fmt::Debug for MemoryRevocationStore {
    /// Omits the entries, which can contain personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocationStore")
            .field("max_entries", &self.limits.entries)
            .field("share", &self.limits.share)
            .finish_non_exhaustive()
    }
}
