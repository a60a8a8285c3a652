//! A single-page app whose token is in a cookie that no script can read, and the page of an attacker on another host
//! of the same domain. The browser sends the cookie with the requests of the attacker's page too, but the layer refuses
//! them.
//!
//! ```sh
//! cargo run -p cookie_spa
//! ```
//!
//! Open <http://app.demo.localhost:8000>, log in as `alice` with the password `wonderland`, add a note, and follow the
//! link to the attacker. With `--trust-attacker` the layer accepts the attacker's origin, and the attacker's notes
//! appear in the app.
//!
//! Use Chromium: it resolves names that end in `.localhost` to this machine, and accepts `Secure` cookies from there
//! over http. A real application needs https.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use clap::Parser;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_http::csrf::CsrfLayer;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, JwtVerifier, SigningKey, Source, TokenIssuer, VerifiedToken,
};

const USER: &str = "alice";
const PASSWORD: &str = "wonderland";

/// With this prefix, no other host of the domain can set the cookie.
const COOKIE: &str = "__Host-token";
/// The lifetime of the token and its cookie.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The maximum number of notes.
const MOST: usize = 100;

/// Only files of the app run in its page, and no other page shows it in a frame.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Serves a single-page app, and the page of an attacker.
#[derive(Parser)]
struct Flags {
    /// The address of the app; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: String,
    /// The address of the attacker's page; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    attacker_listen: String,
    /// Accept the cookie from the attacker's page, to see what the check prevents
    #[arg(long)]
    trust_attacker: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse();
    let listener = TcpListener::bind(&flags.listen).await?;
    let attacker_listener = TcpListener::bind(&flags.attacker_listen).await?;
    let address = listener.local_addr()?;
    let origin = format!("http://app.demo.localhost:{}", address.port());
    // Another host of the domain. For `SameSite` it is the same site.
    let attacker = format!("http://evil.demo.localhost:{}", attacker_listener.local_addr()?.port());

    let mut origins = vec![origin.as_str()];
    if flags.trust_attacker {
        origins.push(&attacker);
    }
    let app = app(&origin, &origins)?.merge(page(&attacker));

    println!("app: {origin}\nattacker: {attacker}\nlistening on http://{address}");
    tokio::try_join!(
        axum::serve(listener, app).into_future(),
        axum::serve(attacker_listener, attacker_page(&origin)).into_future(),
    )?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
}

/// The API. Only pages of these origins can use the cookie.
fn app(origin: &str, origins: &[&str]) -> Result<Router, Box<dyn Error>> {
    let issuer = TokenIssuer::new(origin, SigningKey::generate(Algorithm::ES256)?)?
        .with_audience(origin)?
        .with_lifetime(LIFETIME)?;
    let verifier = JwtVerifier::new(origin, origin, issuer.verification_keys())?;
    let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>())
        .with_sources([Source::cookie(COOKIE, origins)?])?
        .remove_credential();

    let protected = Router::new()
        .route("/api/notes", get(notes).post(add_note))
        .route_layer(auth)
        .with_state(Notes::default());
    // Without this layer, a page of another origin could log the user out, or log the user in as somebody else.
    let session = Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route_layer(CsrfLayer::new())
        .with_state(issuer);
    Ok(protected.merge(session))
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

/// Sets the cookie. An application compares a hash of the password, and limits the attempts.
async fn log_in(
    State(issuer): State<TokenIssuer>,
    jar: CookieJar,
    Form(login): Form<Login>,
) -> Result<CookieJar, StatusCode> {
    if login.username != USER || login.password != PASSWORD {
        return Err(StatusCode::FORBIDDEN);
    }
    let token = issuer.issue(&Claims { sub: login.username });
    Ok(jar.add(cookie(token.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?)))
}

/// Deletes the cookie. The token itself stays valid until it expires, but no script has ever seen it.
async fn log_out(jar: CookieJar) -> CookieJar {
    jar.remove(cookie(String::new()))
}

fn cookie(token: String) -> Cookie<'static> {
    Cookie::build((COOKIE, token))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(LIFETIME.try_into().expect("15 minutes are a duration of `time`, too"))
        .build()
}

/// The notes of the one user.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

#[derive(Serialize)]
struct Listed {
    user: String,
    notes: Vec<String>,
}

async fn notes(State(Notes(notes)): State<Notes>, token: VerifiedToken<Claims>) -> Json<Listed> {
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Json(Listed { user: token.sub.clone(), notes })
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

/// Takes a form, which a page of any origin can send without a CORS preflight.
async fn add_note(State(Notes(notes)): State<Notes>, Form(note): Form<NewNote>) -> StatusCode {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.len() >= MOST {
        return StatusCode::INSUFFICIENT_STORAGE;
    }
    notes.push(note.text);
    StatusCode::CREATED
}

fn page(attacker: &str) -> Router {
    let html = include_str!("app/index.html").replace("{attacker}", attacker);
    let page = ([(CONTENT_SECURITY_POLICY, POLICY)], Html(html));
    Router::new()
        .route("/", get(async || page))
        .route("/page.js", get(async || script(include_str!("app/page.js"))))
}

fn attacker_page(app: &str) -> Router {
    let html = include_str!("attacker/index.html").replace("{app}", app);
    Router::new()
        .route("/", get(async || Html(html)))
        .route("/page.js", get(async || script(include_str!("attacker/page.js"))))
}

fn script(text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript")], text)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
    use tower::ServiceExt;
    use tower_jwt_auth::test_util::{Place, ProtectedRequests, assert_protected};

    use super::*;

    const ORIGIN: &str = "https://app.example";

    #[tokio::test]
    async fn server_is_protected() {
        let app = app(ORIGIN, &[ORIGIN]).unwrap();
        let request = Request::post("/login")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("username={USER}&password={PASSWORD}")));
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        let token = cookie.split(['=', ';']).nth(1).unwrap();

        let requests = ProtectedRequests::from_token(token)
            .with_place(Place::cookie(COOKIE, ORIGIN))
            .get("/api/notes")
            .without_signed_attacks("the key exists only inside of the server")
            .without_public_key_attacks("the server does not publish its key");
        assert_protected(app, requests).await;
    }
}
