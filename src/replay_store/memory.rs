use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::SeedableRandomState;

use crate::claims::NumericDate;
use crate::clock::{Clock, SystemClock};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::digest::SHA256_LENGTH;
use crate::hash_seed::random_state;
use crate::replay_store::{ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore};

type Digest = [u8; SHA256_LENGTH];

/// A [`ReplayStore`] in memory, for a server that is a single process. Clones share the entries.
///
/// It is bounded: by default it keeps 262,144 entries, of which one owner (a proof key, or the subject of one-time
/// tokens) has at most an eighth. An entry takes about 200 bytes, and memory is taken only as entries come. A full
/// store refuses: the client gets 503, and no entry is evicted before it expires. A server that is restarted has
/// lost its entries; what was used before and has not expired can be used once more.
///
/// Entries expire by the store's own clock, see [`with_clock`](Self::with_clock). If the clock is set back, no use is
/// accepted twice: an entry that ends no later than one that the store has already forgotten is refused, with 503.
///
/// # Example: room for more requests
///
/// ```
/// use tower_jwt_auth::MemoryReplayStore;
///
/// let store = MemoryReplayStore::with_capacity(1_000_000)?.with_share(50_000)?;
/// assert_eq!(store.len(), 0);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MemoryReplayStore {
    capacity: usize,
    share: usize,
    clock: Arc<dyn Clock>,
    uses: Arc<Mutex<Uses>>,
}

impl MemoryReplayStore {
    const CAPACITY: usize = 1 << 18;
    /// More would take 12 GB.
    const MAX_CAPACITY: usize = 1 << 26;
    /// By default, one owner has this part of the capacity.
    const SHARES: usize = 8;

    /// Creates a store for 262,144 entries, of which one owner has at most 32,768.
    ///
    /// An accepted DPoP proof is an entry for about 2 minutes by default. So this is enough for 2100 requests per
    /// second, with 270 of one proof key.
    pub fn new() -> Self {
        Self::of(Self::CAPACITY)
    }

    /// Creates a store for this number of entries, of which one owner has at most an eighth, rounded up.
    ///
    /// # Errors
    ///
    /// When the capacity is not 1 to 67,108,864 entries.
    pub fn with_capacity(capacity: usize) -> Result<Self, ConfigError> {
        match capacity {
            1..=Self::MAX_CAPACITY => Ok(Self::of(capacity)),
            _ => Err(ConfigError::new(
                ConfigErrorKind::Capacity,
                "the capacity of a replay store must be 1 to 67108864 entries",
            )),
        }
    }

    fn of(capacity: usize) -> Self {
        Self {
            capacity,
            share: capacity.div_ceil(Self::SHARES),
            clock: Arc::new(SystemClock),
            uses: Arc::default(),
        }
    }

    /// Replaces how many entries one owner can have; an eighth of the capacity by default. With a share of the whole
    /// capacity, one proof key can fill the store, and all others get 503.
    ///
    /// # Errors
    ///
    /// When the share is 0, or more than the capacity.
    pub fn with_share(mut self, share: usize) -> Result<Self, ConfigError> {
        if !(1..=self.capacity).contains(&share) {
            return Err(ConfigError::new(
                ConfigErrorKind::Capacity,
                "the share of one owner must be 1 entry up to the capacity of the replay store",
            ));
        }
        self.share = share;
        Ok(self)
    }

