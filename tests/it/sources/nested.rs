//! A layer with sources around another layer, and the token that a handler can extract.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{Request, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{JwtAuthLayer, PresentedToken, Source, verify_async_fn};

use super::{Seen, cookie, every, get, handshake, layer};
use crate::support::requests::Body;

const COOKIE: [(&str, &str); 2] = [("cookie", "token=abc"), ("origin", "https://app.example")];

/// The status that a request gets from two layers.
fn status(
    outer: &JwtAuthLayer<Seen>,
    inner: &JwtAuthLayer<Seen>,
    request: Request<()>,
) -> StatusCode {
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(http::Response::new(Body::new())));
    let response = outer.layer(inner.layer(service)).oneshot(request).now_or_never();
    response.unwrap().unwrap().status()
}

#[test]
fn inner_layer_with_the_source_finds_the_token_that_the_outer_one_removed() {
    let removing = layer(every()).remove_credential();
    for outer in [layer(every()), removing] {
        assert_eq!(status(&outer, &layer(every()), get(&COOKIE)), 200);
        assert_eq!(status(&outer, &layer([cookie()]), get(&COOKIE)), 200);
        assert_eq!(status(&outer, &layer(every()), handshake(&["bearer.abc"])), 200);
        // Not by another source.
        assert_eq!(status(&outer, &layer([Source::authorization_header()]), get(&COOKIE)), 401);
        assert_eq!(status(&outer, &layer([Source::websocket_protocol()]), get(&COOKIE)), 401);
    }
}

#[test]
fn inner_layer_checks_the_origin_by_its_own_list() {
    let outer = layer(every()).remove_credential();
    let strict = Source::cookie("token", ["https://admin.example:8443"]).unwrap();
    assert_eq!(status(&outer, &layer([strict]), get(&COOKIE)), 403);
}

#[test]
fn token_that_an_exempt_layer_removed_still_counts_for_an_inner_layer() {
    let outer = layer(every()).remove_credential().exempt(|_| true);
    assert_eq!(status(&outer, &layer(every()), get(&COOKIE)), 200);
    assert_eq!(status(&outer, &layer(every()), get(&[])), 401);
}

#[tokio::test]
async fn slow_verifier_gets_the_token_and_the_response_its_sub_protocol() {
    let verify = |token: PresentedToken| async move {
        tokio::task::yield_now().await;
        Ok((token.as_str().to_owned(), token.source()))
    };
    let layer = JwtAuthLayer::new(verify_async_fn(verify)).with_sources(every()).unwrap();
    let service = service_fn(async |_: Request<()>| {
        let mut response = http::Response::new(Body::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        Ok::<_, Infallible>(response)
    });
    let response = layer.layer(service).oneshot(handshake(&["bearer.abc"])).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "bearer.abc");
}

#[cfg(feature = "axum")]
mod extractor {
    use axum::body::Body;
    use axum::{Router, routing::get as get_route};
    use http_body_util::BodyExt;
    use tower_jwt_auth::verify_fn;

    use super::*;

    async fn presented(token: Option<PresentedToken>) -> String {
        token.map(|token| format!("{} {:?}", token.as_str(), token.source())).unwrap_or_default()
    }

    async fn ask(app: Router, request: Request<()>) -> String {
        let response = app.oneshot(request.map(|()| Body::empty())).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    fn app() -> Router {
        Router::new().route("/", get_route(presented))
    }

    #[tokio::test]
    async fn handler_extracts_the_token_of_every_source_also_if_it_was_removed() {
        for layer in [layer(every()), layer(every()).remove_credential()] {
            let app = app().layer(layer);
            assert_eq!(ask(app.clone(), get(&COOKIE)).await, "abc Cookie");
            assert_eq!(ask(app.clone(), get(&[("x-token", "abc")])).await, "abc Header");
            let bearer = [("authorization", "Bearer abc")];
            assert_eq!(ask(app.clone(), get(&bearer)).await, "abc AuthorizationHeader");
            let answer = ask(app, handshake(&["bearer.abc"])).await;
            assert_eq!(answer, "abc WebSocketProtocol");
        }
    }

    #[tokio::test]
    async fn handler_extracts_the_token_that_the_innermost_layer_verified() {
        let verify = |token: &PresentedToken| Ok(token.as_str().to_owned());
        let request = || get(&[COOKIE[0], COOKIE[1], ("authorization", "Bearer inner")]);
        let inner = JwtAuthLayer::new(verify_fn(verify));
        let inside = app().layer(inner.clone()).layer(layer([cookie()]));
        assert_eq!(ask(inside, request()).await, "inner AuthorizationHeader");
        let outside = app().layer(layer([cookie()])).layer(inner);
        assert_eq!(ask(outside, request()).await, "abc Cookie");
    }

    #[tokio::test]
    async fn handler_extracts_no_token_of_a_request_that_passed_without_one() {
        for fields in [&COOKIE[..], &[COOKIE[0], ("origin", "https://evil.example")], &[]] {
            let exempt = app().layer(layer(every()).exempt(|_| true));
            assert_eq!(ask(exempt, get(fields)).await, "");
        }
        let inner_exempt = app().layer(layer(every()).exempt(|_| true)).layer(layer(every()));
        assert_eq!(ask(inner_exempt, get(&COOKIE)).await, "");
        let optional = app().layer(layer(every()).optional());
        let foreign = [COOKIE[0], ("origin", "https://evil.example")];
        assert_eq!(ask(optional, get(&foreign)).await, "");
    }
}
