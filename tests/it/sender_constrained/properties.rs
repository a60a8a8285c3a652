//! What no proof can do.

use std::sync::LazyLock;

use http::HeaderValue;
use proptest::prelude::*;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, RejectionKind, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore,
    SenderConstrained,
};

use super::bound;
use super::proofs::{client, dpop, jkt, proof, with_proof};
use crate::support::key;
use crate::support::requests::{refusal, send};

/// A store that knows nothing, so that only the other checks refuse.
#[derive(Debug)]
struct Forgetful;

impl ReplayStore for Forgetful {
    fn record(&self, _: &ReplayEntry) -> ReplayCheck {
        ReplayCheck::ready(Ok(ReplayOutcome::FirstUse))
    }
}

static LAYER: LazyLock<JwtAuthLayer> = LazyLock::new(|| {
    let dpop = dpop().with_replay_store(Forgetful);
    JwtAuthLayer::new(SenderConstrained::dpop(key(Algorithm::HS256).verifier(), dpop))
});
static TOKEN: LazyLock<String> = LazyLock::new(|| bound(jkt()));
static PROOF: LazyLock<String> = LazyLock::new(|| proof(client(), &TOKEN));

fn kind(proof: &[u8]) -> Option<RejectionKind> {
    let mut request = with_proof(&format!("DPoP {}", *TOKEN), "x");
    let Ok(value) = HeaderValue::from_bytes(proof) else {
        return Some(RejectionKind::InvalidDpopProof);
    };
    request.headers_mut().insert("dpop", value);
    let response = send(&LAYER, request);
    assert!([204, 401].contains(&response.status().as_u16()), "{}", response.status());
    refusal(&response)
}

#[test]
fn proof_of_the_tests_is_accepted() {
    assert_eq!(kind(PROOF.as_bytes()), None);
}

proptest! {
    #[test]
    fn no_bytes_are_a_proof(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(kind(&bytes), Some(RejectionKind::InvalidDpopProof));
    }

    #[test]
    fn proof_with_a_changed_byte_is_refused(at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
        let mut proof = PROOF.clone().into_bytes();
        let at = at.index(proof.len());
        prop_assume!(proof[at] != byte);
        proof[at] = byte;
        prop_assert_eq!(kind(&proof), Some(RejectionKind::InvalidDpopProof));
    }

    #[test]
    fn part_of_a_proof_is_refused(from in 0_usize..700, length in 0_usize..700) {
        let proof = PROOF.as_bytes();
        let from = from.min(proof.len());
        let to = (from + length).min(proof.len());
        prop_assume!((from, to) != (0, proof.len()));
        prop_assert_eq!(kind(&proof[from..to]), Some(RejectionKind::InvalidDpopProof));
    }
}
