//! The one table of refusals, row by row and in every form, and who gets which form.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, TE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_jwt_auth::{
    ConfigErrorKind, EmptyBody, JwtAuthLayer, KeySourceError, PresentedToken, ProblemJson,
    Rejection, RejectionKind, Scope, verify_async_fn, verify_fn,
};

use crate::support::requests::{
    Body, bearer, challenge, field, reached, refusal, request, send, send_later,
};

/// A row of the table in the design, written out: reason, HTTP status, challenge, `error` and
/// description for problem details, gRPC status, `grpc-message`, `retry-after`.
struct Row {
    kind: RejectionKind,
    status: u16,
    challenge: Option<&'static str>,
    error: Option<&'static str>,
    grpc_status: &'static str,
    words: &'static str,
    retry_after: Option<&'static str>,
}

const fn row(
    kind: RejectionKind,
    status: u16,
    challenge: &'static str,
    error: &'static str,
    grpc_status: &'static str,
    words: &'static str,
) -> Row {
    Row {
        kind,
        status,
        challenge: Some(challenge),
        error: Some(error),
        grpc_status,
        words,
        retry_after: None,
    }
}

use RejectionKind as K;

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { error: None, ..row(K::MissingCredentials, 401,
        r#"Bearer realm="api""#,
        "", "16", "no bearer token was given") },
    Row { error: None, ..row(K::UnsupportedScheme, 401,
        r#"Bearer realm="api""#,
        "", "16", "the credentials are not a bearer token") },
    row(K::MultipleCredentials, 400,
        r#"Bearer realm="api", error="invalid_request", error_description="more than one set of credentials was given""#,
        "invalid_request", "16", "more than one set of credentials was given"),
    row(K::MalformedCredentials, 400,
        r#"Bearer realm="api", error="invalid_request", error_description="the credentials are empty, too long or hold characters that they must not""#,
        "invalid_request", "16", "the credentials are empty, too long or hold characters that they must not"),
    row(K::MalformedToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is malformed""#,
        "invalid_token", "16", "the token is malformed"),
    row(K::TokenTooLong, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is too long""#,
        "invalid_token", "16", "the token is too long"),
    row(K::UnsupportedCriticalHeader, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token has a critical header parameter that is not supported""#,
        "invalid_token", "16", "the token has a critical header parameter that is not supported"),
    row(K::UnsupportedAlgorithm, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the algorithm of the token is not accepted""#,
        "invalid_token", "16", "the algorithm of the token is not accepted"),
    row(K::UnknownKey, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the key of the token is not known""#,
        "invalid_token", "16", "the key of the token is not known"),
    row(K::InvalidSignature, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the signature of the token is invalid""#,
        "invalid_token", "16", "the signature of the token is invalid"),
    row(K::MalformedClaims, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the claims of the token are malformed""#,
        "invalid_token", "16", "the claims of the token are malformed"),
    row(K::MissingClaim, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token lacks a required claim""#,
        "invalid_token", "16", "the token lacks a required claim"),
    row(K::WrongIssuer, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is from another issuer""#,
        "invalid_token", "16", "the token is from another issuer"),
    row(K::WrongAudience, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is for another audience""#,
        "invalid_token", "16", "the token is for another audience"),
    row(K::ExpiredToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token has expired""#,
        "invalid_token", "16", "the token has expired"),
    row(K::ImmatureToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is not valid yet""#,
        "invalid_token", "16", "the token is not valid yet"),
    row(K::IssuedInFuture, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token was issued in the future""#,
        "invalid_token", "16", "the token was issued in the future"),
    row(K::TooOld, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is too old""#,
        "invalid_token", "16", "the token is too old"),
    row(K::WrongTokenType, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is not an access token""#,
        "invalid_token", "16", "the token is not an access token"),
    row(K::UnconfirmedSender, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is bound to its sender and cannot be used as a bearer token""#,
        "invalid_token", "16", "the token is bound to its sender and cannot be used as a bearer token"),
    row(K::UnexpectedClaims, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the claims of the token are not those expected""#,
        "invalid_token", "16", "the claims of the token are not those expected"),
    row(K::InvalidToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is invalid""#,
        "invalid_token", "16", "the token is invalid"),
    row(K::InsufficientScope, 403,
        r#"Bearer realm="api", error="insufficient_scope", error_description="the token does not permit this""#,
        "insufficient_scope", "7", "the token does not permit this"),
    row(K::InsufficientUserAuthentication, 401,
        r#"Bearer realm="api", error="insufficient_user_authentication", error_description="the user has to authenticate more strongly or anew""#,
        "insufficient_user_authentication", "16", "the user has to authenticate more strongly or anew"),
    Row { kind: K::Unavailable, status: 503, challenge: None, error: None, grpc_status: "14",
        words: "the token cannot be checked at the moment", retry_after: Some("5") },
];

