//! The integration tests: one binary.

mod conformance;
mod properties;
mod support;
mod tokens;
mod vectors;
mod verifier;