    /// Replaces the clock by which entries expire; [`SystemClock`] by default. Give it the clock of the verifier that
    /// uses the store: `Dpop::with_clock` changes that of its default store alone.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The number of entries, for a metric. Some of them may have expired.
    pub fn len(&self) -> usize {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryReplayStore {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayStore for MemoryReplayStore {
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        // While the lock is held: a thread that waited for it must not come with an old time.
        let now = self.clock.now();
        let outcome = uses.record(entry, now, self.capacity, self.share);
        drop(uses);
        ReplayCheck::ready(outcome.map_err(Into::into))
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayStore")
            .field("capacity", &self.capacity)
            .field("share", &self.share)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Why the store cannot record a use.
#[derive(Debug)]
enum Refused {
    Full,
    ShareIsFull,
    Expired,
    /// It would be taken for new, although the store may have recorded and forgotten it.
    Forgotten,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the replay store is full",
            Self::ShareIsFull => "the share of one owner in the replay store is full",
            Self::Expired => "the entry has expired by the clock of the replay store",
            Self::Forgotten => {
                "the clock of the replay store was set back to before forgotten entries"
            }
        })
    }
}

impl Error for Refused {}

/// The entries, each under its digest; when they expire; and how many each owner has.
struct Uses {
    entries: HashMap<Digest, Use, SeedableRandomState>,
    /// The next one to expire is at the top. A use that was recorded again has a stale element too.
    by_expiry: BinaryHeap<Reverse<(NumericDate, Digest)>>,
    counts: HashMap<Digest, usize, SeedableRandomState>,
    /// The latest end of an entry that was removed or replaced.
    forgotten: NumericDate,
}

impl Default for Uses {
    fn default() -> Self {
        // With random hash keys: clients choose what is digested.
        Self {
            entries: HashMap::with_hasher(random_state()),
            by_expiry: BinaryHeap::new(),
            counts: HashMap::with_hasher(random_state()),
            forgotten: NumericDate::EPOCH,
        }
    }
}

struct Use {
    expires_at: NumericDate,
    owner: Digest,
}

/// How many expired entries each call removes: more than it adds.
const REMOVED_PER_CALL: usize = 4;

/// How many it removes if there is no room: bounded, since all other requests wait for the lock.
const REMOVED_FOR_ROOM: usize = 1000;

impl Uses {
    fn record(
        &mut self,
        entry: &ReplayEntry,
        now: NumericDate,
        capacity: usize,
        share: usize,
    ) -> Result<ReplayOutcome, Refused> {
        let (digest, owner, expires_at) = (*entry.digest(), *entry.owner(), entry.expires_at());
        if expires_at <= now {
            return Err(Refused::Expired);
        }
        self.remove_expired(now, REMOVED_PER_CALL);
        if expires_at <= self.forgotten {
            return Err(Refused::Forgotten);
        }
        match self.entries.get_mut(&digest) {
            Some(used) if used.expires_at > now => return Ok(ReplayOutcome::SeenBefore),
            // It was not removed yet.
            Some(used) => {
                self.forgotten = self.forgotten.max(used.expires_at);
                used.expires_at = expires_at;
            }
            None => {
                if self.refusal(&owner, capacity, share).is_some() {
                    self.remove_expired(now, REMOVED_FOR_ROOM);
                }
                if let Some(refused) = self.refusal(&owner, capacity, share) {
                    return Err(refused);
                }
                self.entries.insert(digest, Use { expires_at, owner });
                let count = self.counts.entry(owner).or_default();
                *count = count.saturating_add(1);
            }
        }
        self.by_expiry.push(Reverse((expires_at, digest)));
        Ok(ReplayOutcome::FirstUse)
    }

    /// Why there is no room for another entry of this owner.
    fn refusal(&self, owner: &Digest, capacity: usize, share: usize) -> Option<Refused> {
        if self.counts.get(owner).is_some_and(|count| *count >= share) {
            return Some(Refused::ShareIsFull);
        }
        (self.entries.len() >= capacity).then_some(Refused::Full)
    }

    fn remove_expired(&mut self, now: NumericDate, at_most: usize) {
        for _ in 0..at_most {
            let Some(Reverse((expires_at, digest))) = self.by_expiry.peek().copied() else {
                return;
            };
            if expires_at > now {
                return;
            }
            self.by_expiry.pop();
            // Recorded again after it had expired: there is another element for it.
            if self.entries.get(&digest).is_none_or(|used| used.expires_at != expires_at) {
                continue;
            }
            if let Some(used) = self.entries.remove(&digest) {
                self.forgotten = self.forgotten.max(used.expires_at);
                self.forget_one_of(used.owner);
            }
        }
    }

    fn forget_one_of(&mut self, owner: Digest) {
        if let Some(count) = self.counts.get_mut(&owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&owner);
            }
        }
    }
}
