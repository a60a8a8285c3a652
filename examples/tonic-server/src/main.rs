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
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Status};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey, VerifiedToken};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// What this service reads of a token. One without `sub` is refused: UNAUTHENTICATED.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub"); // Also refuses an empty one.
    let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>());

    let (_reporter, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, log_caller);

    let listener =
        TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:50051".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::builder()
        // Protects every service. To protect a single one, remove this line and write
        // `.add_service(auth.named_layer(health))`, with `use tonic::service::LayerExt;`.
        .layer(auth)
        .add_service(health)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
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
