//! A password is not a key: there is no conversion from a string.

use tower_jwt_auth::VerificationKey;

fn main() {
    let _: VerificationKey = "hunter2".into();
}
