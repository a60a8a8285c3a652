use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::token::Limits;

/// The size of a cache.
#[derive(Clone, Copy, Debug)]
pub(in crate::verify) struct Settings {
    /// In tokens; 0 without a cache.
    capacity: usize,
    /// Of a token, in bytes. A longer one is not kept.
    max_length: usize,
}

impl Settings {
    /// More would take 80 GB.
    const MAX_CAPACITY: usize = 1 << 24;
    const MIN_LENGTH: usize = 128;
    /// What each token counts at least, in bytes. So the capacity bounds both the number of tokens and their
    /// bytes.
    pub(super) const SLOT: u64 = 5120;

    pub(in crate::verify) fn with_capacity(self, capacity: usize) -> Result<Self, ConfigError> {
        match capacity {
            1..=Self::MAX_CAPACITY => Ok(Self { capacity, ..self }),
            _ => Err(ConfigError::new(
                ConfigErrorKind::Capacity,
                "the capacity of a token cache must be 1 to 16777216 tokens",
            )),
        }
    }

    pub(in crate::verify) fn with_max_length(self, bytes: usize) -> Result<Self, ConfigError> {
        match (Self::MIN_LENGTH..=Limits::LARGEST.token).contains(&bytes) {
            true => Ok(Self { max_length: bytes, ..self }),
            false => Err(ConfigError::new(
                ConfigErrorKind::Length,
                "the maximum length of a token in the cache must be 128 to 65536 bytes",
            )),
        }
    }

    pub(super) fn capacity(self) -> usize {
        self.capacity
    }

    pub(super) fn max_length(self) -> usize {
        self.max_length
    }

    /// What a token of this length counts: its text, its claims, the JSON and the scopes that a rule decodes, and
    /// the entry.
    pub(super) fn weight(length: usize) -> u64 {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        length.saturating_mul(4).saturating_add(1024).max(Self::SLOT)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { capacity: 0, max_length: 4096 }
    }
}
