//! The integration tests: one binary.

mod canary;
mod extraction;
mod readiness;
mod refusals;
mod support;
mod verifier;
