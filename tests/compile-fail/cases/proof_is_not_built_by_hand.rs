//! Only verification builds the proof.

use tower_jwt_auth::{Accepted, VerifiedToken};

fn main() {
    let _ = VerifiedToken(std::sync::Arc::new(Accepted::new("alice")));
}
