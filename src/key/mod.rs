//! Keys: parsed once, checked when they are loaded, and bound to their algorithms.

mod algorithm;

pub use self::algorithm::Algorithm;
pub(crate) use self::algorithm::{AlgorithmSet, KeyType};
