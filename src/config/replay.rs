//! What may be used once only, and how much of it is remembered.

use serde::Deserialize;

use crate::config::place::{At, Place};
use crate::config::values::{Given, Whole};
use crate::config_error::ConfigError;
use crate::replay_store::MemoryReplayStore;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneTimeConfig {
    capacity: Whole,
    #[serde(default)]
    share: Given<Whole>,
}

impl OneTimeConfig {
    pub(super) fn store(&self, place: &Place) -> Result<MemoryReplayStore, ConfigError> {
        let capacity = (place.member("capacity"), Some(self.capacity));
        memory_store(capacity, (place.member("share"), *self.share))
    }
}

/// A store in memory, by two members at their places.
pub(super) fn memory_store(
    (capacity_at, capacity): (Place, Option<Whole>),
    (share_at, share): (Place, Option<Whole>),
) -> Result<MemoryReplayStore, ConfigError> {
    let store = match capacity {
        Some(capacity) => MemoryReplayStore::with_capacity(capacity.as_usize()).at(&capacity_at)?,
        None => MemoryReplayStore::new(),
    };
    match share {
        Some(share) => store.with_share(share.as_usize()).at(&share_at),
        None => Ok(store),
    }
}
