//! Where the token is found, and what is no token; and who passes without one.

use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE,
    COOKIE, ORIGIN, TE,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use proptest::prelude::*;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, PresentedToken, ProblemJson, Rejection, RejectionKind,
    ResponseForRejection, Scope, VerifiedToken, dangerous_any_bearer, verify_async_fn, verify_fn,
};

use crate::support::challenge::parts as challenge_parts;
use crate::support::requests::{
    Body, bearer, challenge, field, reached, refusal, request, send, send_later,
};
use crate::support::{b64, claims, key};

/// A layer that accepts every token, and whose claims are the token.
fn echo() -> JwtAuthLayer<String> {
    JwtAuthLayer::new(verify_fn(|token: &PresentedToken| Ok(token.as_str().to_owned())))
}

/// The token that the inner service was called with, or the reason why it was not called.
fn outcome(response: &Response<Body>) -> Result<String, RejectionKind> {
    match refusal(response) {
        Some(kind) => {
            assert!(reached(response).is_none(), "refused, and the inner service was called");
            Err(kind)
        }
        None => {
            let head = reached(response).expect("neither refused nor forwarded");
            let token = VerifiedToken::<String>::from_extensions(&head.extensions).unwrap();
            Ok(token.claims().clone())
        }
    }
}

fn extracted<V: AsRef<[u8]>>(
    authorization: impl IntoIterator<Item = V>,
) -> Result<String, RejectionKind> {
    outcome(&send(&echo(), request(authorization)))
}

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
fn octets_beyond_ascii_are_a_malformed_request() {
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
fn the_header_stays_and_is_marked_sensitive() {
    for authorization in ["Bearer  abc", "bearer abc"] {
        let response = send(&echo(), request([authorization]));
        let value = &reached(&response).unwrap().headers[AUTHORIZATION];
        assert_eq!(value, authorization);
        assert!(value.is_sensitive());
        assert!(!format!("{:?}", reached(&response).unwrap()).contains("abc\""));
    }
    // What passes without being a bearer token is somebody's password, more often than not.
    let response = send(&echo().optional(), request(["Basic YTpi"]));
    let value = &reached(&response).unwrap().headers[AUTHORIZATION];
    assert_eq!(value, "Basic YTpi");
    assert!(value.is_sensitive());
}

#[test]
fn credentials_are_marked_sensitive_on_every_path_through_the_layer() {
    let layers = [
        echo().exempt(|_| true),
        echo().optional(),
        echo().optional().exempt(|_| true),
        echo().exempt(|_| false).optional(),
    ];
    let printing = echo().exempt(|head| {
        assert!(!format!("{head:?}").contains("canary"), "a predicate can print the head");
        true
    });
    let long = format!("Negotiate {}", "canary".repeat(20_000));
    for layer in layers.iter().chain([&printing]) {
        for authorization in [
            &["Bearer canary"][..],
            &["Basic canary"],
            &["Bearer canary!"],
            &["Basic a, Bearer canary"],
            &["Basic canary", "Bearer canary"],
            &["canary"],
            &[&long],
        ] {
            let response = send(layer, request(authorization));
            // Some are refused: then the inner service sees nothing.
            let Some(head) = reached(&response) else { continue };
            let values: Vec<_> = head.headers.get_all(AUTHORIZATION).iter().collect();
            assert_eq!(values, authorization, "{layer:?}");
            assert!(values.iter().all(|value| value.is_sensitive()), "{layer:?} {authorization:?}");
            assert!(!format!("{head:?}").contains("canary"), "{layer:?} {authorization:?}");
        }
    }
    // An exempt path passes all of them.
    assert!(reached(&send(&printing, request(["Basic canary", "Bearer canary"]))).is_some());
}

#[tokio::test]
async fn the_header_is_sensitive_after_a_wait_too() {
    let layer = JwtAuthLayer::new(verify_async_fn(async |token: PresentedToken| {
        tokio::task::yield_now().await;
        Ok(token.as_str().to_owned())
    }));
    let response = send_later(&layer, bearer("abc")).await;
    assert!(reached(&response).unwrap().headers[AUTHORIZATION].is_sensitive());
    assert_eq!(outcome(&response).as_deref(), Ok("abc"));
}

/// Answers with the head of the request.
struct HeadPrinter;

impl ResponseForRejection<Body> for HeadPrinter {
    type Remembered = Parts;

    fn remember(&self, head: &Parts) -> Parts {
        assert!(head.headers.get_all(AUTHORIZATION).iter().all(HeaderValue::is_sensitive));
        head.clone()
    }

    fn response_for_rejection(&self, _: &Rejection, head: &Parts) -> Response<Body> {
        Response::new(format!("{head:?}").into_bytes())
    }

    fn empty_body(&self) -> Body {
        Body::new()
    }
}

#[test]
fn what_a_responder_sees_of_the_credentials_is_sensitive() {
    for authorization in [
        &["Bearer canary"][..],
        &["Bearer canary!"],
        &["Basic canary"],
        &["Bearer canary", "Bearer canary"],
        &["Bearer a, Bearer canary"],
    ] {
        let refuse = |_: &PresentedToken| Err::<(), _>(Rejection::invalid_token());
        let layer = JwtAuthLayer::new(verify_fn(refuse)).with_rejection_response(HeadPrinter);
        let response = send(&layer, request(authorization));
        let body = String::from_utf8(response.into_body()).unwrap();
        assert!(!body.contains("canary"), "{body}");
    }
}

// Who passes without a token.

#[test]
fn optional_passes_those_without_a_bearer_token_and_nobody_else() {
    let layer = echo().optional();
    for authorization in [&[][..], &["Basic YTpi"], &["Negotiate"], &["DPoP abc"]] {
        let response = send(&layer, request(authorization));
        assert_eq!(response.status(), 204, "{authorization:?}");
        let head = reached(&response).unwrap();
        assert!(VerifiedToken::<String>::from_extensions(&head.extensions).is_err());
    }
    for (value, kind) in [
        ("Bearer", MalformedCredentials),
        ("Bearer a b", MalformedCredentials),
        ("", MalformedCredentials),
        ("Basic YTpi, Bearer abc", MultipleCredentials),
    ] {
        assert_eq!(refusal(&send(&layer, request([value]))), Some(kind), "{value:?}");
    }
    assert_eq!(outcome(&send(&layer, bearer("abc"))).as_deref(), Ok("abc"));
    let strict = JwtAuthLayer::new(key(Algorithm::HS256).verifier()).optional();
    let response = send(&strict, bearer("no-jwt"));
    assert_eq!(refusal(&response), Some(RejectionKind::MalformedToken), "bad ones do not pass");
}

#[test]
fn exempt_skips_the_layer_by_the_head() {
    let layer = echo()
        .exempt(|_| true)
        .exempt(|head| head.uri.path() == "/health" && head.method == Method::GET);
    let at = |path: &str, authorization: &[&str]| {
        let mut request = request(authorization);
        *request.uri_mut() = path.parse().unwrap();
        send(&layer, request)
    };
    // Altogether: nothing is looked at, and nothing is verified.
    for authorization in [&[][..], &["Bearer abc"], &["Bearer"], &["Bearer a", "Bearer b"]] {
        let response = at("/health?full", authorization);
        assert_eq!(response.status(), 204, "{authorization:?}");
        let head = reached(&response).unwrap();
        assert!(VerifiedToken::<String>::from_extensions(&head.extensions).is_err());
    }
    for path in ["/healthz", "/health/", "//health", "/health%2f", "/health;x=y", "/Health", "/"] {
        assert_eq!(at(path, &[]).status(), 401, "{path}");
    }
    let mut request = request([""; 0]);
    *request.uri_mut() = "/health".parse().unwrap();
    *request.method_mut() = Method::POST;
    assert_eq!(send(&layer, request).status(), 401, "the last predicate holds");
}

#[test]
fn no_options_request_passes_without_a_token() {
    let origin = (ORIGIN, "https://app.example");
    let asks = (ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let asks_headers = (ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    for fields in [
        vec![],
        vec![origin.clone()],
        vec![asks.clone()],
        // As browsers send it.
        vec![origin.clone(), asks.clone()],
        vec![origin, asks, asks_headers],
    ] {
        let options = |authorization: &[&str]| {
            let mut request = request(authorization);
            *request.method_mut() = Method::OPTIONS;
            for (name, value) in &fields {
                request.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            send(&echo(), request)
        };
        assert_eq!(outcome(&options(&[])), Err(MissingCredentials), "{fields:?}");
        assert_eq!(outcome(&options(&["Basic YTpi"])), Err(UnsupportedScheme), "{fields:?}");
        assert_eq!(outcome(&options(&["Bearer"])), Err(MalformedCredentials), "{fields:?}");
        assert_eq!(outcome(&options(&["Bearer abc"])).as_deref(), Ok("abc"), "{fields:?}");
    }
}

#[tokio::test]
async fn rules_of_every_kind_refuse_alike() {
    let jwt = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
    let any = JwtAuthLayer::new(dangerous_any_bearer());
    let rule = echo();
    let later = JwtAuthLayer::new(verify_async_fn(async |_: PresentedToken| Ok(())));
    for authorization in [
        &[][..],
        &["Basic YTpi"],
        &["Bearer"],
        &["Bearer a b"],
        &["Bearer a", "Bearer a"],
        &["Bearer a, Bearer b"],
    ] {
        for grpc in [false, true] {
            let mut request = request(authorization);
            if grpc {
                *request.method_mut() = Method::POST;
                let media_type = HeaderValue::from_static("application/grpc");
                request.headers_mut().insert(CONTENT_TYPE, media_type);
                request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            }
            let answers = [
                send(&jwt, request.clone()),
                send(&any, request.clone()),
                send(&rule, request.clone()),
                send_later(&later, request).await,
            ];
            for answer in &answers {
                assert!(refusal(answer).is_some());
                assert_eq!(refusal(answer), refusal(&answers[0]));
                assert_eq!(answer.status(), answers[0].status());
                assert_eq!(answer.headers(), answers[0].headers());
            }
        }
    }
    // And `dangerous_any_bearer` asks for no more than that there is one.
    let response = send(&any, bearer("anything"));
    let head = reached(&response).unwrap();
    assert!(VerifiedToken::<()>::from_extensions(&head.extensions).is_ok());
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

#[test]
fn a_token_matches_its_secret_and_nothing_else() {
    let token = PresentedToken::bearer("demo-key-alice").unwrap();
    assert!(token.matches("demo-key-alice"));
    assert!(token.matches(b"demo-key-alice"));
    assert!(token.matches(String::from("demo-key-alice")));
    for other in ["", "demo-key-alic", "demo-key-alice ", "demo-key-alicE", "Demo-key-alice"] {
        assert!(!token.matches(other), "{other:?}");
    }
    // The scheme is no part of it.
    let layer = JwtAuthLayer::new(verify_fn(|token: &PresentedToken| {
        token.matches("abc").then_some(()).ok_or_else(Rejection::invalid_token)
    }));
    for (value, status) in [("Bearer abc", 204), ("bearer  abc", 204), ("Bearer abcd", 401)] {
        assert_eq!(send(&layer, request([value])).status(), status, "{value}");
    }
}

#[test]
fn a_rule_sees_the_token_as_it_came() {
    let token = b64([0xab; 3000]);
    assert_eq!(extracted([format!("Bearer {token}")]).as_deref(), Ok(&*token));
}

// Properties.

/// The grammar once more, slowly: what is to become of these field lines.
fn reference(values: &[Vec<u8>]) -> Result<String, RejectionKind> {
    let value = match values {
        [] => return Err(MissingCredentials),
        [value] => value,
        _ => return Err(MultipleCredentials),
    };
    // A byte for a character.
    let text: String = value.iter().map(|octet| char::from(*octet)).collect();
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_long = value.len() > 65 * 1024;
    let is_bearer = |scheme: &str| scheme.eq_ignore_ascii_case("bearer");

    let scheme: String = text.chars().take_while(|c| is_tchar(*c)).collect();
    if scheme.is_empty() {
        return Err(MalformedCredentials);
    }
    if is_long {
        return Err(match is_bearer(&scheme) {
            true => RejectionKind::TokenTooLong,
            false => MalformedCredentials,
        });
    }
    if is_bearer(&scheme) {
        let rest = &text[scheme.len()..];
        let token = rest.trim_start_matches(' ');
        let body = token.trim_end_matches('=');
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        if rest.starts_with(' ') && !body.is_empty() && body.chars().all(fits) {
            return Ok(token.to_owned());
        }
    }
    // What follows each comma that is not quoted.
    let mut tails = Vec::new();
    let mut chars = text.chars();
    let mut quoted = false;
    let mut marks = 0;
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => {
                chars.next();
            }
            ',' if !quoted => tails.push(chars.as_str()),
            _ => continue,
        }
        marks += 1;
        if marks == 256 {
            break;
        }
    }
    // A scheme, a gap, and something that makes it no parameter.
    let is_credential = |tail: &&str| {
        let tail = tail.trim_start_matches([' ', '\t']);
        let (name, rest) = tail.split_at(tail.find(|c| !is_tchar(c)).unwrap_or(tail.len()));
        let value = rest.trim_start_matches([' ', '\t']);
        !name.is_empty() && value != rest && !value.is_empty() && !value.starts_with('=')
    };
    if tails.iter().any(is_credential) {
        Err(MultipleCredentials)
    } else if is_bearer(&scheme) || marks == 256 {
        Err(MalformedCredentials)
    } else {
        Err(UnsupportedScheme)
    }
}

/// B7, B8, B10 and H3 of whatever challenge this is.
fn assert_challenge(value: &HeaderValue, realm: &str) {
    let Some((scheme, params)) = challenge_parts(value.as_bytes()) else {
        panic!("cannot be parsed: {value:?}");
    };
    assert_eq!(scheme, "Bearer");
    assert_eq!(params[0], ("realm".to_owned(), realm.to_owned()));
    for (name, value) in &params[1..] {
        let fits = |c: char| match name.as_str() {
            "error" => c.is_ascii_lowercase() || c == '_',
            "scope" => matches!(c, '\x20' | '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e'),
            "error_description" | "acr_values" => {
                matches!(c, '\x20'..='\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e')
            }
            "max_age" => c.is_ascii_digit(),
            _ => panic!("an unknown parameter: {name}"),
        };
        assert!(value.chars().all(fits), "{name}={value:?}");
        assert!(!value.is_empty(), "{name}");
        if name == "scope" {
            assert!(value.split(' ').all(|part| !part.is_empty()), "{value:?}");
        }
    }
}

/// The octets that a header value can hold.
fn header_octets(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop_oneof![
            8 => prop::sample::select(&b"Bearer abc,=\"\\\t .-_~+/xyz0"[..]),
            1 => prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8],
        ],
        length,
    )
}

/// Field lines: arbitrary ones, and ones that are nearly good.
fn authorization() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let nearly = (
        prop::sample::select(vec!["Bearer", "bearer", "BEARER", "Basic", "Digest", "", "Bearer,"]),
        prop::sample::select(vec!["", " ", "  ", "\t", " \t", ", ", "=", " a=\"", ",Bearer "]),
        "[a-zA-Z0-9._~+/-]{0,12}={0,2}",
        header_octets(0..8),
    );
    let nearly = nearly.prop_map(|(scheme, gap, token, tail)| {
        [scheme.as_bytes(), gap.as_bytes(), token.as_bytes(), &tail].concat()
    });
    // The bounds: many marks, and many bytes.
    let many = (
        prop::sample::select(vec!["Digest a=b", "Basic YTpi", "Bearer a", "Digest a=\""]),
        prop::sample::select(vec![",", ", a=b", "\"", "\\\"", ", a=\"b\"", ", Bearer a", "\"\\"]),
        prop_oneof![Just(1..4_usize), Just(80..90), Just(250..260), Just(65_500..65_600)],
    );
    let many = many
        .prop_flat_map(|(start, part, times)| (Just(start), Just(part), times))
        .prop_map(|(start, part, times)| [start, &part.repeat(times)].concat().into_bytes());
    let good = "(B|b)earer {1,3}[a-zA-Z0-9._~+/-]{1,200}={0,3}".prop_map(String::into_bytes);
    let line = prop_oneof![2 => header_octets(0..40), 3 => nearly, 1 => good, 1 => many].boxed();
    prop_oneof![
        1 => Just(Vec::new()),
        12 => line.clone().prop_map(|line| vec![line]),
        1 => prop::collection::vec(line, 2..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 2000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn extraction_agrees_with_a_reference(values in authorization()) {
        let response = send(&echo(), request(&values));
        prop_assert_eq!(outcome(&response), reference(&values));
        // No input makes a 5xx, and every challenge parses.
        match refusal(&response) {
            Some(_) => {
                prop_assert!(matches!(response.status().as_u16(), 400 | 401));
                assert_challenge(&response.headers()["www-authenticate"], "api");
            }
            None => prop_assert_eq!(response.status(), 204),
        }
    }

    #[test]
    fn no_input_makes_a_panic_or_a_5xx(
        values in authorization(),
        method in "GET|POST|OPTIONS",
        fields in prop::collection::vec(
            (
                prop::sample::select(vec![
                    CONTENT_TYPE, TE, ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, COOKIE,
                ]),
                prop_oneof![
                    Just(b"application/grpc".to_vec()), Just(b"trailers".to_vec()),
                    header_octets(0..20),
                ],
            ),
            0..4,
        ),
    ) {
        let layer = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
        let mut request: Request<()> = request(&values);
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        for (name, value) in &fields {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(name, value);
        }
        for layer in [layer.clone(), layer.clone().optional(), layer.with_grpc_web()] {
            let problem = layer.clone().with_rejection_response(ProblemJson::new());
            let answers = [send(&layer, request.clone()), send(&problem, request.clone())];
            for response in &answers {
                prop_assert!(!response.status().is_server_error());
                if refusal(response).is_some() {
                    assert_challenge(&response.headers()["www-authenticate"], "api");
                    prop_assert_eq!(field(response, "cache-control"), Some("no-store"));
                }
            }
        }
    }

    #[test]
    fn no_token_of_three_parts_makes_a_panic_or_a_5xx(
        header in "[ -~]{0,20}|\\{\"alg\":\"[ -~]{0,9}\"(,\"[ -~]{0,9}\":[ -~]{0,9}){0,2}\\}",
        claims in ".{0,20}",
        signature in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        let layer = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
        let token = format!("{}.{}.{}", b64(header), b64(claims), b64(signature));
        let response = send(&layer, bearer(&token));
        prop_assert_eq!(response.status(), 401);
        assert_challenge(&response.headers()["www-authenticate"], "api");
    }

    #[test]
    fn every_challenge_parses_back(
        realm in "[ -~]{1,20}",
        scope in prop::collection::vec(prop_oneof!["[a-z:]{1,9}", "\\PC{0,9}", "[ -~]{0,9}"], 0..4),
        acr_values in prop::collection::vec(prop_oneof!["[a-z:]{1,9}", "\\PC{1,9}"], 0..3),
        max_age in prop::option::of(any::<u32>()),
    ) {
        let scope = Rejection::insufficient_scope(Scope::from(&*scope.join(" ")));
        let acr_values: Vec<&str> = acr_values.iter().map(String::as_str).collect();
        let age = max_age.map(|age| std::time::Duration::from_secs(age.into()));
        let step_up = Rejection::insufficient_user_authentication(&acr_values, age);
        let words = Rejection::invalid_token()
            .with_description("\"q\" \\ \r\n \0 \u{e9} \u{1f600} \u{7f} % plain");
        for rejection in [scope, step_up, words] {
            let verdict = rejection.clone();
            let layer = JwtAuthLayer::new(verify_fn(move |_: &PresentedToken| {
                Err::<(), _>(verdict.clone())
            }));
            let layer = layer.with_realm(&realm).unwrap();
            let response = send(&layer, bearer("abc"));
            prop_assert_eq!(response.status(), rejection.status());
            assert_challenge(&response.headers()["www-authenticate"], &realm);
        }
    }
}

#[test]
fn the_parser_of_challenges_is_strict() {
    let parsed = challenge_parts(br#"Bearer realm="a \"b\"", error="c""#).unwrap();
    assert_eq!(parsed.1, [("realm".into(), "a \"b\"".into()), ("error".into(), "c".into())]);
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer realm",
        "Bearer realm=",
        "Bearer realm=a",
        "Bearer realm=\"a",
        "Bearer realm=\"a\" ",
        "Bearer realm=\"a\",",
        "Bearer  realm=\"a\"",
        "Bearer realm=\"a\", realm=\"b\"",
        "Bearer realm=\"a\", Realm=\"b\"",
        "realm=\"a\"",
        "Bearer realm=\"a\"b\"",
        "Bearer realm=\"\t\"",
        "Bearer realm=\"\u{e9}\"",
    ] {
        assert!(challenge_parts(bad.as_bytes()).is_none(), "{bad}");
    }
}