fn row_of(kind: RejectionKind) -> &'static Row {
    TABLE.iter().find(|row| row.kind == kind).unwrap()
}

/// A layer that refuses every token for this reason.
fn refusing(kind: RejectionKind) -> JwtAuthLayer<()> {
    refusing_with(kind.into())
}

fn refusing_with(rejection: Rejection) -> JwtAuthLayer<()> {
    JwtAuthLayer::new(verify_fn(move |_: &PresentedToken| Err::<(), _>(rejection.clone())))
}

/// A POST with a good-looking token and these fields.
fn post(fields: &[(HeaderName, &str)]) -> Request<()> {
    let mut request = bearer("abc");
    *request.method_mut() = Method::POST;
    for (name, value) in fields {
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn grpc() -> Request<()> {
    post(&[(CONTENT_TYPE, "application/grpc"), (TE, "trailers")])
}

#[test]
fn the_table_has_every_kind_once() {
    let kinds: Vec<_> = TABLE.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, RejectionKind::ALL);
}

#[test]
fn the_table_over_http() {
    for row in TABLE {
        let response = send(&refusing(row.kind), bearer("abc"));
        let kind = row.kind;
        assert_eq!(response.status().as_u16(), row.status, "{kind:?}");
        assert_eq!(challenge(&response), row.challenge, "{kind:?}");
        assert_eq!(field(&response, "cache-control"), Some("no-store"), "{kind:?}");
        assert_eq!(field(&response, "retry-after"), row.retry_after, "{kind:?}");
        assert_eq!(response.body(), b"", "{kind:?}");
        assert_eq!(refusal(&response), Some(kind));
        for absent in ["content-type", "grpc-status", "grpc-message"] {
            assert_eq!(field(&response, absent), None, "{kind:?}");
        }
        let expected =
            2 + usize::from(row.retry_after.is_some()) - usize::from(row.challenge.is_none());
        assert_eq!(response.headers().len(), expected, "{kind:?}: nothing else");
        assert!(reached(&response).is_none());
        // B7, H4: never a bare `Bearer`, and never a 401 without one.
        if let Some(challenge) = challenge(&response) {
            assert!(challenge.starts_with("Bearer realm=\""), "{kind:?}");
        }
        assert!(response.status() != 401 || challenge(&response).is_some(), "{kind:?}");
    }
}

#[test]
fn the_table_over_grpc_and_grpc_web() {
    let plain: [(&str, &str); 5] = [
        ("application/grpc", "application/grpc"),
        ("application/grpc+proto", "application/grpc+proto"),
        ("application/grpc+json", "application/grpc+json"),
        ("application/grpc; charset=utf-8", "application/grpc"),
        ("application/grpc+proto ;a=b;c=d", "application/grpc+proto"),
    ];
    let web = [
        ("application/grpc-web", "application/grpc-web"),
        ("application/grpc-web+proto", "application/grpc-web+proto"),
        ("application/grpc-web-text", "application/grpc-web-text"),
        ("application/grpc-web-text+proto", "application/grpc-web-text+proto"),
        ("application/grpc-web+json;charset=utf-8", "application/grpc-web+json"),
    ];
    let requests = plain
        .map(|(sent, echoed)| (post(&[(CONTENT_TYPE, sent), (TE, "trailers")]), echoed))
        .into_iter()
        .chain(web.map(|(sent, echoed)| (post(&[(CONTENT_TYPE, sent)]), echoed)));
    for (request, content_type) in requests {
        for row in TABLE {
            let kind = row.kind;
            let response = send(&refusing(kind).with_grpc_web(), request.clone());
            assert_eq!(response.status(), 200, "{kind:?}");
            assert_eq!(field(&response, "content-type"), Some(content_type), "{kind:?}");
            assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status), "{kind:?}");
            assert_eq!(field(&response, "grpc-message"), Some(row.words), "{kind:?}");
            assert_eq!(challenge(&response), row.challenge, "{kind:?}");
            assert_eq!(field(&response, "cache-control"), Some("no-store"), "{kind:?}");
            assert_eq!(field(&response, "retry-after"), row.retry_after, "{kind:?}");
            assert_eq!(response.body(), b"", "{kind:?}: trailers only");
            assert_eq!(refusal(&response), Some(kind));
            assert!(reached(&response).is_none());
        }
    }
}

