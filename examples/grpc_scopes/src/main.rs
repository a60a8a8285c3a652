//! Who may call what, with tonic: a table of scopes by service and method, a check for disabled users, and
//! a method that decides by its message. The methods are those of the standard health service, which stands
//! for a service of the application's.
//!
//! | call | needs |
//! |---|---|
//! | `grpc.health.v1.Health/Check` | the scope `health:read`; `health:internal` too for the service `billing` |
//! | `grpc.health.v1.Health/Watch` | the scope `health:watch` |
//! | reflection `v1` | nothing |
//! | everything else, such as reflection `v1alpha` | is refused |
//!
//! ```sh
//! cargo run -p grpc_scopes
//! grpcurl -plaintext 127.0.0.1:50051 list
//! grpcurl -plaintext -H "authorization: Bearer $TOKEN" \
//!     127.0.0.1:50051 grpc.health.v1.Health/Check   # PermissionDenied: it has no scope
//! ```
//!
//! `$TOKEN` is in the README. The users of `examples/disabled-users.txt` are refused, also while the server
//! runs; `DISABLED_USERS` names another file. If it cannot be read, the status is UNAVAILABLE.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokio::fs;
use tokio::net::TcpListener;
use tokio_stream::Once;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{FILE_DESCRIPTOR_SET, HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::server::Builder;
use tower_jwt_auth::{
    Algorithm, AuthorizeLayer, ConfigError, GrpcRules, JwtAuthLayer, JwtVerifier, Rejection, Rule,
    VerificationKey, VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// One user per line. In an application, a table of its database.
const DISABLED_USERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../disabled-users.txt");

/// What this service reads of a token. The rules find its scopes without a field for them.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let disabled_users = env::var("DISABLED_USERS").unwrap_or(DISABLED_USERS.into());
    let disabled_users: Arc<Path> = PathBuf::from(disabled_users).into();

    let listener =
        TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:50051".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::builder()
        // The first one is the outermost.
        .layer(auth(disabled_users)?)
        .layer(AuthorizeLayer::new(rules()?))
        .add_routes(services()?)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

fn auth(disabled_users: Arc<Path>) -> Result<JwtAuthLayer<Claims>, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub") // Refuses an empty one, too.
        .with_claims::<Claims>()
        .with_check(async move |token, _request| check_enabled(&disabled_users, &token.sub).await);
    Ok(JwtAuthLayer::new(verifier).exempt(rules()?.open_methods()))
}

fn services() -> Result<Routes, Box<dyn Error>> {
    let health = HealthServer::new(HealthService { internal: Rule::scope("health:internal")? });
    let reflection =
        || Builder::configure().register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET);
    Ok(Routes::new(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}

fn rules() -> Result<GrpcRules<Claims>, ConfigError> {
    GrpcRules::new()
        .add_service("grpc.health.v1.Health", Rule::scope("health:read")?)?
        .add_method("/grpc.health.v1.Health/Watch", Rule::scope("health:watch")?)?
        .add_open_method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
}

/// For every call with a good token.
async fn check_enabled(disabled_users: &Path, user: &str) -> Result<(), Rejection> {
    // When the list cannot be read, the user may be a good one: UNAVAILABLE, not UNAUTHENTICATED.
    let disabled = fs::read_to_string(disabled_users).await.map_err(Rejection::unavailable)?;
    match disabled.lines().any(|line| line == user) {
        true => Err(Rejection::invalid_token().with_description("the user is disabled")),
        false => Ok(()),
    }
}

struct HealthService {
    internal: Rule<Claims>,
}

#[tonic::async_trait]
impl Health for HealthService {
    /// What is needed depends on the message. A `Rejection` becomes a `Status`.
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let token = caller(&request)?;
        if request.get_ref().service == "billing" {
            self.internal.check(token)?;
        }
        Ok(Response::new(serving()))
    }

    type WatchStream = Once<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::once(Ok(serving()))))
    }
}

fn caller<T>(request: &Request<T>) -> Result<&VerifiedToken<Claims>, Status> {
    VerifiedToken::from_extensions(request.extensions()).map_err(|missing| {
        // A mistake of the server. The hint is for its log, not for the client.
        eprintln!("{missing}");
        Status::internal("the authentication layer is missing")
    })
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: ServingStatus::Serving.into() }
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
        let authorize = AuthorizeLayer::new(rules().unwrap());
        let auth = auth(Path::new(DISABLED_USERS).into()).unwrap();
        let app = auth.layer(authorize.layer(services().unwrap()));
        let token = issuer.token().scope("health:read health:watch");
        let requests = ProtectedRequests::new(token)
            .grpc("/grpc.health.v1.Health/Check")
            .grpc("/grpc.health.v1.Health/Watch");
        assert_protected(app, requests).await;
    }
}
