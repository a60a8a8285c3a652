//! Algorithms, key material and signatures. Only this folder and `issuer/` use crypto crates.

mod algorithm;
pub(crate) mod constant_time;
pub(crate) mod digest;
mod ed25519;
#[cfg(feature = "precomputed-tables")]
mod hot_key;
mod identity;
pub(crate) mod material;
mod signature;
#[cfg(feature = "precomputed-tables")]
mod tables;

pub use self::algorithm::Algorithm;
pub(crate) use self::algorithm::{AlgorithmSet, KeyType};
#[cfg(feature = "precomputed-tables")]
pub(crate) use self::hot_key::HotKey;
pub(crate) use self::material::KeyMaterial;
pub(crate) use self::signature::ParsedKey;
#[cfg(feature = "dpop")]
pub(crate) use self::signature::mac;