#[test]
fn every_row_answers_by_the_methods_of_the_rejection_too() {
    for row in TABLE {
        let rejection = Rejection::from(row.kind);
        assert_eq!(rejection.status().as_u16(), row.status);
        assert_eq!(rejection.error_code(), row.error);
        assert_eq!(rejection.grpc_status().to_string(), row.grpc_status);
        assert_eq!(rejection.description(), row.words);
        assert_eq!(rejection.to_string(), row.words);
        assert_eq!(rejection.is_invalid_token(), row.error == Some("invalid_token"));
        assert_eq!(rejection.expected(), None);
    }
}

#[tokio::test]
async fn a_verdict_that_takes_time_is_answered_alike() {
    for row in TABLE {
        let kind = row.kind;
        let layer = JwtAuthLayer::new(verify_async_fn(move |_: PresentedToken| async move {
            tokio::task::yield_now().await;
            Err::<(), Rejection>(kind.into())
        }));
        for request in [bearer("abc"), grpc()] {
            let now = send(&refusing(kind), request.clone());
            let later = send_later(&layer, request).await;
            assert_eq!(now.status(), later.status(), "{kind:?}");
            assert_eq!(now.headers(), later.headers(), "{kind:?}");
            assert_eq!(refusal(&later), Some(kind));
        }
    }
}

#[test]
fn refusals_before_the_verifier_have_the_forms_of_the_table() {
    let layer = JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer());
    for (authorization, kind) in [
        (&[][..], K::MissingCredentials),
        (&["Basic YTpi"], K::UnsupportedScheme),
        (&["Bearer a", "Bearer a"], K::MultipleCredentials),
        (&["Bearer"], K::MalformedCredentials),
    ] {
        let row = TABLE.iter().find(|row| row.kind == kind).unwrap();
        let response = send(&layer, request(authorization));
        assert_eq!(response.status().as_u16(), row.status);
        assert_eq!(challenge(&response), row.challenge);
        assert_eq!(refusal(&response), Some(kind));

        let mut grpc = grpc();
        grpc.headers_mut().remove(AUTHORIZATION);
        grpc.headers_mut().extend(request(authorization).headers().clone());
        let response = send(&layer, grpc);
        assert_eq!(response.status(), 200);
        assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status));
        assert_eq!(challenge(&response), row.challenge);
    }
}

#[test]
fn retry_after_is_what_was_asked_for_and_at_least_a_second() {
    for (wait, expected) in [(0, "1"), (999, "1"), (1000, "1"), (90_500, "90")] {
        let layer = refusing_with(
            Rejection::unavailable("down").with_retry_after(Duration::from_millis(wait)),
        );
        for request in [bearer("abc"), grpc()] {
            assert_eq!(field(&send(&layer, request), "retry-after"), Some(expected));
        }
    }
}

#[test]
fn scope_and_step_up_stand_in_the_challenge_in_every_form() {
    let scope = Rejection::insufficient_scope(Scope::from("orders:read orders:write"));
    let five_minutes = Some(Duration::from_secs(300));
    let step_up = Rejection::insufficient_user_authentication(&["gold", "sil\"ver"], five_minutes);
    for (rejection, expected) in [
        (
            scope,
            r#"Bearer realm="api", scope="orders:read orders:write", error="insufficient_scope", error_description="the token does not permit this""#,
        ),
        (
            step_up,
            r#"Bearer realm="api", error="insufficient_user_authentication", error_description="the user has to authenticate more strongly or anew", acr_values="gold sil'ver", max_age="300""#,
        ),
    ] {
        for request in [bearer("abc"), grpc()] {
            let layer = refusing_with(rejection.clone());
            assert_eq!(challenge(&send(&layer, request)), Some(expected));
        }
    }
}

