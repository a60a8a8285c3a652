//! A Tower layer for bearer tokens.

mod config_error;
#[cfg(feature = "jsonwebtoken-11")]
mod jsonwebtoken_11;
#[allow(dead_code)] // Until the verifier is here.
mod key;
#[allow(dead_code)] // Until the verifier is here.
mod verify;

pub use crate::config_error::{ConfigError, ConfigErrorKind};
pub use crate::key::{Algorithm, JwkSet, KeyCandidates, SkippedKey, VerificationKey};
