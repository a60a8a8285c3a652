//! Only verification builds the proof, and nobody else changes it.

use tower_jwt_auth::VerifiedToken;

fn without_scope(token: VerifiedToken) -> VerifiedToken {
    VerifiedToken { scope: None, ..token }
}

fn main() {
    let _ = without_scope;
}
