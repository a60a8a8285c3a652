//! Keys, which are parsed and checked when they are loaded, and bound to their algorithms.

mod candidates;
pub(crate) mod der;
pub(crate) mod generation;
mod jwk;
mod jwk_set;
mod key_hint;
mod key_index;
mod key_use;
pub(crate) mod pem;
mod per_algorithm;
#[cfg(feature = "dpop")]
mod proof_key;
mod secret_check;
mod set_builder;
#[cfg(test)]
pub(crate) mod test_keys;
#[cfg(any(feature = "dpop", feature = "issuer"))]
mod thumbprint;
mod verification_key;

pub use self::candidates::KeyCandidates;
#[cfg(feature = "issuer")]
pub(crate) use self::jwk::{JwkReader, Members, without_bom};
pub use self::jwk_set::{JwkSet, SkippedKey};
pub(crate) use self::key_hint::KeyHint;
#[cfg(feature = "jwks-url")]
pub(crate) use self::key_hint::OwnedKeyHint;
#[cfg(feature = "jwks-url")]
pub(crate) use self::key_use::KeyUse;
#[cfg(feature = "dpop")]
pub(crate) use self::proof_key::ProofJwk;
#[cfg(feature = "issuer")]
pub(crate) use self::thumbprint::thumbprint;
pub use self::verification_key::VerificationKey;

/// For `test_keys`, which `tests/it` includes too.
#[cfg(test)]
use crate::crypto::Algorithm;
