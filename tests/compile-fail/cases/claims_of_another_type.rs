//! The claims in the extensions have the type of the verifier's.

use tower_jwt_auth::{RegisteredClaims, VerifiedToken};

struct MyClaims;

fn main() {
    let extensions = http::Extensions::new();
    let token = VerifiedToken::<RegisteredClaims>::from_extensions(&extensions).unwrap();
    let _: &MyClaims = token.claims();
}
