//! The grammar of the header field, and what is found elsewhere.

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderValue, Method};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, RejectionKind, VerifiedToken};

use super::{echo, extracted, outcome};
use crate::support::challenge::parts as challenge_parts;
use crate::support::requests::{bearer, challenge, reached, refusal, request, send};
use crate::support::{claims, key};

use RejectionKind::{
    MalformedCredentials, MissingCredentials, MultipleCredentials, UnsupportedScheme,
};

#[test]
fn a_bearer_token_is_accepted() {
    for token in ["a", "abc.def.ghi", "-._~+/", "YWJj==", "a=", "0", "mF_9.B5f-4.1JqM"] {
        assert_eq!(extracted([format!("Bearer {token}")]).as_deref(), Ok(token));
    }
    let token = key(Algorithm::ES256).token(&claims());
    let layer = JwtAuthLayer::new(key(Algorithm::ES256).verifier());
    let response = send(&layer, bearer(&token));
    let head = reached(&response).unwrap();
    let verified: &VerifiedToken = VerifiedToken::from_extensions(&head.extensions).unwrap();
    assert_eq!(verified.sub.as_deref(), Some("alice"));
}

#[test]
fn two_spaces_are_fine() {
    assert_eq!(extracted(["Bearer  abc"]).as_deref(), Ok("abc"));
    let many = format!("Bearer{}abc", " ".repeat(1000));
    assert_eq!(extracted([many]).as_deref(), Ok("abc"));
}

#[test]
fn what_is_no_token68_is_a_malformed_request() {
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer   ",
        "Bearer\tabc",
        "Bearer \tabc",
        "Bearer\t abc",
        "Bearer abc ",
        "Bearer abc\t",
        "Bearer a b",
        "Bearer a=b",
        "Bearer =",
        "Bearer ==a",
        "Bearer a%20b",
        "Bearer a,b",
        "Bearer a,",
        "Bearer ,",
        "Bearer \"abc\"",
        "Bearer {}",
        "Bearer a\\b",
        "Bearer a:b",
        "Bearer a;b",
        "Bearer a!b",
        "Bearer <a>",
        "Bearer=abc",
        "Bearer,abc",
        "Bearer:abc",
        "Bearer/abc",
        "Bearer token=\"abc\"",
        " Bearer abc",
        "",
        " ",
        "\tBearer abc",
        ",",
        ", Bearer abc",
        "\"Bearer abc\"",
        "=",
        "(comment) Bearer abc",
    ] {
        assert_eq!(extracted([value]), Err(MalformedCredentials), "{value:?}");
        let response = send(&echo(), request([value]));
        assert_eq!(response.status(), 400, "{value:?}");
        assert!(challenge(&response).unwrap().contains("error=\"invalid_request\""), "{value:?}");
    }
}

#[test]
fn no_credentials_and_other_schemes_get_a_challenge_without_error() {
    let others = [
        "Basic YTpi",
        "Basic Og==",
        "Digest username=\"a, Bearer b\", realm=\"r\", uri=\"/\"",
        "Digest a=1, b = 2,c\t=3",
        "Digest a=\"\\\", Bearer b\"",
        "Negotiate YII=",
        "Negotiate",
        "DPoP abc",
        "BearerX abc",
        "Bearer-Token abc",
        "Bear abc",
        "B abc",
        "abc.def.ghi",
        "Token abc",
        "Basic ,",
        "Basic YTpi,",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=c",
    ];
    let missing = send(&echo(), request([""; 0]));
    assert_eq!(refusal(&missing), Some(MissingCredentials));
    for value in others {
        let response = send(&echo(), request([value]));
        assert_eq!(refusal(&response), Some(UnsupportedScheme), "{value:?}");
        for response in [&response, &missing] {
            assert_eq!(response.status(), 401);
            assert_eq!(challenge(response), Some("Bearer realm=\"api\""));
        }
    }
}

#[test]
fn one_realm_one_error_and_never_a_bare_bearer() {
    for (value, status, error) in [
        ("Bearer", 400, "invalid_request"),
        ("Bearer a, Bearer b", 400, "invalid_request"),
        ("Bearer no-jwt", 401, "invalid_token"),
    ] {
        let layer = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
        let response = send(&layer, request([value]));
        assert_eq!(response.status(), status, "{value:?}");
        let (scheme, params) = challenge_parts(challenge(&response).unwrap().as_bytes()).unwrap();
        assert_eq!(scheme, "Bearer");
        let names: Vec<_> = params.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["realm", "error", "error_description"]);
        assert_eq!(params[1].1, error);
    }
}

#[test]
fn the_scheme_is_case_insensitive() {
    for scheme in ["bearer", "BEARER", "bEaReR", "Bearer"] {
        assert_eq!(extracted([format!("{scheme} abc")]).as_deref(), Ok("abc"), "{scheme}");
        assert_eq!(extracted([scheme]), Err(MalformedCredentials), "{scheme}");
    }
}

#[test]
fn two_field_lines_are_refused_in_either_order() {
    let values = ["Bearer abc", "Bearer xyz", "Basic YTpi", "DPoP abc", "Bearer", "", "\"", "abc"];
    for first in values {
        for second in values {
            assert_eq!(extracted([first, second]), Err(MultipleCredentials), "{first}, {second}");
            let response = send(&echo(), request([first, second]));
            assert_eq!(response.status(), 400);
        }
    }
    assert_eq!(extracted(["Bearer abc"; 50]), Err(MultipleCredentials));
    // Not even in optional mode, where neither line would have to be a bearer token.
    let response = send(&echo().optional(), request(["Basic YTpi", "Basic YTpi"]));
    assert_eq!(refusal(&response), Some(MultipleCredentials));
}

