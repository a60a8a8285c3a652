//! The integration tests: one binary.

mod canary;
// With all features alone: the messages list what those add. It is slow, too.
#[cfg(all(feature = "axum", feature = "test-util"))]
mod compile_fail;
mod conformance;
mod corpus;
mod differential;
mod extraction;
#[cfg(feature = "axum")]
mod extractors;
#[cfg(feature = "issuer")]
mod issuer;
#[cfg(feature = "jsonwebtoken-11")]
mod jsonwebtoken_11;
mod keys;
mod properties;
mod readiness;
mod refusals;
mod rfc7520;
mod security_page;
mod servers;
mod support;
#[allow(dead_code)] // The unit tests use more of it.
#[path = "../../src/key/test_keys.rs"]
mod test_keys;
#[cfg(feature = "test-util")]
mod test_util;
mod tokens;
mod vectors;
mod verifier;

use tower_jwt_auth::{Algorithm, VerificationKey};
