use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::claims::NumericDate;
use crate::verify::deny_list::revocation::{Revocation, Revoked};
use crate::verify::deny_list::revoke_error::RevokeErrorKind;

/// How much fits into a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) entries: usize,
    /// How many tokens of one subject.
    pub(super) share: usize,
}

impl Limits {
    /// The average for each entry.
    const KEY_BYTES: usize = 256;

    pub(super) fn new(entries: usize) -> Self {
        // A short list is for tests, so it is not divided.
        Self { entries, share: entries.div_ceil(64).max(entries.min(16)) }
    }

    /// Whether these numbers fit, of entries and of the bytes of their keys.
    fn admit(self, size: Size, is_of_one_token: bool) -> bool {
        // For entries that are not single tokens, which users cause by logging out.
        let reserve = if is_of_one_token { self.entries / 8 } else { 0 };
        let entries = self.entries.saturating_sub(reserve);
        size.entries <= entries && size.key_bytes <= entries.saturating_mul(Self::KEY_BYTES)
    }
}

#[derive(Clone, Copy, Default)]
struct Size {
    entries: usize,
    key_bytes: usize,
}

impl Size {
    fn add(&mut self, key: &str) {
        self.entries = self.entries.saturating_add(1);
        self.key_bytes = self.key_bytes.saturating_add(key.len());
    }

    fn subtract(&mut self, key: &str) {
        self.entries = self.entries.saturating_sub(1);
        self.key_bytes = self.key_bytes.saturating_sub(key.len());
    }

    fn with(mut self, key: &str) -> Self {
        self.add(key);
        self
    }
}

/// The entries of a list in memory.
#[derive(Default)]
pub(super) struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    by_end: BTreeSet<(NumericDate, Arc<str>)>,
    all: Size,
    tokens: Size,
    /// How many tokens each owner has, by the hash of the owner.
    by_owner: HashMap<u64, usize>,
    owners: RandomState,
}

struct Entry {
    effect: Revoked,
    end: NumericDate,
    is_of_one_token: bool,
    owner: Option<u64>,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// What the entry with this key says, if it has not ended.
    pub(super) fn find(&self, key: &str, now: NumericDate) -> Option<Revoked> {
        self.by_key.get(key).filter(|entry| entry.end > now).map(|entry| entry.effect)
    }

    /// Adds an entry, or merges it with the one that has its key.
    pub(super) fn add(
        &mut self,
        revocation: &Revocation,
        end: NumericDate,
        limits: Limits,
    ) -> Result<(), RevokeErrorKind> {
        let mut entry = Entry {
            effect: revocation.effect(),
            end,
            is_of_one_token: revocation.is_of_one_token(),
            owner: revocation.owner().map(|owner| self.owners.hash_one(owner)),
        };
        let key = revocation.key();
        match self.remove(key) {
            Some(old) => {
                entry.effect = entry.effect.strictest(old.effect);
                entry.end = entry.end.max(old.end);
                entry.owner = old.owner;
            }
            None if revocation.is_of_all() => {}
            None => self.check_room(key, &entry, limits)?,
        }
        self.insert(key, entry);
        Ok(())
    }

    fn check_room(&self, key: &str, entry: &Entry, limits: Limits) -> Result<(), RevokeErrorKind> {
        let count = entry.owner.and_then(|owner| self.by_owner.get(&owner));
        if count.is_some_and(|count| *count >= limits.share) {
            return Err(RevokeErrorKind::ShareFull);
        }
        let has_room = limits.admit(self.all.with(key), false)
            && (!entry.is_of_one_token || limits.admit(self.tokens.with(key), true));
        has_room.then_some(()).ok_or(RevokeErrorKind::Full)
    }

    fn insert(&mut self, key: &str, entry: Entry) {
        let key: Arc<str> = Arc::from(key);
        self.all.add(&key);
        if entry.is_of_one_token {
            self.tokens.add(&key);
        }
        if let Some(owner) = entry.owner {
            let count = self.by_owner.entry(owner).or_default();
            *count = count.saturating_add(1);
        }
        self.by_end.insert((entry.end, Arc::clone(&key)));
        self.by_key.insert(key, entry);
    }

    pub(super) fn restore(&mut self, revocation: &Revocation) -> bool {
        self.remove(revocation.key()).is_some()
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let (key, entry) = self.by_key.remove_entry(key)?;
        self.all.subtract(&key);
        if entry.is_of_one_token {
            self.tokens.subtract(&key);
        }
        if let Some(owner) = entry.owner {
            let count = self.by_owner.entry(owner).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_owner.remove(&owner);
            }
        }
        self.by_end.remove(&(entry.end, key));
        Some(entry)
    }

    /// Removes at most this many of the entries that have ended. Returns whether there are more.
    pub(super) fn remove_ended(&mut self, now: NumericDate, at_most: usize) -> bool {
        for _ in 0..at_most {
            let first = self.by_end.first().filter(|(end, _)| *end <= now);
            let Some(key) = first.map(|(_, key)| Arc::clone(key)) else { return false };
            self.remove(&key);
        }
        self.by_end.first().is_some_and(|(end, _)| *end <= now)
    }
}
