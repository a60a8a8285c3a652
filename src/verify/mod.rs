//! From a compact token to a verdict.

pub(crate) mod signature;
