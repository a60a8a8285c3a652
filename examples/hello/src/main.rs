//! The smallest server: an axum route that greets the user of the token.
//!
//! ```sh
//! cargo run -p hello
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/me   # $TOKEN: see the README
//! ```
use axum::Router;
use axum::routing::get;
use serde::Deserialize;
use tower_jwt_auth::{
    Algorithm, ConfigError, JwtAuthLayer, JwtVerifier, VerificationKey, VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// What this API reads of a token. One without `sub` is refused: 401.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

async fn me(token: VerifiedToken<Claims>) -> String {
    format!("hello, {}", token.sub)
}

fn app() -> Result<Router, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub"); // Also refuses an empty one.
    let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>());
    Ok(Router::new().route("/me", get(me)).route_layer(auth))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app()?;
    let address = std::env::var("LISTEN").unwrap_or("127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tower_jwt_auth::SigningKey;
    use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer, assert_protected};

    use super::*;

    #[tokio::test]
    async fn server_is_protected() {
        let key = SigningKey::from_secret(DEMO_SECRET, Algorithm::HS256).unwrap();
        let issuer = TestIssuer::new()
            .with_issuer("https://issuer.example")
            .with_audience("https://api.example")
            .with_key(key);
        let requests = ProtectedRequests::new(issuer.token()).get("/me");
        assert_protected(app().unwrap(), requests).await;
    }
}
