//! Custom refusals: problem details for programs that call an API, a page for people in a browser. The layer keeps its
//! status and its challenge.
//!
//! ```sh
//! cargo run -p custom-rejection
//! curl -i http://127.0.0.1:3000/orders
//! curl -i http://127.0.0.1:3000/account
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/orders   # $TOKEN: see the README
//! ```

use std::env;
use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Algorithm, ConfigError, JwtAuthLayer, JwtVerifier, ProblemJson, Rejection, RejectionKind,
    RequestSummary, VerificationKey, VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";

/// What this application reads of a token. One without `sub` is refused: 401.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = app()?;
    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

fn app() -> Result<Router, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
        .add_required_claim("sub"); // Also refuses an empty one.
    let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>());

    let api = Router::new()
        .route("/orders", get(orders))
        .route_layer(auth.clone().with_rejection_response(ProblemJson::new()));
    let pages = Router::new()
        .route("/account", get(account))
        .route_layer(auth.with_rejection_fn(please_log_in));
    Ok(api.merge(pages))
}

/// A page instead of an empty body. The layer adds `WWW-Authenticate` and `Cache-Control`.
fn please_log_in(rejection: &Rejection, _request: &RequestSummary) -> Response<Body> {
    let advice = match rejection.kind() {
        RejectionKind::ExpiredToken => "Your session is over: please log in again.",
        RejectionKind::Unavailable => "We cannot tell who you are: please try again later.",
        _ => "Please log in.",
    };
    let page = format!("<!doctype html><title>Not for everybody</title><p>{advice}\n");
    (rejection.status(), Html(page)).into_response()
}

async fn orders(_: VerifiedToken<Claims>) -> &'static str {
    "[]\n"
}

async fn account(token: VerifiedToken<Claims>) -> Html<String> {
    // Claims are text of the issuer, and may be text of the user. Escape them in a page.
    let name = token.sub.replace('&', "&amp;").replace('<', "&lt;");
    Html(format!("<!doctype html><title>Your account</title><p>You are {name}.\n"))
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
        let requests = ProtectedRequests::new(issuer.token()).get("/orders").get("/account");
        assert_protected(app().unwrap(), requests).await;
    }
}
