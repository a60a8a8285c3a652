//! The token in a sub-protocol of a WebSocket handshake.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{JwtAuthLayer, RejectionKind, Source, TokenSource};

use super::{Seen, found, handshake, layer, outcome, with_method, with_uri};
use crate::support::b64;
use crate::support::requests::{Body, field, reached, send};

use RejectionKind::{MalformedCredentials, MissingCredentials, MultipleCredentials};

const PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

fn sources() -> [Source; 2] {
    [Source::websocket_protocol(), Source::websocket_protocol_with_prefix("bearer.").unwrap()]
}

fn kubernetes(token: impl AsRef<[u8]>) -> String {
    format!("{PREFIX}{}", b64(token))
}

fn extracted(protocols: &[&str]) -> Result<Seen, RejectionKind> {
    outcome(&send(&layer(sources()), handshake(protocols)))
}

/// The sub-protocols that the inner service sees.
fn left(protocols: &[&str]) -> Vec<String> {
    let response = send(&layer(sources()), handshake(protocols));
    let head = reached(&response).unwrap();
    let lines = head.headers.get_all("sec-websocket-protocol").iter();
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

#[test]
fn token_is_read_from_its_sub_protocol_in_both_forms() {
    let expected = found("abc.def-g_h", TokenSource::WebSocketProtocol);
    let encoded = kubernetes("abc.def-g_h");
    for protocols in [
        &[&*encoded][..],
        &[&format!("live.v1, {encoded}")],
        &[&format!("{encoded},live.v1")],
        &["live.v1", &encoded, "live.v2"],
        &["bearer.abc.def-g_h"],
        &["live.v1,  bearer.abc.def-g_h ,live.v2"],
    ] {
        assert_eq!(extracted(protocols), expected, "{protocols:?}");
    }
    // A token that no sub-protocol can contain as it is.
    let opaque = found("a/b+c==", TokenSource::WebSocketProtocol);
    assert_eq!(extracted(&[&kubernetes("a/b+c==")]), opaque);
}

#[test]
fn sub_protocol_of_the_token_is_taken_out_of_the_list() {
    let encoded = kubernetes("abc");
    assert_eq!(left(&[&format!("live.v1, {encoded}, live.v2")]), ["live.v1, live.v2"]);
    assert_eq!(left(&["live.v1", &encoded, "live.v2, live.v3"]), ["live.v1, live.v2, live.v3"]);
    assert_eq!(left(&["bearer.abc"]), [""; 0]);
}

#[test]
fn sub_protocol_without_a_readable_token_is_malformed() {
    for protocol in [
        PREFIX.to_owned(),
        format!("{PREFIX}*"),
        format!("{PREFIX}YWJj="),
        // The last bits are not zero.
        format!("{PREFIX}YWJ"),
        kubernetes("a b"),
        kubernetes("a\r\nb"),
        kubernetes([0xff, 0xfe]),
        "bearer.".to_owned(),
        "bearer.a b".to_owned(),
    ] {
        assert_eq!(extracted(&[&protocol]), Err(MalformedCredentials), "{protocol}");
    }
}

#[test]
fn two_tokens_among_the_sub_protocols_are_refused() {
    let encoded = kubernetes("abc");
    for protocols in [
        &[&*format!("{encoded}, {encoded}")][..],
        &[&encoded, "bearer.abc"],
        &["bearer.abc, bearer."],
    ] {
        assert_eq!(extracted(protocols), Err(MultipleCredentials), "{protocols:?}");
    }
}

#[test]
fn sub_protocol_with_another_name_is_no_token() {
    for protocol in ["live.v1", "Bearer.abc", "xbearer.abc", "bearer", &PREFIX.to_uppercase()] {
        assert_eq!(extracted(&[protocol]), Err(MissingCredentials), "{protocol}");
    }
}

#[test]
fn only_a_websocket_handshake_can_have_the_token_in_a_sub_protocol() {
    let ask = |request| outcome(&send(&layer(sources()), request));
    let good = || handshake(&["bearer.abc"]);
    let expected = found("abc", TokenSource::WebSocketProtocol);
    assert_eq!(ask(good()), expected);
    for name in ["connection", "upgrade", "sec-websocket-version", "sec-websocket-key"] {
        let mut request = good();
        request.headers_mut().remove(name);
        assert_eq!(ask(request), Err(MissingCredentials), "{name}");
    }
    for (name, value) in [
        ("connection", "keep-alive"),
        ("upgrade", "h2c"),
        ("upgrade", "websockets"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-version", "13, 8"),
    ] {
        let mut request = good();
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        assert_eq!(ask(request), Err(MissingCredentials), "{name}: {value}");
    }
    for method in [Method::POST, Method::HEAD, Method::OPTIONS, Method::CONNECT] {
        assert_eq!(ask(with_method(good(), &method)), Err(MissingCredentials), "{method}");
    }
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let mut request = good();
        *request.version_mut() = version;
        assert_eq!(ask(request), Err(MissingCredentials), "{version:?}");
    }
}

/// A handshake over HTTP/2, as hyper gives it to a service.
fn extended_connect(uri: &str) -> Request<()> {
    let mut request = with_uri(handshake(&["bearer.abc"]), uri);
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    for name in ["connection", "upgrade", "sec-websocket-key"] {
        request.headers_mut().remove(name);
    }
    request
}

#[test]
fn extended_connect_is_a_handshake_and_a_plain_connect_is_not() {
    let ask = |uri| outcome(&send(&layer(sources()), extended_connect(uri)));
    let expected = found("abc", TokenSource::WebSocketProtocol);
    assert_eq!(ask("https://api.example/live"), expected);
    assert_eq!(ask("api.example:443"), Err(MissingCredentials));
}

/// The sub-protocol in the response, where the inner service answers with this status and selects `selected`.
fn selected(request: Request<()>, status: u16, selected: Option<&'static str>) -> Option<String> {
    selected_through(&layer(sources()), request, status, selected)
}

fn selected_through(
    layer: &JwtAuthLayer<Seen>,
    request: Request<()>,
    status: u16,
    selected: Option<&'static str>,
) -> Option<String> {
    let inner = service_fn(async |_: Request<()>| {
        let mut response = Response::new(Body::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(protocol) = selected {
            let protocol = HeaderValue::from_static(protocol);
            response.headers_mut().insert("sec-websocket-protocol", protocol);
        }
        Ok::<_, Infallible>(response)
    });
    let response = layer.layer(inner).oneshot(request);
    let response = response.now_or_never().unwrap().unwrap();
    if let Some(value) = response.headers().get("sec-websocket-protocol") {
        assert_eq!(value.is_sensitive(), selected.is_none(), "`Debug` must not show the token");
    }
    field(&response, "sec-websocket-protocol").map(str::to_owned)
}

#[test]
fn layer_selects_the_only_sub_protocol_where_the_service_selects_none() {
    let only = || handshake(&["bearer.abc"]);
    assert_eq!(selected(only(), 101, None).as_deref(), Some("bearer.abc"));
    let encoded = kubernetes("abc");
    assert_eq!(selected(handshake(&[&encoded]), 101, None), Some(encoded));
    let connect = || extended_connect("https://api.example/live");
    assert_eq!(selected(connect(), 200, None).as_deref(), Some("bearer.abc"));
    // The service knows better, there is another choice, or no connection was opened.
    assert_eq!(selected(only(), 101, Some("x")).as_deref(), Some("x"));
    assert_eq!(selected(handshake(&["live.v1, bearer.abc"]), 101, None), None);
    for status in [200, 204, 400, 426, 500] {
        assert_eq!(selected(only(), status, None), None, "{status}");
    }
    assert_eq!(selected(connect(), 400, None), None);
}

#[test]
fn exempt_handshake_has_no_token_among_its_sub_protocols_and_the_only_one_is_selected() {
    let exempt = layer(sources()).exempt(|_| true);
    for layer in [exempt.clone(), exempt.remove_credential()] {
        for (offered, expected) in [("live.v1, bearer.abc", Some("live.v1")), ("bearer.abc", None)]
        {
            let response = send(&layer, handshake(&[offered]));
            let left = reached(&response).unwrap().headers.get("sec-websocket-protocol").cloned();
            assert_eq!(left, expected.map(HeaderValue::from_static), "{offered}");
        }
        let only = || handshake(&["bearer.abc"]);
        let selected = |status, by_service| selected_through(&layer, only(), status, by_service);
        assert_eq!(selected(101, None).as_deref(), Some("bearer.abc"));
        assert_eq!(selected(101, Some("x")).as_deref(), Some("x"));
        assert_eq!(selected(200, None), None);
    }
}

#[test]
fn predicate_sees_no_token_and_sub_protocols_that_are_marked_as_sensitive() {
    let layer = layer(sources()).exempt(|head| {
        let value = &head.headers["sec-websocket-protocol"];
        value == "live.v1" && value.is_sensitive()
    });
    let response = send(&layer, handshake(&["live.v1", "bearer.a b"]));
    assert_eq!(response.status(), 204);
}
