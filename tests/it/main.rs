//! The integration tests: one binary.

#[cfg(feature = "axum")]
mod extractors;
mod servers;
mod support;
mod verifier;