#[test]
fn a_message_of_ones_own_is_percent_encoded() {
    let rejection = Rejection::invalid_token().with_description("100 % \"sure\"\r\n~ü");
    let response = send(&refusing_with(rejection), grpc());
    // The message is the whole text; a challenge can hold only a part of it.
    assert_eq!(field(&response, "grpc-message"), Some("100 %25 \"sure\"  ~%C3%BC"));
    assert_eq!(
        challenge(&response),
        Some(r#"Bearer realm="api", error="invalid_token", error_description="100 % 'sure'  ~ ""#)
    );
}

#[test]
fn the_realm_is_configurable_and_quoted() {
    let layer = refusing(K::ExpiredToken).with_realm(r#"my "API" \o/"#).unwrap();
    for request in [bearer("abc"), grpc()] {
        assert_eq!(
            challenge(&send(&layer, request)),
            Some(
                r#"Bearer realm="my \"API\" \\o/", error="invalid_token", error_description="the token has expired""#
            )
        );
    }
    let missing = send(&layer, request([""; 0]));
    assert_eq!(challenge(&missing), Some(r#"Bearer realm="my \"API\" \\o/""#));
    for realm in ["", "line\nbreak", "line\rbreak", "tab\t", "nul\0", "é", "\u{7f}"] {
        let error = refusing(K::ExpiredToken).with_realm(realm).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Challenge, "{realm:?}");
    }
}

#[test]
fn without_grpc_everybody_gets_http() {
    for row in TABLE {
        for layer in [refusing(row.kind), refusing(row.kind).with_grpc_web()] {
            let layer = layer.without_grpc();
            for request in [grpc(), post(&[(CONTENT_TYPE, "application/grpc-web")])] {
                let response = send(&layer, request);
                assert_eq!(response.status().as_u16(), row.status, "{:?}", row.kind);
                assert_eq!(field(&response, "grpc-status"), None);
                assert_eq!(challenge(&response), row.challenge);
            }
        }
    }
}

#[test]
fn grpc_web_gets_http_unless_the_layer_answers_it() {
    let requests =
        ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text"]
            .map(|content_type| post(&[(CONTENT_TYPE, content_type)]));
    for row in TABLE {
        for request in &requests {
            let response = send(&refusing(row.kind), request.clone());
            assert_eq!(response.status().as_u16(), row.status, "{:?}", row.kind);
            assert_eq!(field(&response, "grpc-status"), None);
            assert_eq!(field(&response, "content-type"), None);
            // The last call holds.
            let layer = refusing(row.kind).without_grpc().with_grpc_web();
            for request in [request.clone(), grpc()] {
                let response = send(&layer, request);
                assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status));
            }
        }
    }
}

#[test]
fn problem_details_say_what_the_table_says() {
    for row in TABLE {
        let layer = refusing(row.kind).with_rejection_response(ProblemJson::new());
        let response = send(&layer, bearer("abc"));
        let title = match row.status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            _ => "Service Unavailable",
        };
        assert_eq!(response.status().as_u16(), row.status);
        assert_eq!(field(&response, "content-type"), Some("application/problem+json"));
        let mut expected = json!({"title": title, "status": row.status, "detail": row.words});
        if let Some(error) = row.error {
            expected["error"] = error.into();
        }
        assert_eq!(serde_json::from_slice::<Value>(response.body()).unwrap(), expected);
        assert_eq!(challenge(&response), row.challenge);
        assert_eq!(field(&response, "cache-control"), Some("no-store"));
        assert_eq!(field(&response, "retry-after"), row.retry_after);
        assert_eq!(refusal(&response), Some(row.kind));
        // And not to gRPC.
        let response = send(&layer, grpc());
        assert_eq!(response.body(), b"");
        assert_eq!(field(&response, "content-type"), Some("application/grpc"));
    }
}