#[test]
fn two_credentials_in_one_line_are_refused() {
    for value in [
        "Bearer abc, Bearer abc",
        "Bearer abc,Bearer xyz",
        "Bearer abc, Basic YTpi",
        "Basic YTpi, Bearer abc",
        "Basic YTpi,\tBearer abc",
        "Digest a=\"b\", c=\"d\", Bearer abc",
        "Digest a=\"b, Bearer c\", Bearer abc",
        "DPoP abc, Bearer abc",
        "Bearer , Bearer abc",
        "Bearer \"a\", Bearer b",
        "Negotiate, Bearer abc",
        "Basic YTpi,,Bearer abc",
        "bearer a,b,c d",
    ] {
        assert_eq!(extracted([value]), Err(MultipleCredentials), "{value:?}");
        let response = send(&echo(), request([value]));
        assert_eq!(response.status(), 400, "{value:?}");
    }
}

#[test]
fn bytes_beyond_ascii_are_a_malformed_request() {
    for value in [
        &b"Bearer \xff"[..],
        b"Bearer a\xc3\xbc",
        b"Bearer abc\x80",
        b"\xffBearer abc",
        b"\x80",
        b"Bearer\xa0abc",
        b"Bearer \xa0abc",
    ] {
        let response = send(&echo(), request([value]));
        assert_eq!(response.status(), 400, "{value:?}");
        assert_eq!(refusal(&response), Some(MalformedCredentials), "{value:?}");
    }
    // Of another scheme they are no business of ours.
    assert_eq!(extracted([b"Basic \xff"]), Err(UnsupportedScheme));
}

#[test]
fn tokens_elsewhere_than_in_the_header_are_ignored() {
    let mut elsewhere = request([""; 0]);
    *elsewhere.uri_mut() = "/?access_token=abc".parse().unwrap();
    *elsewhere.method_mut() = Method::POST;
    let fields = [
        (CONTENT_TYPE, "application/x-www-form-urlencoded"),
        (COOKIE, "access_token=abc"),
        (http::header::PROXY_AUTHORIZATION, "Bearer abc"),
        (http::HeaderName::from_static("x-access-token"), "abc"),
    ];
    for (name, value) in fields {
        elsewhere.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    assert_eq!(outcome(&send(&echo(), elsewhere.clone())), Err(MissingCredentials));
    // And they do not spoil the one in the header.
    elsewhere.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer good"));
    assert_eq!(outcome(&send(&echo(), elsewhere)).as_deref(), Ok("good"));
}

#[test]
fn a_value_too_long_to_be_read_is_refused() {
    let fill = |start: &str, part: &str, length: usize| {
        let mut value = start.to_owned();
        while value.len() + part.len() <= length {
            value.push_str(part);
        }
        value
    };
    const MOST: usize = 65 * 1024;
    // What has no bearer token in it passes an optional layer only when it was read to its end.
    let optional = echo().optional();
    for (start, part) in [("Negotiate ", "YII"), ("Basic ", "="), ("", "abc."), ("Hawk a=\"", "x")]
    {
        let short = fill(start, part, MOST);
        assert_eq!(extracted([&short]), Err(UnsupportedScheme), "{start}");
        assert_eq!(send(&optional, request([&short])).status(), 204, "{start}");
        let long = fill(start, part, MOST + 8);
        assert_eq!(extracted([&long]), Err(MalformedCredentials), "{start}");
        assert_eq!(send(&optional, request([&long])).status(), 400, "{start}");
    }
    let longest = fill("Bearer ", "x", MOST);
    assert_eq!(extracted([&longest]).unwrap().len(), MOST - "Bearer ".len());
    for long in [fill("Bearer ", "x", MOST + 1), fill("Bearer", " ", MOST + 1) + "x"] {
        assert_eq!(extracted([&long]), Err(RejectionKind::TokenTooLong));
        assert_eq!(send(&optional, request([&long])).status(), 401);
    }
}

#[test]
fn so_many_parameters_that_a_second_credential_could_hide_are_refused() {
    let optional = echo().optional();
    for (start, part, most) in [
        ("Digest a=b", ", a=b", 255),
        ("Digest a=b", ", a=\"b\"", 85),
        ("Digest a=\"", "\\\"", 254),
        ("Basic YTpi", ",", 255),
        ("Basic YTpi", "\"", 255),
    ] {
        let few = format!("{start}{}", part.repeat(most));
        assert_eq!(extracted([&few]), Err(UnsupportedScheme), "{start} {part}");
        for (tail, after) in [("", MalformedCredentials), (", Bearer abc", MalformedCredentials)] {
            let many = format!("{start}{}{tail}", part.repeat(most + 1));
            assert_eq!(extracted([&many]), Err(after), "{start} {part}");
            assert_eq!(send(&optional, request([&many])).status(), 400, "{start} {part}");
        }
    }
    // A comma in a quoted string is text.
    let quoted = format!("Digest a=\"{}\", b=c", ",".repeat(10_000));
    assert_eq!(extracted([quoted]), Err(UnsupportedScheme));
}
