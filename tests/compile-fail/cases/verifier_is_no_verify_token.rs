//! What a layer asks must be able to verify tokens.

use tower_jwt_auth::JwtAuthLayer;

fn main() {
    let _ = JwtAuthLayer::<()>::new("https://issuer.example");
}
