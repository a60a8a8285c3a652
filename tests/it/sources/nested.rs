//! A layer with sources around another layer, and the token that a handler can extract.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    JwtAuthLayer, PresentedToken, RejectionKind, Source, TokenSource, verify_async_fn, verify_fn,
};

#[cfg(feature = "query-token")]
use super::with_uri;
use super::{Seen, cookie, every, found, get, handshake, header, layer, outcome};
use crate::support::requests::{Body, Reached, reached, send};

use RejectionKind::{MalformedCredentials, MissingCredentials, MultipleCredentials};

const COOKIE: [(&str, &str); 2] = [("cookie", "token=abc"), ("origin", "https://app.example")];

/// The status that a request gets from two layers.
fn status(
    outer: &JwtAuthLayer<Seen>,
    inner: &JwtAuthLayer<Seen>,
    request: Request<()>,
) -> StatusCode {
    through(outer, inner, request).status()
}

/// The response to a request through two layers.
pub(super) fn through(
    outer: &JwtAuthLayer<Seen>,
    inner: &JwtAuthLayer<Seen>,
    request: Request<()>,
) -> Response<Body> {
    let response = outer.layer(inner.layer(reaching())).oneshot(request).now_or_never();
    response.unwrap().unwrap()
}

/// The response to a request through three layers.
fn through_three(
    outer: &JwtAuthLayer<Seen>,
    between: &JwtAuthLayer<Seen>,
    inner: &JwtAuthLayer<Seen>,
    request: Request<()>,
) -> Response<Body> {
    let service = outer.layer(between.layer(inner.layer(reaching())));
    service.oneshot(request).now_or_never().unwrap().unwrap()
}

/// A service that keeps the request in its response.
fn reaching()
-> impl Service<Request<()>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    service_fn(|request: Request<()>| {
        let mut response = Response::new(Body::new());
        response.extensions_mut().insert(Reached(request.into_parts().0));
        std::future::ready(Ok(response))
    })
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

#[test]
fn credentials_that_an_exempt_layer_removed_are_as_bad_for_an_inner_layer_as_before() {
    let outer = layer(every()).remove_credential().exempt(|_| true);
    let origin = COOKIE[1];
    for inner in [layer(every()), layer(every()).optional()] {
        for (request, kind) in [
            (get(&[("x-token", "abc"), ("x-token", "abc")]), MultipleCredentials),
            (
                get(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
                MultipleCredentials,
            ),
            (get(&[("cookie", "token=abc; token=def"), origin]), MultipleCredentials),
            (get(&[("cookie", "token=abc"), ("cookie", "token=def"), origin]), MultipleCredentials),
            (get(&[COOKIE[0], origin, ("x-token", "abc")]), MultipleCredentials),
            (handshake(&["bearer.abc, bearer.def"]), MultipleCredentials),
            (get(&[("authorization", "Bearer")]), MalformedCredentials),
            (get(&[("x-token", "a b")]), MalformedCredentials),
            (get(&[("cookie", "theme=dark; token="), origin]), MalformedCredentials),
            (handshake(&["live.v1, bearer."]), MalformedCredentials),
            #[cfg(feature = "query-token")]
            (with_uri(get(&[]), "/?access_token=a&x=1&access_token=b"), MultipleCredentials),
            #[cfg(feature = "query-token")]
            (with_uri(get(&[]), "/?access_token="), MalformedCredentials),
        ] {
            let response = through(&outer, &inner, request.clone());
            assert_eq!(outcome(&response), Err(kind), "{request:?}");
            assert_eq!(response.status(), 400, "{request:?}");
        }
    }
}

#[test]
fn cookie_that_an_optional_layer_removed_counts_for_an_inner_layer_with_its_origin() {
    let outer = layer([cookie()]).remove_credential().optional();
    let other = Source::cookie("token", ["https://other.example"]).unwrap();
    let request = get(&[COOKIE[0], ("origin", "https://other.example")]);
    let response = through(&outer, &layer([other]), request.clone());
    assert_eq!(outcome(&response), found("abc", TokenSource::Cookie));
    assert_eq!(status(&outer, &layer([cookie()]), request), 403);
}

#[test]
fn layer_in_between_does_not_hide_what_the_outermost_one_removed() {
    let ask = |inner: JwtAuthLayer<Seen>| {
        let [outer, between] = [cookie(), header()].map(|it| layer([it]).remove_credential());
        let service = inner.layer(service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Body::new()))
        }));
        let request = get(&[COOKIE[0], COOKIE[1], ("x-token", "def")]);
        let response = outer.layer(between.layer(service)).oneshot(request).now_or_never();
        response.unwrap().unwrap().status()
    };
    assert_eq!(ask(layer([cookie()])), 200);
    assert_eq!(ask(layer([header()])), 200);
    assert_eq!(ask(layer([cookie(), header()])), 400);
    assert_eq!(ask(layer([Source::authorization_header()])), 401);
}