/// A layer that refuses with this kind and answers with this status and fields.
fn answering(
    kind: RejectionKind,
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    request: Request<()>,
) -> Response<Body> {
    let layer = refusing(kind).with_grpc_web().with_rejection_fn(move |rejection, request| {
        let body = format!("{} {}: {rejection}", request.method(), request.uri().path());
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in fields {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        response
    });
    send(&layer, request)
}

#[test]
fn a_responder_cannot_say_that_all_is_well() {
    for row in TABLE {
        for status in [100, 101, 103, 199, 200, 201, 204, 206, 226, 299] {
            let response = answering(row.kind, status, &[], bearer("abc"));
            assert_eq!(response.status().as_u16(), row.status, "{:?}, {status}", row.kind);
            assert_eq!(response.body(), format!("GET /: {}", row.words).as_bytes());
            assert_eq!(challenge(&response), row.challenge);
        }
        for status in [300, 302, 303, 307, 400, 401, 403, 404, 418, 499, 500, 503, 599, 600, 999] {
            let response = answering(row.kind, status, &[], bearer("abc"));
            assert_eq!(response.status().as_u16(), status, "{:?}", row.kind);
            assert_eq!(challenge(&response), row.challenge);
            assert_eq!(field(&response, "cache-control"), Some("no-store"));
            assert_eq!(field(&response, "retry-after"), row.retry_after);
            assert_eq!(refusal(&response), Some(row.kind));
        }
    }
}

#[test]
fn a_responders_own_fields_are_kept() {
    let response = answering(
        K::Unavailable,
        302,
        &[
            ("www-authenticate", "Negotiate"),
            ("www-authenticate", "Bearer realm=\"other\""),
            ("cache-control", "private"),
            ("retry-after", "120"),
            ("location", "/login"),
        ],
        bearer("abc"),
    );
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Negotiate", "Bearer realm=\"other\""]);
    assert_eq!(field(&response, "cache-control"), Some("private"));
    assert_eq!(field(&response, "retry-after"), Some("120"));
    assert_eq!(field(&response, "location"), Some("/login"));

    let response =
        answering(K::ExpiredToken, 401, &[("www-authenticate", "Custom a=\"b\"")], bearer("abc"));
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Custom a=\"b\"", row_of(K::ExpiredToken).challenge.unwrap()]);
    assert_eq!(field(&response, "cache-control"), Some("no-store"));
}

#[test]
fn challenge_of_another_scheme_by_the_responder_stands_beside_ours() {
    for row in TABLE {
        let basic = &[("www-authenticate", "Basic realm=\"a, Bearer\"")];
        let response = answering(row.kind, 401, basic, bearer("abc"));
        let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
        let ours = row.challenge.into_iter().collect::<Vec<_>>();
        assert_eq!(challenges, [&["Basic realm=\"a, Bearer\""][..], &ours].concat());

        let both = &[("www-authenticate", "Basic realm=\"a\", bearer realm=\"b\"")];
        let response = answering(row.kind, 401, both, bearer("abc"));
        assert_eq!(challenge(&response), Some("Basic realm=\"a\", bearer realm=\"b\""));
    }
}

#[test]
fn headers_of_a_rejection_are_in_its_answer_in_every_form() {
    let nonce = HeaderName::from_static("dpop-nonce");
    let rejection = Rejection::invalid_token()
        .with_header(nonce, HeaderValue::from_static("abc"))
        .with_header(SET_COOKIE, HeaderValue::from_static("a=1"))
        .with_header(SET_COOKIE, HeaderValue::from_static("b=2"))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store, private"))
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("DPoP algs=\"ES256\""))
        .with_header(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let layer = refusing_with(rejection);
    let problem = layer.clone().with_rejection_response(ProblemJson::new());
    for (response, content_type) in [
        (send(&layer, bearer("abc")), "text/plain"),
        (send(&problem, bearer("abc")), "application/problem+json"),
        (send(&layer, grpc()), "application/grpc"),
    ] {
        assert_eq!(field(&response, "dpop-nonce"), Some("abc"));
        assert_eq!(field(&response, "cache-control"), Some("no-store, private"));
        assert_eq!(field(&response, "content-type"), Some(content_type), "the answer's own wins");
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        let challenges: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        let ours = row_of(K::InvalidToken).challenge.unwrap();
        assert_eq!(challenges, ["DPoP algs=\"ES256\"", ours]);
    }
}

