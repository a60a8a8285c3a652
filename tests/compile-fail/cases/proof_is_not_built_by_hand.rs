//! Only verification builds the proof, and nobody else changes it.

use tower_jwt_auth::VerifiedToken;

fn without_end(token: VerifiedToken) -> VerifiedToken {
    VerifiedToken { expires_at: None, ..token }
}

fn main() {
    let _ = without_end;
}
