//! A check hands a value to the handlers by a `Checked`.

use tower_jwt_auth::JwtVerifier;

fn main() {
    let _ = |verifier: JwtVerifier| verifier.with_check(async |_, _| Ok(true));
}
