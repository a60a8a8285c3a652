//! The integration tests: one binary.

mod canary;
#[cfg(feature = "axum")] // Once is enough, and it is slow.
mod compile_fail;
mod conformance;
mod corpus;
mod differential;
mod extraction;
#[cfg(feature = "axum")]
mod extractors;
#[cfg(feature = "jsonwebtoken-11")]
mod jsonwebtoken_11;
mod keys;
mod properties;
mod readiness;
mod refusals;
mod rfc7520;
mod servers;
mod support;
#[allow(dead_code)] // The unit tests use more of it.
#[path = "../../src/key/test_keys.rs"]
mod test_keys;
mod tokens;
mod vectors;
mod verifier;

use tower_jwt_auth::Algorithm;
