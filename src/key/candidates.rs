use std::fmt;
use std::num::NonZeroU64;

use crate::key::verification_key::VerificationKey;

/// The few keys that may have signed a token, in the order in which they are tried.
///
/// `KeyCandidates::default()` has no keys. The keys are stored inline, without an allocation, and
/// are cheap to clone.
///
/// # Example: keys beyond the limit are dropped
///
/// ```
/// use tower_jwt_auth::{Algorithm, KeyCandidates, VerificationKey};
///
/// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let candidates: KeyCandidates = std::iter::repeat_n(key, 10).collect();
/// assert_eq!(candidates.iter().count(), KeyCandidates::MAX);
/// assert!(KeyCandidates::default().is_empty());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct KeyCandidates {
    keys: [Option<VerificationKey>; Self::MAX],
    generation: Option<NonZeroU64>,
}

impl KeyCandidates {
    /// The maximum number of keys. Each one costs a signature check.
    pub const MAX: usize = 4;

    /// Whether there are no candidates.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The keys, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().flatten()
    }

    /// The generation of the key or the set that these candidates come from: see
    /// [`KeySource::generation`](crate::KeySource::generation). `None` by default: then a token that
    /// these keys verify is not cached.
    pub fn generation(&self) -> Option<u64> {
        self.generation.map(NonZeroU64::get)
    }

    /// Replaces the generation; 0 removes it. Without a generation, a token that these keys verify is not cached.
    ///
    /// Candidates that are collected from an iterator of keys have no generation: a custom source that makes them so
    /// calls this method. Candidates from the look-up of a [`JwkSet`](crate::JwkSet) have the generation of the set.
    ///
    /// Pass the number that [`KeySource::generation`](crate::KeySource::generation) returned when the candidates were
    /// collected. It may be a counter of the source. It must change with every change of the keys, and never return to
    /// an old value.
    #[must_use]
    pub fn with_generation(self, generation: u64) -> Self {
        Self { generation: NonZeroU64::new(generation), ..self }
    }

    pub(crate) fn of_generation(self, generation: NonZeroU64) -> Self {
        Self { generation: Some(generation), ..self }
    }

    /// Appends a key, unless there are [`MAX`](Self::MAX) keys already.
    pub(crate) fn push(&mut self, key: VerificationKey) {
        if let Some(place) = self.keys.iter_mut().find(|place| place.is_none()) {
            *place = Some(key);
        }
    }
}

impl From<VerificationKey> for KeyCandidates {
    fn from(key: VerificationKey) -> Self {
        Self { keys: [Some(key), None, None, None], generation: None }
    }
}

impl FromIterator<VerificationKey> for KeyCandidates {
    /// Takes the first [`MAX`](Self::MAX) keys and drops the rest.
    fn from_iter<I: IntoIterator<Item = VerificationKey>>(keys: I) -> Self {
        let mut keys = keys.into_iter().fuse();
        Self { keys: std::array::from_fn(|_| keys.next()), generation: None }
    }
}

impl fmt::Debug for KeyCandidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