#[test]
fn description_of_any_text_is_safe_in_every_form() {
    let text = format!("Schlüssel \"7\" \\ gesperrt\r\nx: {}", "€".repeat(400));
    let rejection = Rejection::invalid_token().with_description(text.clone());
    assert_eq!(rejection.description(), text.replace("\r\n", "  "));
    let layer = refusing_with(rejection.clone());

    let response = send(&layer, bearer("abc"));
    let description = format!("Schl ssel '7'   gesperrt  x: {}", " ".repeat(400));
    let expected = format!(
        "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"{}\"",
        &description[..256]
    );
    assert_eq!(challenge(&response), Some(&*expected));

    let response = send(&layer, grpc());
    let message = field(&response, "grpc-message").unwrap();
    assert!(message.starts_with("Schl%C3%BCssel \"7\" \\ gesperrt  x: %E2%82%AC"), "{message}");
    assert_eq!(message.matches("%E2%82%AC").count(), 256 - 29);

    let problem = layer.with_rejection_response(ProblemJson::new());
    let response = send(&problem, bearer("abc"));
    let problem: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(problem["detail"], rejection.description());
}

#[test]
fn rejection_tells_scope_step_up_time_to_retry_and_cause() {
    let scope = Scope::from("orders:read");
    let rejection = Rejection::insufficient_scope(scope.clone());
    assert_eq!(rejection.scope(), Some(&scope));
    assert_eq!(rejection.retry_after(), None);

    let age = Duration::from_secs(300);
    let step_up = Rejection::insufficient_user_authentication(&["gold", "silver"], Some(age));
    assert!(step_up.acr_values().eq(["gold", "silver"]));
    assert_eq!(step_up.max_age(), Some(age));
    assert_eq!((rejection.acr_values().count(), rejection.max_age()), (0, None));

    let cause = || std::io::Error::other("the database is down");
    let rejection = Rejection::unavailable(cause());
    assert_eq!(rejection.kind(), K::Unavailable);
    assert_eq!(rejection.scope(), None);
    assert_eq!(rejection.retry_after(), Some(Duration::from_secs(5)));
    let source = std::error::Error::source(&rejection).unwrap();
    assert_eq!(source.downcast_ref::<std::io::Error>().unwrap().to_string(), cause().to_string());

    let rejection = rejection.with_retry_after(Duration::from_secs(90));
    assert_eq!(rejection.retry_after(), Some(Duration::from_secs(90)));
    for response in [bearer("abc"), grpc()].map(|it| send(&refusing_with(rejection.clone()), it)) {
        assert_eq!(field(&response, "retry-after"), Some("90"));
        assert!(!format!("{:?}", response.headers()).contains("database"));
    }
    // It is the keys' time, where the keys are the cause.
    let keys = KeySourceError::new("down").with_retry_after(Duration::from_secs(7));
    assert_eq!(Rejection::from(keys).retry_after(), Some(Duration::from_secs(7)));
    let expired = Rejection::from(K::ExpiredToken).with_retry_after(Duration::from_secs(7));
    assert_eq!(expired.retry_after(), None);
    assert_eq!(field(&send(&refusing_with(expired), bearer("abc")), "retry-after"), None);
}

#[test]
fn grpc_never_reaches_the_responder() {
    for row in TABLE {
        for request in [grpc(), post(&[(CONTENT_TYPE, "application/grpc-web-text")])] {
            let fields = &[("x-responder", "here"), ("location", "/login")];
            let response = answering(row.kind, 302, fields, request);
            assert_eq!(response.status(), 200);
            assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status));
            assert_eq!(field(&response, "x-responder"), None);
            assert_eq!(response.body(), b"");
        }
    }
}

#[test]
fn responders_of_every_kind_fit_bodies_of_every_kind() {
    use tower_jwt_auth::ResponseForRejection;

    let rejection = Rejection::invalid_token();
    let unit: Response<()> = EmptyBody.response_for_rejection(&rejection, &());
    assert_eq!(unit.status(), 401);
    let bytes: Response<Bytes> = ProblemJson::new().response_for_rejection(&rejection, &());
    let vec: Response<Vec<u8>> = ProblemJson::new().response_for_rejection(&rejection, &());
    assert_eq!(bytes.body(), vec.body());
}

// Who gets a gRPC answer, which is an HTTP 200.

/// What a content type makes of a request, given that all else is right.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Grpc,
    Web,
    No,
}

