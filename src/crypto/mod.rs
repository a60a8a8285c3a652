//! Algorithms, key material and signatures. Only this folder and `issuer/` use crypto crates.

mod algorithm;
pub(crate) mod constant_time;
mod ed25519;
mod identity;
pub(crate) mod material;
mod signature;

pub use self::algorithm::Algorithm;
pub(crate) use self::algorithm::{AlgorithmSet, KeyType};
pub(crate) use self::material::KeyMaterial;
pub(crate) use self::signature::ParsedKey;
