//! The token in another header.

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method};
use tower_jwt_auth::{RejectionKind, TokenSource};

use super::{found, get, header, layer, outcome};
use crate::support::requests::{field, reached, send};

use RejectionKind::{MalformedCredentials, MissingCredentials, MultipleCredentials, TokenTooLong};

fn extracted(values: &[&str]) -> Result<super::Seen, RejectionKind> {
    let fields: Vec<_> = values.iter().map(|value| ("x-token", *value)).collect();
    outcome(&send(&layer([header()]), get(&fields)))
}

#[test]
fn token_stands_in_the_header_alone_or_after_the_scheme() {
    for value in ["abc.def", "Bearer abc.def", "bearer   abc.def"] {
        assert_eq!(extracted(&[value]), found("abc.def", TokenSource::Header), "{value}");
    }
    // A token that only begins like the scheme.
    assert_eq!(extracted(&["Bearer.abc"]), found("Bearer.abc", TokenSource::Header));
}

#[test]
fn header_that_has_no_token68_is_malformed() {
    for value in
        ["", "Bearer", "Bearer ", "a b", "Basic YTpi", "a%20b", "\"abc\"", "é", "Bearer\tabc"]
    {
        assert_eq!(extracted(&[value]), Err(MalformedCredentials), "{value:?}");
    }
    assert_eq!(extracted(&[]), Err(MissingCredentials));
    let long = "a".repeat(70_000);
    assert_eq!(extracted(&[&long]), Err(TokenTooLong));
}

#[test]
fn two_tokens_in_the_header_are_refused() {
    assert_eq!(extracted(&["abc", "abc"]), Err(MultipleCredentials));
    assert_eq!(extracted(&["abc", ""]), Err(MultipleCredentials));
    assert_eq!(extracted(&["Bearer abc, Bearer def"]), Err(MultipleCredentials));
    assert_eq!(extracted(&["abc, def"]), Err(MalformedCredentials));
}

#[test]
fn value_of_the_header_is_marked_as_sensitive_and_stays() {
    let response = send(&layer([header()]), get(&[("x-token", "abc")]));
    let value = &reached(&response).unwrap().headers["x-token"];
    assert_eq!(value, "abc");
    assert!(value.is_sensitive());
}

#[test]
fn metadata_of_a_grpc_call_is_a_header() {
    let call = |fields| {
        let mut request = get(fields);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        send(&layer([header()]), request)
    };
    assert_eq!(outcome(&call(&[("x-token", "abc")])), found("abc", TokenSource::Header));
    let refused = call(&[("x-token", "a b")]);
    assert_eq!(refused.status(), 200);
    assert_eq!(field(&refused, "grpc-status"), Some("16"));
}
