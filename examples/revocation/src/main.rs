//! Tokens that can be revoked, and tokens that can be used once, in a Redis that several instances share.
//!
//! | route | token |
//! |---|---|
//! | `GET /me` | any that is not revoked |
//! | `POST /deploy` | the same, once |
//! | `POST /logout` | the same, which is revoked |
//! | `POST /admin/revocations` | one with the scope `admin` |
//!
//! ```sh
//! cargo run -p revocation
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/me
//! curl -i -H "Authorization: Bearer $ADMIN" --json '{"subject":"alice"}' http://127.0.0.1:3000/admin/revocations
//! ```
//!
//! The tokens need a `jti`. `REDIS_URL` names another Redis than `redis://127.0.0.1:6379`. While Redis is unavailable,
//! the response is 503.

mod redis_store;

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Algorithm, AuthorizeLayer, ConfigError, DenyList, JwtAuthLayer, JwtVerifier, NumericDate,
    OneTimeTokens, Rejection, Revocation, Rule, VerificationKey, VerifiedToken,
};

use crate::redis_store::RedisStore;

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";
const ISSUER: &str = "https://issuer.example";

/// The verifier refuses older tokens.
const MAX_AGE: Duration = Duration::from_secs(2 * 3600);
const LEEWAY: Duration = Duration::from_secs(30);
/// So no entry is needed longer than this.
const LASTS: Duration = MAX_AGE.saturating_add(LEEWAY.saturating_mul(2));

/// What this API reads of a token.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new(ISSUER, "https://api.example", key)?
        .with_leeway(LEEWAY)?
        .with_max_age(MAX_AGE)?
        .with_claims();
    let redis = env::var("REDIS_URL").unwrap_or("redis://127.0.0.1:6379".into());
    let app = app(verifier, RedisStore::new(&redis)?)?;

    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

fn app(verifier: JwtVerifier<Claims>, redis: RedisStore) -> Result<Router, ConfigError> {
    let not_revoked = DenyList::new(verifier, redis.clone());
    // Outside of the deny-list: a revoked token is not used up.
    let once = OneTimeTokens::new(not_revoked.clone(), redis.clone());
    let admin = AuthorizeLayer::<Claims>::new(Rule::scope("admin")?);
    Ok(Router::new()
        .route("/admin/revocations", post(revoke).route_layer(admin))
        .route("/logout", post(log_out))
        .route("/me", get(me))
        .route_layer(JwtAuthLayer::new(not_revoked))
        .merge(Router::new().route("/deploy", post(deploy)).route_layer(JwtAuthLayer::new(once)))
        .with_state(redis))
}

async fn me(token: VerifiedToken<Claims>) -> String {
    format!("hello, {}\n", token.sub)
}

async fn deploy(token: VerifiedToken<Claims>) -> String {
    format!("deployed for {}\n", token.sub)
}

/// What an operator revokes. Times are seconds since 1970.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Token(String),
    Subject(String),
    SubjectBefore(String, i64),
    IssuerBefore(i64),
    AllBefore(i64),
}

async fn revoke(
    State(redis): State<RedisStore>,
    _: VerifiedToken<Claims>,
    Json(request): Json<Request>,
) -> Result<StatusCode, Rejection> {
    let time = NumericDate::from_unix_seconds;
    let revocation = match request {
        Request::Token(id) => Revocation::token(ISSUER, &id),
        Request::Subject(sub) => Revocation::subject(ISSUER, &sub),
        Request::SubjectBefore(sub, at) => Revocation::subject_before(ISSUER, &sub, time(at)),
        Request::IssuerBefore(at) => Revocation::issuer_before(ISSUER, time(at)),
        Request::AllBefore(at) => Revocation::all_before(time(at)),
    };
    redis.revoke(&revocation, LASTS).await.map_err(Rejection::unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn log_out(
    State(redis): State<RedisStore>,
    token: VerifiedToken<Claims>,
) -> Result<StatusCode, Rejection> {
    let revocation = Revocation::of(&token).ok_or_else(Rejection::invalid_token)?;
    // It lasts until no verifier accepts the token.
    redis.revoke(&revocation, Duration::ZERO).await.map_err(Rejection::unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}
