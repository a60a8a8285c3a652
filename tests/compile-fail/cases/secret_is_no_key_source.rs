//! A raw secret is no source of keys: it has to be told its algorithm.

use tower_jwt_auth::JwtVerifier;

fn main() {
    let secret = b"an example of a secret: 32 octets";
    let _ = JwtVerifier::new("https://issuer.example", "https://api.example", secret);
}
