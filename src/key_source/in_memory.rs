//! Keys in memory: one key, a set, several keys.

use crate::crypto::AlgorithmSet;
use crate::key::{JwkSet, KeyCandidates, VerificationKey};
use crate::key_source::KeySource;
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::status::KeyStatus;
use crate::summary::Summary;

impl KeySource for VerificationKey {
    /// Returns the key if it is bound to the token's algorithm. A token's `kid` is compared only
    /// if the key has one too. The same holds for `x5t` and `x5t#S256` of a token without `kid`.
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

    fn describe(&self) -> Option<Summary> {
        Some(in_memory(1, self.algorithm_set()))
    }

    fn status(&self) -> KeyStatus {
        KeyStatus::new(true)
    }
}

impl KeySource for JwkSet {
    /// Selects keys by the algorithm and `kid` or, without `kid`, `x5t#S256` or `x5t`, compared
    /// exactly. Without any of them it returns the only matching key, or several keys without
    /// `kid`, in order. The table of [`JwkSet`] has the details.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        KeyLookup::ready(Ok(self.candidates(query.hint())))
    }

    fn generation(&self) -> Option<u64> {
        Some(Self::generation(self).get())
    }

    fn describe(&self) -> Option<Summary> {
        Some(in_memory(self.len(), self.algorithm_set()))
    }

    fn status(&self) -> KeyStatus {
        let mut status = KeyStatus::new(!self.is_empty());
        status.describe(self);
        status
    }
}

fn in_memory(keys: usize, algorithms: AlgorithmSet) -> Summary {
    Summary::new(match keys {
        0 => "in memory (none)".to_owned(),
        _ => format!("in memory ({keys}: {algorithms})"),
    })
}
