//! Who may do what: nested routers with two sets of scopes, a check for disabled users, and one JSON body
//! for all errors.
//!
//! | route | scope |
//! |---|---|
//! | `GET /orders` | `orders:read`, which `orders:write` includes |
//! | `POST /orders` | `orders:write`; `orders:large` too for more than 100 pieces |
//! | `GET /admin/users`, `GET /admin/log` | `admin` |
//!
//! ```sh
//! cargo run -p scopes
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/orders   # 403: it has no scope
//! ```
//!
//! `$TOKEN` is in the README. The users of `examples/disabled-users.txt` are refused, also while the server
//! runs; `DISABLED_USERS` names another file. If it cannot be read, every token is answered with 503.

use std::env;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::fs;
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Algorithm, AuthorizeLayer, ConfigError, JwtAuthLayer, JwtVerifier, Rejection, RequestSummary,
    Rule, ScopeHierarchy, VerificationKey, VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// One user per line. In an application, a table of its database.
const DISABLED_USERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../disabled-users.txt");

/// What this API reads of a token. The rules find its scopes without a field for them.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let disabled_users = env::var("DISABLED_USERS").unwrap_or(DISABLED_USERS.into());
    let app = app(verifier()?, Path::new(&disabled_users).into())?;

    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

fn verifier() -> Result<JwtVerifier, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    Ok(JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub")) // Refuses an empty one, too.
}

fn app(verifier: JwtVerifier, disabled_users: Arc<Path>) -> Result<Router, ConfigError> {
    let verifier = verifier
        .with_claims::<Claims>()
        .with_scope_hierarchy(ScopeHierarchy::new([("orders:write", "orders:read")])?)
        .with_check(async move |token, _request| check_enabled(&disabled_users, &token.sub).await);
    let auth = JwtAuthLayer::new(verifier).with_rejection_fn(refusal);

    let orders = Router::new()
        .route("/", get(list_orders).route_layer(needs("orders:read")?))
        .route("/", post(create_order).route_layer(needs("orders:write")?))
        .with_state(Rule::scope("orders:large")?);
    let admin = Router::new()
        .route("/users", get(list_users))
        .route("/log", get(read_log))
        .route_layer(needs("admin")?);
    Ok(Router::new()
        .nest("/orders", orders)
        .nest("/admin", admin)
        .route_layer(auth)
        .fallback(async || error(StatusCode::NOT_FOUND, "there is no such page")))
}

fn needs(scope: &str) -> Result<AuthorizeLayer<Claims>, ConfigError> {
    Ok(AuthorizeLayer::new(Rule::scope(scope)?))
}

/// For every request with a good token.
async fn check_enabled(disabled_users: &Path, user: &str) -> Result<(), Rejection> {
    // When the list cannot be read, the user may be a good one: 503, not 401.
    let disabled = fs::read_to_string(disabled_users).await.map_err(Rejection::unavailable)?;
    match disabled.lines().any(|line| line == user) {
        true => Err(Rejection::invalid_token().with_description("the user is disabled")),
        false => Ok(()),
    }
}

/// Writes all refusals: those of the layers, of the check and of the handlers.
fn refusal(rejection: &Rejection, _request: &RequestSummary) -> Response {
    error(rejection.status(), rejection.description())
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message, "status": status.as_u16()}))).into_response()
}

async fn list_orders(token: VerifiedToken<Claims>) -> String {
    format!("the orders of {}\n", token.sub)
}

#[derive(Deserialize)]
struct Order {
    pieces: u32,
}

/// What is needed depends on the body.
async fn create_order(
    State(large_orders): State<Rule<Claims>>,
    token: VerifiedToken<Claims>,
    Json(order): Json<Order>,
) -> Result<(StatusCode, String), Rejection> {
    if order.pieces > 100 {
        large_orders.check(&token)?;
    }
    Ok((StatusCode::CREATED, format!("{} pieces for {}\n", order.pieces, token.sub)))
}

async fn list_users() -> &'static str {
    "alice\nmallory\n"
}

async fn read_log() -> &'static str {
    "nothing happened\n"
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
        let requests =
            ProtectedRequests::new(issuer.token().scope("admin orders:large orders:write"))
                .get("/orders")
                .post("/orders", "application/json", r#"{"pieces": 101}"#)
                .get("/admin/users");
        let app = app(verifier().unwrap(), Path::new(DISABLED_USERS).into()).unwrap();
        assert_protected(app, requests).await;
    }
}
