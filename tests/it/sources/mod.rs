//! The sources of a layer: where the token is found, that it is the only one, and what is left of it.

#[cfg(feature = "token-cache")]
mod cache;
mod config;
mod cookie;
mod exclusive;
mod header;
mod nested;
mod outcomes;
mod properties;
#[cfg(feature = "query-token")]
mod query;
mod removal;
mod websocket;

use http::{HeaderName, HeaderValue, Method, Request, Response};
use tower_jwt_auth::{JwtAuthLayer, PresentedToken, RejectionKind, Source, TokenSource, verify_fn};

use crate::support::requests::{Body, claims_or_refusal};

/// The text of a token, and where it was.
type Seen = (String, TokenSource);

/// A layer with these sources that accepts every token.
fn layer(sources: impl IntoIterator<Item = Source>) -> JwtAuthLayer<Seen> {
    let verify = |token: &PresentedToken| Ok((token.as_str().to_owned(), token.source()));
    JwtAuthLayer::new(verify_fn(verify)).with_sources(sources).unwrap()
}

fn cookie() -> Source {
    Source::cookie("token", ["https://app.example", "https://admin.example:8443"]).unwrap()
}

fn header() -> Source {
    Source::header("x-token").unwrap()
}

/// A source of each kind.
fn every() -> Vec<Source> {
    vec![
        Source::authorization_header(),
        header(),
        cookie(),
        Source::websocket_protocol(),
        Source::websocket_protocol_with_prefix("bearer.").unwrap(),
        #[cfg(feature = "query-token")]
        Source::dangerous_query("access_token").unwrap(),
    ]
}

/// A `GET` with these fields.
fn get(fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in fields {
        let name = HeaderName::try_from(*name).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name, value);
    }
    request
}

fn with_uri(mut request: Request<()>, uri: &str) -> Request<()> {
    *request.uri_mut() = uri.parse().unwrap();
    request
}

fn with_method(mut request: Request<()>, method: &Method) -> Request<()> {
    *request.method_mut() = method.clone();
    request
}

/// A WebSocket handshake over HTTP/1.1 that offers these sub-protocols.
fn handshake(protocols: &[&str]) -> Request<()> {
    let mut fields = vec![
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    fields.extend(protocols.iter().map(|line| ("sec-websocket-protocol", *line)));
    get(&fields)
}

/// What the verifier saw, or why the inner service was not called.
fn outcome(response: &Response<Body>) -> Result<Seen, RejectionKind> {
    claims_or_refusal(response)
}

fn found(token: &str, source: TokenSource) -> Result<Seen, RejectionKind> {
    Ok((token.to_owned(), source))
}