const CONTENT_TYPES: &[(&[&str], Family)] = &[
    (&[], Family::No),
    (&["application/grpc"], Family::Grpc),
    (&["APPLICATION/gRPC"], Family::Grpc),
    (&["application/grpc+proto"], Family::Grpc),
    (&["application/grpc+json"], Family::Grpc),
    (&["application/grpc+vnd.x-y_z"], Family::Grpc),
    (&["application/grpc;a=b"], Family::Grpc),
    (&["application/grpc ; a=b"], Family::Grpc),
    (&["application/grpc-web"], Family::Web),
    (&["application/grpc-web+proto"], Family::Web),
    (&["application/grpc-web-text"], Family::Web),
    (&["application/grpc-web-text+proto"], Family::Web),
    (&["application/grpc-web;charset=utf-8"], Family::Web),
    (&[""], Family::No),
    (&["application/json"], Family::No),
    (&["application/grpcx"], Family::No),
    (&["application/grpc+"], Family::No),
    (&["application/grpc+ proto"], Family::No),
    (&["application/grpc proto"], Family::No),
    (&["application/grpc-"], Family::No),
    (&["application/grpc-webx"], Family::No),
    (&["application/grpc-web-"], Family::No),
    (&["application/grpc-web+"], Family::No),
    (&["application/grpc-web-textual"], Family::No),
    (&["application/grpc-web-text+"], Family::No),
    (&["application/grpc-status"], Family::No),
    (&["application/grpc.proto"], Family::No),
    (&["application/grpc/x"], Family::No),
    (&["application /grpc"], Family::No),
    (&["application"], Family::No),
    (&["text/grpc"], Family::No),
    (&["xapplication/grpc"], Family::No),
    (&["application/json+grpc"], Family::No),
    (&["text/plain;x=application/grpc"], Family::No),
    (&["application/grpc, application/json"], Family::No),
    (&["application/grpc,application/grpc"], Family::No),
    (&["application/json, application/grpc"], Family::No),
    (&["application/grpc", "application/grpc"], Family::No),
    (&["application/grpc", "application/json"], Family::No),
    (&["application/json", "application/grpc"], Family::No),
    (&["application/grpc-web", "text/plain"], Family::No),
    (&["\"application/grpc\""], Family::No),
];

const TES: &[(&[&str], bool)] = &[
    (&[], false),
    (&["trailers"], true),
    (&["Trailers"], true),
    (&[""], false),
    (&["trailer"], false),
    (&["trailersx"], false),
    (&["trailers;q=0"], false),
    (&["trailers, deflate"], false),
    (&["deflate"], false),
    (&["trailers", "trailers"], false),
    (&["trailers", "deflate"], false),
];

/// Whether the layer answers gRPC-Web too.
const WEB: [bool; 2] = [false, true];

fn answering_web(layer: JwtAuthLayer<()>, web: bool) -> JwtAuthLayer<()> {
    if web { layer.with_grpc_web() } else { layer }
}

/// Refused before the verifier, by it, at once and for want of keys.
fn no_token() -> impl Iterator<Item = (JwtAuthLayer<()>, Vec<&'static str>)> {
    [K::ExpiredToken, K::InsufficientScope, K::Unavailable]
        .into_iter()
        .map(|kind| (refusing(kind), vec!["Bearer abc"]))
        .chain([
            (JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer()), vec![]),
            (JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer()), vec!["Basic YTpi"]),
            (
                JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer()),
                vec!["Bearer a", "Bearer a"],
            ),
        ])
}

