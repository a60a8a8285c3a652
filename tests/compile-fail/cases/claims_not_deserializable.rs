//! The claims type of a verifier must be deserializable.

use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};

struct MyClaims {
    #[allow(dead_code)]
    sub: String,
}

fn main() {
    let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)
        .unwrap()
        .with_claims::<MyClaims>();
    let _ = JwtAuthLayer::new(verifier);
}
