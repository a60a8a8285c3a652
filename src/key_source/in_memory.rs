//! Keys that are in memory: a key, a set, several keys.

use crate::key::{JwkSet, KeyCandidates, VerificationKey};
use crate::key_source::KeySource;
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::status::KeyStatus;

impl KeySource for VerificationKey {
    /// The key by itself. A token's `kid` matters only when the key has one too, and so do `x5t` and
    /// `x5t#S256` of a token without `kid`.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let named_otherwise = match (query.kid(), self.kid()) {
            (Some(wanted), Some(kid)) => wanted != kid,
            (Some(_), None) => false,
            (None, _) => self.thumbprints().contradict(query.hint()),
        };
        let fits = self.allows(query.algorithm()) && !named_otherwise;
        KeyLookup::ready(Ok(match fits {
            true => KeyCandidates::from(self.clone()).of_generation(Self::generation(self)),
            false => KeyCandidates::default(),
        }))
    }

    fn generation(&self) -> Option<u64> {
        Some(Self::generation(self).get())
    }

    fn status(&self) -> KeyStatus {
        KeyStatus::new(true)
    }
}

impl KeySource for JwkSet {
    /// By `kid` (or, without one, by `x5t#S256` or `x5t`) and algorithm, exactly; without any of them
    /// only where one key can be meant, or several without `kid`, which are tried in order.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        KeyLookup::ready(Ok(self.candidates(query.hint())))
    }

    fn generation(&self) -> Option<u64> {
        Some(Self::generation(self).get())
    }

    fn status(&self) -> KeyStatus {
        let mut status = KeyStatus::new(!self.is_empty());
        status.describe(self);
        status
    }
}
