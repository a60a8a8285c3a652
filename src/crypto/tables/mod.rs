//! Precomputed tables for one public key, as large as the ones of the curve's base point, which all
//! keys share. With both, a signature is checked by some eighty additions and no doubling.
//!
//! Everything here is public (key, message, signature), so the time may depend on it. The result is
//! that of aws-lc for every input: without the cofactor, R compared by its bytes, S below the order.
//!
//! The arithmetic is that of `curve25519-dalek` and `p256`, whose additions are complete: they are
//! right for equal points, for opposite ones and for the neutral element. On P-256, a faster addition
//! on the field of `fiat-crypto` is tried first, which notices these cases.

mod ed25519;
mod p256;
mod p256_point;
mod windows;

use self::ed25519::Ed25519Tables;
use self::p256::P256Tables;

/// The tables for one public key.
pub(crate) enum KeyTables {
    Ed25519(Ed25519Tables),
    P256(P256Tables),
}

impl KeyTables {
    /// Computes them for an Ed25519 key; `None` if it is not the only encoding of a point.
    pub(crate) fn ed25519(key: &[u8; 32]) -> Option<Self> {
        Ed25519Tables::new(key).map(Self::Ed25519)
    }

    /// Computes them for an encoded point of P-256; `None` if it is not one.
    pub(crate) fn p256(point: &[u8]) -> Option<Self> {
        P256Tables::new(point).map(Self::P256)
    }

    /// Whether the key signed the message: by EdDSA, or by ECDSA with SHA-256 (both numbers of 32
    /// bytes).
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(tables) => tables.verify(message, signature),
            Self::P256(tables) => tables.verify(message, signature),
        }
    }
}
