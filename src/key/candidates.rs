use std::fmt;
use std::num::NonZeroU64;

use crate::key::verification_key::VerificationKey;

/// The few keys that may have signed a token, in the order in which they are tried.
///
/// The default is none at all. They stand in line, without an allocation, and are cheap to clone.
///
/// # Example: more than fit
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
    /// How many there are at most: each one costs a signature check.
    pub const MAX: usize = 4;

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The keys, the one to try first at the beginning.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().flatten()
    }

    /// Adds a key at the end, unless there is no room.
    /// The generation of the key or the set that these candidates are from; `None` by default: what
    /// they verify must not be remembered. See [`KeySource::generation`](crate::KeySource::generation).
    pub fn generation(&self) -> Option<u64> {
        self.generation.map(NonZeroU64::get)
    }

    /// Replaces the generation; 0 is none.
    ///
    /// A custom source gives the one that its set had when the candidates were taken from it, so
    /// that a set that is exchanged a moment later does not count as theirs. Candidates that are
    /// made from keys have none, whatever the keys were part of.
    #[must_use]
    pub fn with_generation(self, generation: u64) -> Self {
        Self { generation: NonZeroU64::new(generation), ..self }
    }

    pub(crate) fn of_generation(self, generation: NonZeroU64) -> Self {
        Self { generation: Some(generation), ..self }
    }

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
    /// Takes the first [`MAX`](Self::MAX) keys and leaves the rest.
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
