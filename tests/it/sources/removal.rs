//! What is left of the credential in the head of the request.

use http::request::Parts;
use http::{HeaderMap, Request};
use tower_jwt_auth::{JwtAuthLayer, Source, verify_fn};

use super::{cookie, every, get, handshake, header, layer};
use crate::support::requests::{reached, send};

const ORIGIN: (&str, &str) = ("origin", "https://app.example");

fn left(layer: &JwtAuthLayer<super::Seen>, request: Request<()>) -> Parts {
    reached(&send(layer, request)).expect("forwarded").clone()
}

fn lines(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
}

#[test]
fn credential_is_removed_from_the_head_if_the_layer_is_told_to() {
    let layer = layer(every()).remove_credential();
    for fields in [
        &[("authorization", "Bearer abc")][..],
        &[("x-token", "abc")],
        &[("cookie", "token=abc"), ORIGIN],
    ] {
        let head = left(&layer, get(&[fields, &[("x-other", "1")]].concat()));
        for (name, value) in &head.headers {
            assert!(!value.to_str().unwrap().contains("abc"), "{name}");
        }
        assert_eq!(lines(&head.headers, "x-other"), ["1"]);
    }
    let head = left(&layer, handshake(&["live.v1", "bearer.abc"]));
    assert_eq!(lines(&head.headers, "sec-websocket-protocol"), ["live.v1"]);
}

#[test]
fn other_cookies_stay_as_they_were() {
    let layer = layer([cookie()]).remove_credential();
    for (cookies, expected) in [
        (&["token=abc"][..], &[][..]),
        (&["a=1; token=abc; b=\"2\""], &["a=1; b=\"2\""]),
        (&["a=1;  b", "token=abc", "c=3"], &["a=1;  b", "c=3"]),
        (&["flag; token=abc;;"], &["flag"]),
    ] {
        let mut fields = vec![ORIGIN];
        fields.extend(cookies.iter().map(|line| ("cookie", *line)));
        let head = left(&layer, get(&fields));
        assert_eq!(lines(&head.headers, "cookie"), expected, "{cookies:?}");
        assert!(head.headers.get_all("cookie").iter().all(http::HeaderValue::is_sensitive));
    }
}

#[test]
fn credential_is_removed_without_sources_too_in_either_order_of_the_setters() {
    let verify = || {
        JwtAuthLayer::new(verify_fn(|token: &tower_jwt_auth::PresentedToken| {
            Ok((token.as_str().to_owned(), token.source()))
        }))
    };
    let layers = [
        verify().remove_credential(),
        verify().with_sources([Source::authorization_header()]).unwrap().remove_credential(),
        verify().remove_credential().with_sources([Source::authorization_header()]).unwrap(),
    ];
    for layer in layers {
        let head = left(&layer, get(&[("authorization", "Bearer abc")]));
        assert!(!head.headers.contains_key("authorization"));
    }
}

#[test]
fn credential_is_removed_where_the_layer_lets_a_request_pass_without_a_token() {
    let exempt = layer(every()).remove_credential().exempt(|_| true);
    for fields in [
        &[("authorization", "Bearer abc")][..],
        &[("authorization", "Bearer abc"), ("x-token", "abc"), ("cookie", "token=abc")],
        &[("authorization", "Bearer"), ("cookie", "token=abc; token=abc")],
        &[("x-token", "abc"), ("x-token", "abc")],
    ] {
        let head = left(&exempt, get(fields));
        assert!(head.headers.is_empty(), "{:?}", head.headers.keys().collect::<Vec<_>>());
    }
    let head = left(&exempt, handshake(&["live.v1", "bearer.abc"]));
    assert_eq!(lines(&head.headers, "sec-websocket-protocol"), ["live.v1"]);
    let optional = layer([cookie()]).remove_credential().optional();
    let head = left(&optional, get(&[("cookie", "token=abc"), ("origin", "https://evil.example")]));
    assert!(!head.headers.contains_key("cookie"));
}

#[test]
fn credentials_of_another_scheme_stay() {
    let layer = layer([Source::authorization_header(), header()]).remove_credential().optional();
    let head = left(&layer, get(&[("authorization", "Basic YTpi")]));
    assert_eq!(lines(&head.headers, "authorization"), ["Basic YTpi"]);
}

#[test]
fn credentials_of_another_scheme_stay_beside_those_that_an_exempt_layer_removes() {
    let sources = [Source::authorization_header(), header(), cookie()];
    let exempt = layer(sources).remove_credential().exempt(|_| true);
    for other in [("cookie", "token=abc"), ("x-token", "abc"), ("x-token", "a b")] {
        let head = left(&exempt, get(&[("authorization", "Basic YTpi"), other]));
        assert_eq!(lines(&head.headers, "authorization"), ["Basic YTpi"], "{other:?}");
        assert!(!head.headers.contains_key(other.0), "{other:?}");
    }
    // Not beside a token in the same header.
    for fields in [
        &[("authorization", "Basic YTpi, Bearer abc")][..],
        &[("authorization", "Basic YTpi"), ("authorization", "Bearer abc")],
    ] {
        let head = left(&exempt, get(fields));
        assert!(!head.headers.contains_key("authorization"), "{fields:?}");
    }
}
