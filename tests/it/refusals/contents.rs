//! What a refusal carries: realm, scope, description, headers, the time to retry.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tower_jwt_auth::{
    ConfigErrorKind, KeySourceError, ProblemJson, Rejection, RejectionKind, Scope,
};

use super::{grpc, refusing, refusing_with, row_of};
use crate::support::requests::{bearer, challenge, field, request, send};

use RejectionKind as K;

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
            r#"Bearer realm="api", scope="orders:read orders:write", error="insufficient_scope", error_description="the token does not permit this request""#,
        ),
        (
            step_up,
            r#"Bearer realm="api", error="insufficient_user_authentication", error_description="the user must log in again, or with a stronger method", acr_values="gold sil'ver", max_age="300""#,
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
