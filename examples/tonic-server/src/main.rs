//! gRPC with tonic: the layer protects the standard health service, with its unary `Check` and its streaming `Watch`.
//! A refused call gets the status UNAUTHENTICATED.
//!
//! ```sh
//! cargo run -p tonic-server
//! printf '\0\0\0\0\0' | curl -i --output - --http2-prior-knowledge --data-binary @- \
//!     -H 'content-type: application/grpc' -H 'te: trailers' \
//!     -H "authorization: Bearer $TOKEN" \
//!     http://127.0.0.1:50051/grpc.health.v1.Health/Check   # $TOKEN: see the README
//! ```

use std::env;
use std::error::Error;

use serde::Deserialize;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Status};
use tower_jwt_auth::{
    Algorithm, ConfigError, JwtAuthLayer, JwtVerifier, VerificationKey, VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// What this service reads of a token. One without `sub` is refused: UNAUTHENTICATED.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener =
        TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:50051".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::builder()
        // Protects every service. To protect a single one, remove this line and write
        // `.add_service(auth()?.named_layer(health))`, with `use tonic::service::LayerExt;`.
        .layer(auth()?)
        .add_routes(services())
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

fn auth() -> Result<JwtAuthLayer<Claims>, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub"); // Also refuses an empty one.
    Ok(JwtAuthLayer::new(verifier.with_claims()))
}

fn services() -> Routes {
    let (_reporter, health) = tonic_health::server::health_reporter();
    Routes::new(InterceptedService::new(health, log_caller))
}

/// Interceptors and services find the token in the request's extensions.
fn log_caller(request: Request<()>) -> Result<Request<()>, Status> {
    let token =
        VerifiedToken::<Claims>::from_extensions(request.extensions()).map_err(|missing| {
            // A mistake of the server. The hint is for its log, not for the client.
            eprintln!("{missing}");
            Status::internal("the authentication layer is missing")
        })?;
    println!("a call by {}", token.sub);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use tower::Layer;
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
        let app = auth().unwrap().layer(services());
        let requests = ProtectedRequests::new(issuer.token()).grpc("/grpc.health.v1.Health/Check");
        assert_protected(app, requests).await;
    }
}
