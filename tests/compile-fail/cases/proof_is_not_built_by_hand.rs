//! Only verification builds the proof, and nobody else changes it.

use tower_jwt_auth::VerifiedToken;

fn with_own_scope(token: VerifiedToken) -> VerifiedToken {
    VerifiedToken { added: None, ..token }
}

fn main() {
    let _ = with_own_scope;
}
