//! API keys instead of JWTs: a custom rule in the same layer, with the same refusals. The server has the SHA-256 hashes
//! of its users' keys, and not the keys. The key of the monitoring is one secret, which is compared in constant time.
//!
//! ```sh
//! cargo run -p api-keys
//! curl -i -H 'Authorization: Bearer demo-key-alice' http://127.0.0.1:3000/me
//! curl -i -H 'Authorization: Bearer demo-key-alice' http://127.0.0.1:3000/slow/me
//! curl -i -H 'Authorization: Bearer demo-key-monitoring' http://127.0.0.1:3000/metrics
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt};

use aws_lc_rs::digest::{self, SHA256};
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_jwt_auth::{
    JwtAuthLayer, PresentedToken, Rejection, VerifiedToken, verify_async_fn, verify_fn,
};

/// The caller, as the handlers see it. It takes the place of the claims.
#[derive(Clone)]
struct User {
    name: &'static str,
}

/// The users by the hash of their key, `printf %s KEY | sha256sum`. Real keys are random, so that nobody can guess
/// them: `openssl rand -hex 32`.
const USERS: [(&str, User); 2] = [
    ("f80024220afd493b4d9592af870de7afe98061992d28fdb75480c9b717783fa2", User { name: "alice" }),
    ("586e2671e66b0c67ca4a057786411bcdd3d1c2904f041f6b78a754835a5bbcfe", User { name: "bob" }),
];

/// In an application, read it from a file or the environment.
const MONITORING_KEY: &str = "demo-key-monitoring";

/// The claims of a request from the monitoring.
struct Monitoring;

type Users = Arc<HashMap<&'static str, User>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let users: Users = Arc::new(HashMap::from(USERS));
    let database = Arc::clone(&users);

    let in_memory = JwtAuthLayer::new(verify_fn(move |key: &PresentedToken| {
        users.get(&*sha256_hex(key)).cloned().ok_or_else(unknown_key)
    }));
    let in_database = JwtAuthLayer::new(verify_async_fn(move |key| {
        let database = Arc::clone(&database);
        async move {
            let found = find_user(&database, &sha256_hex(&key)).await;
            // If the database is down, the key may be good: 503, not 401.
            found.map_err(Rejection::unavailable)?.ok_or_else(unknown_key)
        }
    }));

    let monitoring = JwtAuthLayer::new(verify_fn(|key: &PresentedToken| {
        // Not `==`, whose time tells how much of a guess is right.
        key.matches(MONITORING_KEY).then_some(Monitoring).ok_or_else(unknown_key)
    }));

    let app = Router::new()
        .merge(Router::new().route("/me", get(me)).route_layer(in_memory))
        .merge(Router::new().route("/metrics", get(metrics)).route_layer(monitoring))
        .merge(Router::new().route("/slow/me", get(me)).route_layer(in_database));
    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn me(user: VerifiedToken<User>) -> &'static str {
    user.name
}

async fn metrics(_: VerifiedToken<Monitoring>) -> &'static str {
    "up 1\n"
}

/// Simulates a look-up that waits.
async fn find_user(database: &Users, hash: &str) -> Result<Option<User>, DatabaseDown> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(database.get(hash).cloned())
}

/// The error of a look-up. The one here never fails.
#[derive(Debug)]
struct DatabaseDown;

impl fmt::Display for DatabaseDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database is down")
    }
}

impl Error for DatabaseDown {}

fn unknown_key() -> Rejection {
    Rejection::invalid_token().with_description("the API key is not known")
}

/// The hash of a key. The time of its look-up reveals nothing about the key.
fn sha256_hex(key: &PresentedToken) -> String {
    let hash = digest::digest(&SHA256, key.as_str().as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
