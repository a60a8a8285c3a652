//! Any field lines, against the grammar once more; and the challenges that they get.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, COOKIE, ORIGIN, TE};
use http::{HeaderValue, Method, Request};
use proptest::prelude::*;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, PresentedToken, ProblemJson, Rejection, RejectionKind, Scope,
    verify_fn,
};

use super::{echo, outcome};
use crate::support::challenge::parts as challenge_parts;
use crate::support::requests::{bearer, field, refusal, request, send};
use crate::support::{b64, key};

use RejectionKind::{
    MalformedCredentials, MissingCredentials, MultipleCredentials, UnsupportedScheme,
};

/// The bytes that a header value can hold.
fn header_bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
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
        header_bytes(0..8),
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
    let line = prop_oneof![2 => header_bytes(0..40), 3 => nearly, 1 => good, 1 => many].boxed();
    prop_oneof![
        1 => Just(Vec::new()),
        12 => line.clone().prop_map(|line| vec![line]),
        1 => prop::collection::vec(line, 2..4),
    ]
}

/// The grammar once more, slowly: what is to become of these field lines.
fn reference(values: &[Vec<u8>]) -> Result<String, RejectionKind> {
    let value = match values {
        [] => return Err(MissingCredentials),
        [value] => value,
        _ => return Err(MultipleCredentials),
    };
    // A byte for a character.
    let text: String = value.iter().map(|byte| char::from(*byte)).collect();
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
                    header_bytes(0..20),
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
