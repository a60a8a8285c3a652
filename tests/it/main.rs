//! The integration tests: one binary.

#[cfg(feature = "issuer")]
mod issuer;
#[cfg(feature = "jsonwebtoken-11")]
mod jsonwebtoken_11;
mod keys;
mod support;
#[allow(dead_code)] // The unit tests use more of it.
#[path = "../../src/key/test_keys.rs"]
mod test_keys;
#[cfg(feature = "test-util")]
mod test_util;
mod verifier;

use tower_jwt_auth::Algorithm;
