//! One credential in one source.

use http::{Method, Request, Version};
use tower_jwt_auth::{RejectionKind, Source, TokenSource};

use super::{cookie, every, found, get, handshake, header, layer, outcome, with_method, with_uri};
use crate::support::requests::{challenge, send};

use RejectionKind::{
    ForeignOrigin, MalformedCredentials, MissingCredentials, MultipleCredentials, UnsupportedScheme,
};

const TOKEN: &str = "abc";
/// `abc` in base64url.
const KUBERNETES: &str = "base64url.bearer.authorization.k8s.io.YWJj";

/// A handshake with a good credential in each of these sources.
pub(super) fn with_credentials(sources: &[TokenSource]) -> Request<()> {
    let has = |source| sources.contains(&source);
    let mut request =
        handshake(if has(TokenSource::WebSocketProtocol) { &[KUBERNETES] } else { &[] });
    let mut add = |name: &'static str, value: &'static str| {
        request.headers_mut().append(name, http::HeaderValue::from_static(value));
    };
    add("origin", "https://app.example");
    if has(TokenSource::AuthorizationHeader) {
        add("authorization", "Bearer abc");
    }
    if has(TokenSource::Header) {
        add("x-token", TOKEN);
    }
    if has(TokenSource::Cookie) {
        add("cookie", "token=abc");
    }
    match has(TokenSource::Query) {
        true => with_uri(request, "/orders?access_token=abc"),
        false => request,
    }
}

pub(super) fn kinds() -> Vec<TokenSource> {
    use TokenSource::{AuthorizationHeader, Cookie, Header, WebSocketProtocol};

    let mut kinds = vec![AuthorizationHeader, Header, Cookie, WebSocketProtocol];
    if cfg!(feature = "query-token") {
        kinds.push(TokenSource::Query);
    }
    kinds
}

#[test]
fn token_is_found_in_each_source_alone_whatever_the_order_is() {
    let mut reversed = every();
    reversed.reverse();
    for sources in [every(), reversed] {
        let layer = layer(sources);
        for kind in kinds() {
            let response = send(&layer, with_credentials(&[kind]));
            assert_eq!(outcome(&response), found(TOKEN, kind));
        }
        assert_eq!(outcome(&send(&layer, with_credentials(&[]))), Err(MissingCredentials));
    }
}

#[test]
fn credentials_in_two_sources_are_400_in_any_order() {
    let mut reversed = every();
    reversed.reverse();
    for sources in [every(), reversed] {
        for one in kinds() {
            for other in kinds().into_iter().filter(|other| *other != one) {
                let response = send(&layer(sources.clone()), with_credentials(&[one, other]));
                assert_eq!(response.status(), 400, "{one:?} and {other:?}");
                let challenge = challenge(&response).unwrap();
                assert!(challenge.contains("error=\"invalid_request\""), "{challenge}");
                assert_eq!(outcome(&response), Err(MultipleCredentials));
            }
        }
    }
    // An optional layer refuses them too.
    let response = send(&layer(every()).optional(), with_credentials(&kinds()));
    assert_eq!(outcome(&response), Err(MultipleCredentials));
}

#[test]
fn credentials_that_are_not_good_count_as_credentials() {
    let layer = layer([Source::authorization_header(), header(), cookie()]);
    let foreign = ("origin", "https://evil.example");
    let ours = ("origin", "https://app.example");
    for fields in [
        &[("authorization", "Bearer abc"), ("x-token", "")][..],
        &[("authorization", "Bearer"), ("x-token", "abc")],
        // Of any scheme: whoever reads `Authorization` might take another identity from it.
        &[("authorization", "Basic YTpi"), ("cookie", "token=abc"), ours],
        &[("authorization", "Bearer abc"), ("cookie", "token=abc"), foreign],
        &[("x-token", "abc"), ("cookie", "token=")],
        &[("x-token", "abc"), ("cookie", "token=a; token=b"), ours],
    ] {
        assert_eq!(outcome(&send(&layer, get(fields))), Err(MultipleCredentials), "{fields:?}");
    }
    for (fields, kind) in [
        (&[("authorization", "Basic YTpi")][..], UnsupportedScheme),
        (&[("x-token", "a b")], MalformedCredentials),
        (&[("cookie", "token=abc")], ForeignOrigin),
    ] {
        assert_eq!(outcome(&send(&layer, get(fields))), Err(kind), "{fields:?}");
    }
}

#[test]
fn source_that_is_not_configured_is_ignored() {
    let all = kinds();
    let default = crate::extraction::echo_outcome(with_credentials(&all));
    assert_eq!(default.as_deref(), Ok(TOKEN));
    let alone = [
        (Source::authorization_header(), TokenSource::AuthorizationHeader),
        (header(), TokenSource::Header),
        (cookie(), TokenSource::Cookie),
        (Source::websocket_protocol(), TokenSource::WebSocketProtocol),
        #[cfg(feature = "query-token")]
        (Source::dangerous_query("access_token").unwrap(), TokenSource::Query),
    ];
    for (source, kind) in alone {
        let response = send(&layer([source.clone()]), with_credentials(&all));
        assert_eq!(outcome(&response), found(TOKEN, kind));
        let others: Vec<_> = all.iter().copied().filter(|other| *other != kind).collect();
        let response = send(&layer([source]), with_credentials(&others));
        assert_eq!(outcome(&response), Err(MissingCredentials), "{kind:?}");
    }
}

#[test]
fn form_in_the_body_is_no_source() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let request = with_method(get(&[form, ("content-length", "16")]), &Method::POST);
    assert_eq!(outcome(&send(&layer(every()), request)), Err(MissingCredentials));
    let request = with_method(get(&[form, ("authorization", "Bearer abc")]), &Method::POST);
    let token = outcome(&send(&layer(every()), request));
    assert_eq!(token, found(TOKEN, TokenSource::AuthorizationHeader));
}

#[test]
fn http_version_does_not_change_where_headers_are_read() {
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let mut request = get(&[("x-token", "abc")]);
        *request.version_mut() = version;
        assert_eq!(outcome(&send(&layer(every()), request)), found(TOKEN, TokenSource::Header));
    }
}