#[test]
fn only_a_strictly_grpc_request_can_get_a_2xx_without_a_token() {
    let methods = ["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]
        .into_iter()
        .chain(["post", "POSTX", "PRI"]);
    let versions = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];
    let cases = WEB.map(|web| -> Vec<_> {
        no_token().map(|(layer, value)| (answering_web(layer, web), value)).collect()
    });
    let mut answers_of_grpc = 0;
    for method in methods {
        for (content_types, family) in CONTENT_TYPES {
            for ((tes, trailers), web) in TES.iter().flat_map(|te| WEB.map(|web| (te, web))) {
                for version in versions {
                    let is_grpc = method == "POST"
                        && match family {
                            Family::Grpc => *trailers,
                            Family::Web => web,
                            Family::No => false,
                        };
                    let cases = &cases[usize::from(web)];
                    // One case each, or this takes long; all of them where it matters.
                    let cases = if is_grpc { &cases[..] } else { &cases[..1] };
                    for (layer, authorization) in cases {
                        let mut request = request(authorization);
                        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
                        *request.version_mut() = version;
                        for value in *content_types {
                            let value = HeaderValue::from_static(value);
                            request.headers_mut().append(CONTENT_TYPE, value);
                        }
                        for value in *tes {
                            request.headers_mut().append(TE, HeaderValue::from_static(value));
                        }
                        let response = send(layer, request);
                        let what = format!("{method} {content_types:?} {tes:?} {version:?}");
                        assert_is_refusal(&response, is_grpc, &what);
                        answers_of_grpc += usize::from(is_grpc);
                    }
                }
            }
        }
    }
    // 7 content types with the 2 good values of TE, by either layer; 5 of gRPC-Web with any of the 11, by
    // the layer that answers it.
    assert_eq!(answers_of_grpc, (2 * 7 * 2 + 5 * 11) * 4 * 6);
}

#[test]
fn a_media_type_longer_than_any_name_gets_http() {
    for (length, status) in [(255, 200), (256, 401), (60_000, 401)] {
        let content_type = format!("{:x<length$}", "application/grpc+");
        let request = post(&[(CONTENT_TYPE, &content_type), (TE, "trailers")]);
        let response = send(&refusing(K::ExpiredToken), request);
        assert_eq!(response.status(), status, "{length}");
    }
}

/// A gRPC answer that says no, or an HTTP one, as the case may be.
fn assert_is_refusal(response: &Response<Body>, is_grpc: bool, what: &str) {
    assert!(refusal(response).is_some(), "{what}");
    assert!(reached(response).is_none(), "{what}");
    if is_grpc {
        assert_eq!(response.status(), 200, "{what}");
        assert!(matches!(field(response, "grpc-status"), Some("7" | "14" | "16")), "{what}");
        assert_eq!(response.body(), b"", "{what}");
    } else {
        let status = response.status().as_u16();
        assert!(matches!(status, 400 | 401 | 403 | 503), "{what}: {status}");
        assert_eq!(field(response, "grpc-status"), None, "{what}");
    }
}

/// The test of the design once more, by way of text.
fn is_strictly_grpc(web: bool, method: &str, content_types: &[String], tes: &[String]) -> bool {
    let ([content_type], "POST") = (content_types, method) else { return false };
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim_matches([' ', '\t']).to_ascii_lowercase();
    let (base, suffix) = match media_type.split_once('+') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (&*media_type, None),
    };
    let is_name = |suffix: &str| {
        !suffix.is_empty() && suffix.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    suffix.is_none_or(is_name)
        && match base {
            "application/grpc" => {
                matches!(tes, [te] if te.eq_ignore_ascii_case("trailers"))
            }
            "application/grpc-web" | "application/grpc-web-text" => web,
            _ => false,
        }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_made_up_request_gets_a_2xx_without_a_token(
        method in "POST|POST|POST|GET|PUT|post",
        content_types in prop::collection::vec(
            "[ \t]{0,1}(application/grpc|Application/GRPC|application/grpc-web|application/grpc-web-text|application/json|[a-z/+-]{0,9})(\\+proto|\\+[ -~]{0,4}|[ -~]{0,3}|[ \t]?;[ -~]{0,6})",
            0..3,
        ),
        tes in prop::collection::vec("trailers|trailers|TRAILERS|[ -~]{0,9}|trailers[ -~]{1,2}", 0..3),
    ) {
        let cases = no_token().flat_map(|case| WEB.map(|web| (case.clone(), web)));
        for ((layer, authorization), web) in cases {
            let layer = answering_web(layer, web);
            let mut request = request(authorization);
            *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
            for (name, values) in [(CONTENT_TYPE, &content_types), (TE, &tes)] {
                for value in values {
                    request.headers_mut().append(&name, HeaderValue::from_str(value).unwrap());
                }
            }
            let response = send(&layer, request);
            let is_grpc = is_strictly_grpc(web, &method, &content_types, &tes);
            assert_is_refusal(&response, is_grpc, &format!("{method} {content_types:?} {tes:?}"));
        }
    }
}
