//! What a check captures must be `Clone`.

use tower_jwt_auth::JwtVerifier;

struct Database;

impl Database {
    async fn ask(&self) {}
}

fn main() {
    let database = Database;
    let _ = |verifier: JwtVerifier| {
        verifier.with_check(async move |_, _| {
            database.ask().await;
            Ok(())
        })
    };
}
