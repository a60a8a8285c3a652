//! Tokens in every source: nothing that the crate writes shows them.

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, ProblemJson, Source};

use super::{CLAIM, Canaries, canaries_of};
use crate::support::requests::{reached, send};
use crate::support::{b64, claims, claims_with, key};

fn sources() -> Vec<Source> {
    vec![
        Source::authorization_header(),
        Source::header("x-token").unwrap(),
        Source::cookie("token", ["https://app.example"]).unwrap(),
        Source::websocket_protocol(),
        Source::websocket_protocol_with_prefix("bearer.").unwrap(),
        #[cfg(feature = "query-token")]
        Source::dangerous_query("access_token").unwrap(),
    ]
}

/// A handshake with the token in each of the sources, and once in two.
fn requests(token: &str) -> Vec<Request<()>> {
    let kubernetes = format!("base64url.bearer.authorization.k8s.io.{}", b64(token));
    let with = |fields: &[(&'static str, String)]| {
        let mut request = Request::new(());
        let handshake = [
            ("origin", "https://app.example"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let all = handshake.iter().map(|(name, value)| (*name, (*value).to_owned()));
        for (name, value) in all.chain(fields.iter().cloned()) {
            let value = HeaderValue::from_str(&value).unwrap();
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        request
    };
    let cookie = ("cookie", format!("theme={CLAIM}; token={token}"));
    let header = ("x-token", token.to_owned());
    let mut requests = vec![
        with(std::slice::from_ref(&header)),
        with(std::slice::from_ref(&cookie)),
        with(&[("sec-websocket-protocol", format!("live.v1, {kubernetes}"))]),
        with(&[("sec-websocket-protocol", format!("live.v1, bearer.{token}"))]),
        with(&[("sec-websocket-protocol", kubernetes)]),
        with(&[header, cookie]),
    ];
    if cfg!(feature = "query-token") {
        let mut request = with(&[]);
        *request.uri_mut() = format!("/orders?access_token={token}&page=2").parse().unwrap();
        requests.push(request);
    }
    requests
}

#[test]
fn no_text_shows_a_token_of_any_source() {
    let key = key(Algorithm::ES256);
    for claims in [claims(), claims_with("aud", CLAIM)] {
        let token = key.token(&claims);
        let canaries = canaries_of(key).token(&token).bytes(b64(&token).as_bytes());
        for request in requests(&token) {
            let layer = JwtAuthLayer::new(key.verifier()).with_sources(sources()).unwrap();
            canaries.debug(&layer);
            canaries.display(layer.describe());
            let problem = layer.clone().with_rejection_response(ProblemJson::new());
            let page = layer.clone().with_rejection_fn(|rejection, request| {
                http::Response::new(format!("{rejection} {}", request.uri()).into_bytes())
            });
            let mut post = request.clone();
            *post.method_mut() = Method::POST;
            for response in [
                send(&layer, request.clone()),
                send(&problem, request.clone()),
                send(&page, request.clone()),
                send(&layer, post.clone()),
                send(&layer.clone().exempt(|_| true), request.clone()),
                send(&layer.clone().remove_credential(), request),
            ] {
                if response.status() != 204 {
                    canaries.response(&response);
                }
                canaries.debug(response.headers());
                if let Some(head) = reached(&response) {
                    // As a trace layer inside would print it.
                    canaries.debug(&head.headers);
                    canaries.debug(&head.uri);
                }
            }
        }
    }
}

#[test]
fn canaries_hear_a_token_that_is_not_marked() {
    let token = key(Algorithm::ES256).token(&claims());
    let shown = format!("{:?}", requests(&token)[0].headers());
    let canaries = Canaries::new().token(&token);
    let heard = std::panic::catch_unwind(|| canaries.check(&shown));
    assert!(heard.is_err());
}
