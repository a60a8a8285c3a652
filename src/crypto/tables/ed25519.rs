//! Ed25519 (RFC 8032 section 5.1.7), without the cofactor.

use std::ops::Neg;
use std::sync::LazyLock;

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

use super::windows::{Table, multiples};

static BASE: LazyLock<Table<EdwardsPoint>> =
    LazyLock::new(|| Table::new(&multiples(ED25519_BASEPOINT_POINT)));

/// Tables for one Ed25519 key: 215 KiB.
pub(crate) struct Ed25519Tables {
    key: [u8; 32],
    /// For the key's opposite.
    minus_key: Table<EdwardsPoint>,
}

impl Ed25519Tables {
    /// Computes the tables; `None` if this is not the only encoding of a point.
    pub(super) fn new(key: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*key).decompress()?;
        if point.compress().0 != *key {
            return None;
        }
        LazyLock::force(&BASE);
        Some(Self { key: *key, minus_key: Table::new(&multiples(Neg::neg(point))) })
    }

    /// Whether the key signed the message: whether S is below the order, and S·B − k·A has the
    /// encoding R.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
        let (Some(r), Some(s)) = (signature.first_chunk::<32>(), signature.last_chunk::<32>())
        else {
            return false;
        };
        if Scalar::from_canonical_bytes(*s).is_none().into() {
            return false;
        }
        let hash = Sha512::new().chain_update(r).chain_update(self.key).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let point = BASE.add_multiple(s, EdwardsPoint::identity());
        self.minus_key.add_multiple(k.as_bytes(), point).compress().0 == *r
    }
}
