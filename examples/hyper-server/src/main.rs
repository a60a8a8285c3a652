//! hyper without a framework: HTTP/1.1 and h2c, one service behind the layer, and a graceful stop on Ctrl-C.
//!
//! ```sh
//! cargo run -p hyper-server
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/   # $TOKEN: see the README
//! ```

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_jwt_auth::{
    Algorithm, ConfigError, JwtAuthLayer, JwtVerifier, MissingLayer, VerificationKey, VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// What this service reads of a token. One without `sub` is refused: 401.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// How long running requests may take to end.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = ServiceBuilder::new().layer(auth()?).service_fn(answer);

    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    eprintln!("cannot accept a connection: {error}");
                    // Probably out of file descriptors: an immediate retry does not help.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = tokio::signal::ctrl_c() => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
    // Connections that take longer are closed.
    let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
    Ok(())
}

fn auth() -> Result<JwtAuthLayer<Claims>, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub"); // Also refuses an empty one.
    Ok(JwtAuthLayer::new(verifier.with_claims()))
}

/// The service behind the layer, for requests with any body.
async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(hello(&request).unwrap_or_else(|missing| server_error(&missing)))
}

/// The handler. Behind the layer there is always a token.
fn hello<B>(request: &Request<B>) -> Result<Response<Full<Bytes>>, MissingLayer> {
    let token = VerifiedToken::<Claims>::from_extensions(request.extensions())?;
    Ok(Response::new(format!("hello, {}\n", token.sub).into()))
}

/// The layer is missing. This is a mistake of the server, so the hint goes to its log.
fn server_error(missing: &MissingLayer) -> Response<Full<Bytes>> {
    eprintln!("{missing}");
    let mut response = Response::default();
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
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
        let service = ServiceBuilder::new().layer(auth().unwrap()).service_fn(answer);
        assert_protected(service, ProtectedRequests::new(issuer.token()).get("/")).await;
    }
}
