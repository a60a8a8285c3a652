//! Seeds for a fast hash of what clients send.

use std::hash::{BuildHasher, RandomState};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;

/// Hash keys for one set, from the random numbers of the standard library: a client cannot choose values that
/// collide, nor learn from one set anything about the next one.
pub(crate) fn random_state() -> SeedableRandomState {
    let seed = RandomState::new().hash_one(0);
    SeedableRandomState::with_seed(seed, SharedSeed::global_random())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_set_has_its_own_hash_seed() {
        let hashes: HashSet<u64> = (0..100).map(|_| random_state().hash_one("a name")).collect();
        assert_eq!(hashes.len(), 100);
    }
}