#[test]
fn inner_layer_reads_a_removed_sub_protocol_by_its_own_prefix() {
    let prefix = |prefix| layer([Source::websocket_protocol_with_prefix(prefix).unwrap()]);
    for outer in [prefix("bearer."), prefix("bearer.").exempt(|_| true)] {
        let ask = |inner| through(&outer, &inner, handshake(&["bearer.v2.abc"]));
        let source = TokenSource::WebSocketProtocol;
        assert_eq!(outcome(&ask(prefix("bearer.v2."))), found("abc", source));
        assert_eq!(outcome(&ask(prefix("bearer."))), found("v2.abc", source));
        assert_eq!(outcome(&ask(prefix("bearer.v1."))), Err(MissingCredentials));
    }
}

#[test]
fn sub_protocol_in_the_head_does_not_hide_one_that_was_removed() {
    let prefix = |prefix| layer([Source::websocket_protocol_with_prefix(prefix).unwrap()]);
    let request = || handshake(&["bearer.v2.abc, bearer.def"]);
    for outer in [prefix("bearer.v2."), prefix("bearer.v2.").exempt(|_| true)] {
        let response = through(&outer, &prefix("bearer."), request());
        assert_eq!(outcome(&response), Err(MultipleCredentials));
        assert_eq!(response.status(), 400);
        // The same through a layer in between, which removes the other one.
        let service = |inner: JwtAuthLayer<Seen>| {
            let between = prefix("bearer.").exempt(|_| true);
            through_three(&outer, &between, &inner, request())
        };
        assert_eq!(outcome(&service(prefix("bearer."))), Err(MultipleCredentials));
        let source = TokenSource::WebSocketProtocol;
        assert_eq!(outcome(&service(prefix("bearer.v2."))), found("abc", source));
    }
}

#[test]
fn credential_that_a_service_adds_beside_a_removed_one_is_the_second_one() {
    for (first, second) in [
        (("authorization", "Bearer abc"), ("authorization", "Bearer def")),
        (("authorization", "Bearer abc"), ("authorization", "Basic YTpi")),
        (("x-token", "abc"), ("x-token", "def")),
        (COOKIE[0], ("cookie", "token=def")),
    ] {
        let outer = layer(every()).remove_credential();
        let ask = |inner: JwtAuthLayer<Seen>| {
            let inner = inner.layer(reaching());
            let exchange = service_fn(move |mut request: Request<()>| {
                let value = second.1.parse().unwrap();
                assert!(request.headers_mut().insert(second.0, value).is_none());
                inner.clone().oneshot(request)
            });
            let request = get(&[first, COOKIE[1]]);
            outer.layer(exchange).oneshot(request).now_or_never().unwrap().unwrap()
        };
        for inner in [layer(every()), layer(every()).optional()] {
            assert_eq!(outcome(&ask(inner)), Err(MultipleCredentials), "{second:?}");
        }
        // A layer without sources reads only the head.
        if second.1 == "Bearer def" {
            let inner = layer([Source::authorization_header()]);
            assert_eq!(outcome(&ask(inner)), found("def", TokenSource::AuthorizationHeader));
        }
    }
}

#[test]
fn service_reads_the_token_of_the_innermost_layer_from_the_request() {
    let read = |response: &Response<Body>| {
        let head = reached(response).expect("forwarded");
        let token = PresentedToken::from_request(&head.headers, &head.extensions);
        token.map(|token| token.map(|token| token.as_str().to_owned()))
    };
    let bearer = || get(&[("authorization", "Bearer abc")]);
    let verify = |token: &PresentedToken| Ok((token.as_str().to_owned(), token.source()));
    let default = || JwtAuthLayer::new(verify_fn(verify));
    let abc = Some("abc".to_owned());
    for layer in [default(), default().remove_credential(), layer(every()).remove_credential()] {
        assert_eq!(read(&send(&layer, bearer())).unwrap(), abc);
    }
    assert_eq!(read(&send(&layer(every()), get(&COOKIE))).unwrap(), abc);
    // Credentials of another scheme, or none that were verified.
    let basic = get(&[("authorization", "Basic YTpi")]);
    assert_eq!(read(&send(&default().optional(), basic)).unwrap(), None);
    assert_eq!(read(&send(&default().exempt(|_| true), bearer())).unwrap(), None);
    let response = through(&default(), &layer(every()).exempt(|_| true), bearer());
    assert_eq!(read(&response).unwrap(), None);
    let head = bearer().into_parts().0;
    let missing = PresentedToken::from_request(&head.headers, &head.extensions).unwrap_err();
    assert!(missing.to_string().contains("PresentedToken"), "{missing}");
}

#[tokio::test]
async fn slow_verifier_gets_the_token_and_the_response_its_sub_protocol() {
    let verify = |token: PresentedToken| async move {
        tokio::task::yield_now().await;
        Ok((token.as_str().to_owned(), token.source()))
    };
    let layer = JwtAuthLayer::new(verify_async_fn(verify)).with_sources(every()).unwrap();
    let service = service_fn(async |_: Request<()>| {
        let mut response = Response::new(Body::new());
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
