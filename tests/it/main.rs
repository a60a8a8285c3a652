//! The integration tests: one binary.

mod conformance;
mod support;
mod tokens;
mod verifier;
