//! The token in the query.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{JwtAuthLayer, RejectionKind, Source, TokenSource};

use super::{Seen, found, get, layer, outcome, with_uri};
use crate::support::requests::{Body, reached, send};

use RejectionKind::{MalformedCredentials, MissingCredentials, MultipleCredentials};

fn source() -> Source {
    Source::dangerous_query("access_token").unwrap()
}

fn extracted(uri: &str) -> Result<Seen, RejectionKind> {
    outcome(&send(&layer([source()]), with_uri(get(&[]), uri)))
}

#[test]
fn token_is_the_decoded_value_of_the_parameter() {
    for uri in [
        "/?access_token=abc.def",
        "/orders?page=2&access_token=abc.def&sort=asc",
        "/?access_token=abc%2Edef",
        "/?access%5Ftoken=abc.def",
        "https://api.example/orders?&&access_token=abc.def",
    ] {
        assert_eq!(extracted(uri), found("abc.def", TokenSource::Query), "{uri}");
    }
    assert_eq!(extracted("/?access_token=a%2Bb%2F%3D"), found("a+b/=", TokenSource::Query));
}

#[test]
fn parameter_with_another_name_is_no_token() {
    for uri in [
        "/",
        "/?",
        "/?token=abc",
        "/?Access_Token=abc",
        "/?x=access_token=abc",
        "/access_token=abc",
    ] {
        assert_eq!(extracted(uri), Err(MissingCredentials), "{uri}");
    }
}

#[test]
fn same_parameter_twice_is_refused() {
    for uri in [
        "/?access_token=abc&access_token=abc",
        "/?access_token=abc&access%5ftoken=def",
        "/?access_token&access_token=abc",
    ] {
        assert_eq!(extracted(uri), Err(MultipleCredentials), "{uri}");
    }
}

#[test]
fn value_that_is_no_token68_is_malformed() {
    for value in ["", "a+b", "a%20b", "a%0d%0ab", "a%00", "%ff", "%C3%A9", "a%", "\"a\""] {
        let value = value.replace('"', "%22");
        assert_eq!(
            extracted(&format!("/?access_token={value}")),
            Err(MalformedCredentials),
            "{value}"
        );
    }
    assert_eq!(extracted("/?access_token"), Err(MalformedCredentials));
}

#[test]
fn parameter_is_removed_from_the_uri_and_the_others_stay_as_they_were() {
    for (uri, left) in [
        ("/?access_token=abc", "/"),
        ("/a%20b?x=%41+&access_token=abc&&y", "/a%20b?x=%41+&&y"),
        ("/?access%5Ftoken=abc&x", "/?x"),
        ("https://api.example/orders?access_token=abc", "https://api.example/orders"),
        ("https://api.example?access_token=abc&x=1", "https://api.example/?x=1"),
    ] {
        let response = send(&layer([source()]), with_uri(get(&[]), uri));
        assert_eq!(
            reached(&response).unwrap().uri.to_string(),
            left.parse::<http::Uri>().unwrap().to_string(),
            "{uri}"
        );
    }
}

#[test]
fn neither_the_predicate_nor_the_refusal_sees_the_parameter() {
    let uri = "/orders?access_token=canary%20&page=2";
    let refusing = layer([source()])
        .with_rejection_fn(|_, request| Response::new(request.uri().to_string().into_bytes()));
    let response = send(&refusing, with_uri(get(&[]), uri));
    assert_eq!(response.status(), 400);
    assert_eq!(response.body(), b"/orders?page=2");
    // Also where the layer lets everything pass.
    let exempt = layer([source()]).exempt(|head| head.uri == "/orders?page=2");
    let response = send(&exempt, with_uri(get(&[]), uri));
    assert_eq!(reached(&response).unwrap().uri, "/orders?page=2");
}

/// The `Cache-Control` lines of a response to a request with a token in the query.
fn cached(uri: &str, status: u16, lines: &'static [&'static str]) -> Vec<String> {
    cached_through(&layer([Source::authorization_header(), source()]), uri, status, lines)
}

fn cached_through(
    layer: &JwtAuthLayer<Seen>,
    uri: &str,
    status: u16,
    lines: &'static [&'static str],
) -> Vec<String> {
    let inner = service_fn(async |_: Request<()>| {
        let mut response = Response::new(Body::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for line in lines {
            response.headers_mut().append(CACHE_CONTROL, HeaderValue::from_static(line));
        }
        Ok::<_, Infallible>(response)
    });
    let request = match uri {
        "" => get(&[("authorization", "Bearer abc")]),
        uri => with_uri(get(&[]), uri),
    };
    let response = layer.layer(inner).oneshot(request).now_or_never().unwrap().unwrap();
    let lines = response.headers().get_all(CACHE_CONTROL).iter();
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

#[test]
fn success_is_kept_out_of_shared_caches() {
    let uri = "/?access_token=abc";
    for (lines, expected) in [
        (&[][..], &["private"][..]),
        (&["max-age=60"], &["max-age=60, private"]),
        (&["public, max-age=60"], &["max-age=60, private"]),
        (&["Public", "s-maxage=60, no-cache"], &["no-cache, private"]),
        (&["private=\"set-cookie, x\""], &["private=\"set-cookie, x\", private"]),
        // Strict already.
        (&["no-store"], &["no-store"]),
        (&["max-age=1, Private"], &["max-age=1, Private"]),
        (&["public", "NO-STORE"], &["public", "NO-STORE"]),
    ] {
        assert_eq!(cached(uri, 200, lines), expected, "{lines:?}");
        assert_eq!(cached(uri, 206, lines), expected, "{lines:?}");
        // Only with a token in the query, and only for success.
        assert_eq!(cached("", 200, lines), lines, "{lines:?}");
        assert_eq!(cached(uri, 404, lines), lines, "{lines:?}");
    }
}

#[test]
fn success_of_an_exempt_request_is_kept_out_of_shared_caches_too() {
    let exempt = layer([source()]).exempt(|_| true);
    for layer in [exempt.clone(), exempt.remove_credential()] {
        assert_eq!(cached_through(&layer, "/?access_token=abc", 200, &[]), ["private"]);
        assert_eq!(cached_through(&layer, "/?access_token=", 200, &[]), ["private"]);
        assert_eq!(cached_through(&layer, "/?page=2", 200, &[]), [""; 0]);
        assert_eq!(cached_through(&layer, "/?access_token=abc", 404, &[]), [""; 0]);
    }
}
