//! Keys: parsed once, checked when they are loaded, and bound to their algorithms.

mod algorithm;
mod candidates;
pub(crate) mod der;
mod ed25519;
pub(crate) mod generation;
mod jwk;
mod jwk_set;
mod key_hint;
mod key_index;
mod key_use;
pub(crate) mod material;
pub(crate) mod pem;
mod per_algorithm;
mod secret_check;
mod set_builder;
#[cfg(test)]
pub(crate) mod test_keys;
mod verification_key;

pub use self::algorithm::Algorithm;
pub(crate) use self::algorithm::{AlgorithmSet, KeyType};
pub use self::candidates::KeyCandidates;
pub use self::jwk_set::{JwkSet, SkippedKey};
pub(crate) use self::key_hint::KeyHint;
#[cfg(feature = "jwks-url")]
pub(crate) use self::key_hint::OwnedKeyHint;
#[cfg(feature = "jwks-url")]
pub(crate) use self::key_use::KeyUse;
pub(crate) use self::material::KeyMaterial;
pub use self::verification_key::VerificationKey;
