//! Keys that are in memory: a key, a set, several keys.

use crate::{JwkSet, KeyCandidates, KeyLookup, KeyQuery, KeySource, KeyStatus, VerificationKey};

impl KeySource for VerificationKey {
    /// The key by itself. A token's `kid` matters only when the key has one too.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let named_otherwise = match (query.kid(), self.kid()) {
            (Some(wanted), Some(kid)) => wanted != kid,
            _ => false,
        };
        let fits = self.allows(query.algorithm()) && !named_otherwise;
        KeyLookup::ready(Ok(match fits {
            true => KeyCandidates::from(self.clone()),
            false => KeyCandidates::default(),
        }))
    }
}

impl KeySource for JwkSet {
    /// By `kid` and algorithm, exactly; without a `kid` only where one key can be meant, or several
    /// without a name, which are tried in order.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        KeyLookup::ready(Ok(self.candidates(query.kid(), query.algorithm())))
    }
    fn status(&self) -> KeyStatus {
        let mut status = KeyStatus::new(true);
        self.describe(&mut status);
        status
    }
}
