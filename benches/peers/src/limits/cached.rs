//! The floor of a cached hit: the layer of [`floor`](super::floor) with a map from all the bytes of a token to its
//! claims, which is bounded, filled by tokens that verified, and not trusted past `exp`.

use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::floor::{self, Verifier, Verify};
use crate::contender::Contender;
use crate::fixture::{Claims, Fixture, seconds_since_epoch};

const CAPACITY: usize = 10_000;

type Tokens = Cache<Box<[u8]>, Arc<Claims>, UnitWeighter, foldhash::fast::RandomState>;

struct Cached {
    verifier: Verifier,
    tokens: Tokens,
}

impl Verify for Cached {
    type Claims = Arc<Claims>;

    fn verify(&self, token: &[u8]) -> Option<Arc<Claims>> {
        if let Some(claims) = self.tokens.get(token) {
            if claims.exp > seconds_since_epoch() {
                return Some(claims);
            }
        }
        let claims = Arc::new(self.verifier.verify(token)?);
        self.tokens.insert(token.into(), claims.clone());
        Some(claims)
    }
}

pub(super) fn new(fixture: &Fixture) -> Contender {
    let (weighter, hasher) = (UnitWeighter, foldhash::fast::RandomState::default());
    let lifecycle = DefaultLifecycle::default();
    let tokens = Cache::with(CAPACITY, CAPACITY as u64, weighter, hasher, lifecycle);
    let verifier = Verifier::new(fixture);
    floor::contender("floor of a cached hit", Cached { verifier, tokens })
}
