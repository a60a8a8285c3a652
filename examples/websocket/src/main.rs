//! A WebSocket that browsers open with a token in a sub-protocol. The server echoes each message, with the user of the
//! token, until the token expires.
//!
//! ```sh
//! cargo run -p websocket
//! ```
//!
//! Open <http://127.0.0.1:8000> and paste the token from `examples/demo-token.txt`.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, Response};
use axum::routing::{any, get};
use clap::Parser;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower_jwt_auth::{
    Algorithm, Clock, ConfigError, JwtAuthLayer, JwtVerifier, Source, SystemClock, VerificationKey,
    VerifiedToken,
};

/// In an application, read it from a file or the environment.
const DEMO_SECRET: &[u8] = b"tower-jwt-auth demo secret: never use it for real";
/// The sub-protocol of the messages, which the client offers beside the token.
const PROTOCOL: &str = "echo.example";
/// The maximum time for a connection, also if its token expires later or never.
const LONGEST_SESSION: Duration = Duration::from_secs(60 * 60);
/// The maximum time to send the close frame. A client that has stopped reading does not receive it.
const CLOSING: Duration = Duration::from_secs(5);
/// The maximum length of a message. The server reserves the memory for a frame as soon as it has read the frame's
/// header, which has the length.
const LONGEST_MESSAGE: usize = 32 * 1024;
/// The code of the close frame. Codes from 4000 to 4999 are for applications (RFC 6455 section 7.4.2).
const TOKEN_EXPIRED: u16 = 4401;

/// Only files of the server run in its page, and no other page shows it in a frame.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Serves a WebSocket for clients with a token, and a page that opens it.
#[derive(Parser)]
struct Flags {
    /// The address; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse();
    let app = echo()?.merge(page());
    let listener = TcpListener::bind(&flags.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

fn echo() -> Result<Router, ConfigError> {
    let key = VerificationKey::from_secret(DEMO_SECRET, Algorithm::HS256)?;
    let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
    let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>())
        // Clients that are not browsers can send `Authorization` instead.
        .with_sources([Source::authorization_header(), Source::websocket_protocol()])?;
    Ok(Router::new().route("/echo", any(connect)).route_layer(auth))
}

/// The layer has removed the token from the sub-protocols that the client offers. This handler selects one of the
/// others.
async fn connect(token: VerifiedToken<Claims>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
        .protocols([PROTOCOL])
        .on_upgrade(|socket| session(socket, token))
}

/// Answers until the token expires, then closes the connection. This works also if the client does not read the
/// answers.
async fn session(mut socket: WebSocket, token: VerifiedToken<Claims>) {
    if timeout(time_left(&token), answer(&mut socket, &token)).await.is_err() {
        close(socket).await;
    }
}

async fn answer(socket: &mut WebSocket, token: &VerifiedToken<Claims>) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let answer = format!("{}: {text}", token.sub);
        if socket.send(Message::Text(answer.into())).await.is_err() {
            return;
        }
    }
}

fn time_left(token: &VerifiedToken<Claims>) -> Duration {
    let end = token.expires_at().and_then(|end| end.to_system_time());
    let now = SystemClock.now().to_system_time();
    let left = end.zip(now).map(|(end, now)| end.duration_since(now).unwrap_or_default());
    left.unwrap_or(LONGEST_SESSION).min(LONGEST_SESSION)
}

async fn close(mut socket: WebSocket) {
    let frame = CloseFrame { code: TOKEN_EXPIRED, reason: "the token has expired".into() };
    // The client may be gone already.
    let _ = timeout(CLOSING, socket.send(Message::Close(Some(frame)))).await;
}

fn page() -> Router {
    let html = ([(CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("page/index.html")));
    let script = ([(CONTENT_TYPE, "text/javascript")], include_str!("page/page.js"));
    Router::new().route("/", get(async || html)).route("/page.js", get(async || script))
}
