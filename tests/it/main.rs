//! The tests of the public interface, in one binary.

#[cfg(feature = "jsonwebtoken-11")]
mod jsonwebtoken_11;
mod keys;
#[allow(dead_code)] // The unit tests use more of it.
#[path = "../../src/key/test_keys.rs"]
mod test_keys;

use tower_jwt_auth::Algorithm;
