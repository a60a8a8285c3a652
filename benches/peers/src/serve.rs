//! A server of axum for the loopback run: one thread, one route.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use axum::routing::get;
use axum::{Extension, Router};
use http::Request;
use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, VerifiedToken};

use crate::fixture::{Claims, Fixture};
use crate::peers::{aliri_tower, by_hand};
use crate::this_crate;

/// The names of the servers, for `peers serve`.
pub const SERVERS: &[&str] = &[
    "no layer",
    "this crate",
    #[cfg(feature = "cache")]
    "this crate, cache hit",
    "by hand: tower-http, jsonwebtoken 11",
    "aliri_tower",
];

/// All handlers return the subject; without a layer it is a constant of the same length.
fn router(name: &str, fixture: &Fixture) -> Option<Router> {
    let route = |handler| Router::new().route("/protected", handler);
    let by_this_crate = |verifier: JwtVerifier| {
        let handler = |request: Request<axum::body::Body>| async move {
            let token = VerifiedToken::<Claims>::from_extensions(request.extensions());
            token.map_or_else(|_| String::new(), |token| token.sub.clone())
        };
        route(get(handler)).layer(JwtAuthLayer::new(verifier.with_claims::<Claims>()))
    };
    Some(match name {
        "no layer" => route(get(|| async { fixture_subject() })),
        "this crate" => by_this_crate(this_crate::verifier(fixture)),
        #[cfg(feature = "cache")]
        "this crate, cache hit" => by_this_crate(this_crate::cached_verifier(fixture)),
        "by hand: tower-http, jsonwebtoken 11" => {
            let handler = |Extension(claims): Extension<Claims>| async move { claims.sub };
            by_hand::protect(route(get(handler)), fixture)
        }
        "aliri_tower" => {
            let handler = |Extension(claims): Extension<aliri_tower::AliriClaims>| async move {
                claims.sub.to_string()
            };
            aliri_tower::protect(route(get(handler)), fixture)?
        }
        _ => return None,
    })
}

fn fixture_subject() -> String {
    crate::fixture::SUBJECT.to_owned()
}

/// Serves on a free port until the process is stopped, and prints the address.
pub fn serve(name: &str, fixture: &Fixture) -> io::Result<()> {
    let unknown = || io::Error::other(format!("no server of this name: {name}"));
    let router = router(name, fixture).ok_or_else(unknown)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("listening on http://{}", listener.local_addr()?);
        io::stdout().flush()?;
        axum::serve(listener, router).await
    })
}
