//! Signed responses (RFC 9701).

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, ExpectedIssuer, Introspection, JwkSet, JwtVerifier, KeyLookup,
    KeyQuery, KeySource, KeySourceError, NumericDate, RejectionKind,
};

use super::{Endpoint, URL, active, client, kind, ok, secs};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, b64, key, now};

const TYPE: &str = "token-introspection+jwt";

fn signing() -> &'static TestKey {
    key(Algorithm::ES256)
}

fn response_of(answer: &Value) -> Value {
    json!({"iss": ISSUER, "aud": "orders-api", "iat": NOW, "token_introspection": answer})
}

/// Signs claims with a header.
fn sign_as(key: &TestKey, typ: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": key.algorithm.name(), "kid": key.kid()});
    if let Some(typ) = typ {
        header["typ"] = json!(typ);
    }
    let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = b64(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn sign(claims: &Value) -> String {
    sign_as(signing(), Some(TYPE), claims)
}

fn keys() -> JwkSet {
    JwkSet::from_keys([signing().verification_key()]).unwrap()
}

fn verifier(response: impl Into<String>) -> (Endpoint, Introspection) {
    let response = response.into();
    let endpoint = Endpoint::new(move |_| ok(response.clone()));
    let verifier = endpoint.verifier().require_signed_responses(keys()).unwrap();
    (endpoint, verifier)
}

async fn kind_with(response: impl Into<String>) -> Option<RejectionKind> {
    kind(&verifier(response).1, "a").await
}

#[tokio::test]
async fn signed_response_is_asked_for_and_read() {
    let (endpoint, verifier) = verifier(sign(&response_of(&active())));
    let token = verifier.verify("a").await.unwrap();
    assert_eq!(token.sub.as_deref(), Some("alice"));
    assert_eq!(endpoint.asked()[0].header("accept"), Some("application/token-introspection+jwt"));
    let inactive = sign(&response_of(&json!({"active": false})));
    assert_eq!(kind_with(inactive).await, Some(RejectionKind::InactiveToken));
    for typ in ["Token-Introspection+JWT", "application/token-introspection+jwt"] {
        let response = sign_as(signing(), Some(typ), &response_of(&active()));
        assert_eq!(kind_with(response).await, None, "{typ}");
    }
    let in_a_list = json!(["other", "orders-api"]);
    let mut response = response_of(&active());
    response["aud"] = in_a_list;
    assert_eq!(kind_with(sign(&response)).await, None);
}

#[tokio::test]
async fn unsigned_or_forged_response_says_nothing_about_the_token() {
    let good = sign(&response_of(&active()));
    let none = format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(response_of(&active()).to_string()));
    let other = TestKey::generate(Algorithm::ES256);
    for response in [
        active().to_string(),
        json!({"active": false}).to_string(),
        none,
        sign_as(&other, Some(TYPE), &response_of(&active())),
        sign_as(key(Algorithm::HS256), Some(TYPE), &response_of(&active())),
        good[..good.len() - 4].to_owned(),
        format!("{good}.x"),
        String::new(),
    ] {
        let kind = kind_with(response.clone()).await;
        assert_eq!(kind, Some(RejectionKind::Unavailable), "{response:.60}");
    }
}

#[tokio::test]
async fn signed_jwt_that_is_no_response_for_this_client_says_nothing_about_the_token() {
    for typ in [None, Some("JWT"), Some("at+jwt")] {
        let response = sign_as(signing(), typ, &response_of(&active()));
        assert_eq!(kind_with(response).await, Some(RejectionKind::Unavailable), "{typ:?}");
    }
    for (name, value) in [
        ("iss", Value::Null),
        ("iss", json!("https://other.example")),
        ("aud", Value::Null),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("iat", Value::Null),
        ("iat", json!(NOW + 31)),
        ("iat", json!(NOW - 31)),
        ("exp", json!(NOW - 30)),
        ("token_introspection", Value::Null),
        ("token_introspection", json!("{\"active\":true}")),
        ("token_introspection", json!([active()])),
        ("token_introspection", json!({})),
    ] {
        let mut response = response_of(&active());
        match value.clone() {
            Value::Null => response.as_object_mut().unwrap().remove(name),
            value => response.as_object_mut().unwrap().insert(name.to_owned(), value),
        };
        let kind = kind_with(sign(&response)).await;
        assert_eq!(kind, Some(RejectionKind::Unavailable), "{name} {value}");
    }
    // The answer is not taken from the outer claims.
    let mut outer = active();
    outer["aud"] = json!("orders-api");
    assert_eq!(kind_with(sign(&outer)).await, Some(RejectionKind::Unavailable));
}

#[tokio::test]
async fn rules_for_the_answer_hold_inside_of_a_signed_response() {
    let answer = super::active_with("aud", "https://other.example");
    assert_eq!(kind_with(sign(&response_of(&answer))).await, Some(RejectionKind::WrongAudience));
}

#[tokio::test]
async fn signed_response_from_before_the_request_says_nothing_about_the_token() {
    // Nothing in a response says which token it is about.
    let mut of_another_token = response_of(&active());
    of_another_token["iat"] = json!(NOW - 60);
    let (endpoint, verifier) = verifier(sign(&of_another_token));
    assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::Unavailable));
    let strict = verifier.with_leeway(secs(0)).unwrap();
    for (iat, expected) in [(NOW - 1, Some(RejectionKind::Unavailable)), (NOW, None)] {
        let mut response = response_of(&active());
        response["iat"] = json!(iat);
        endpoint.set(move |_| ok(sign(&response)));
        assert_eq!(kind(&strict, "a").await, expected, "{iat}");
    }
}

#[tokio::test(start_paused = true)]
async fn signed_response_is_as_old_as_the_request_at_most_however_long_that_takes() {
    let clock = ManualClock::new(NumericDate::from_unix_seconds(NOW));
    let endpoint = Endpoint::new({
        let clock = clock.clone();
        move |_| {
            clock.advance(secs(4));
            ok(sign(&response_of(&active())))
        }
    });
    let verifier = endpoint.verifier().with_clock(clock).with_leeway(secs(0)).unwrap();
    let verifier = verifier.require_signed_responses(keys()).unwrap();
    // Signed when the request came in, four seconds ago.
    assert_eq!(kind(&verifier, "a").await, None);
    assert_eq!(kind(&verifier, "b").await, Some(RejectionKind::Unavailable));
}

#[test]
fn signed_response_is_no_access_token() {
    let response = sign(&response_of(&active()));
    let of_tokens = JwtVerifier::new(ISSUER, "orders-api", keys()).unwrap().with_clock(now());
    assert!(of_tokens.verify_now(&response).is_err());
    let mut claims = response_of(&active());
    claims["exp"] = json!(NOW + 60);
    let refused = of_tokens.verify_now(&sign(&claims)).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::WrongTokenType);
}

/// Keys that arrive later, or never.
#[derive(Debug)]
struct Later(Option<Duration>);

impl KeySource for Later {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let (wait, found) = (self.0, keys().find_key(query));
        KeyLookup::pending(async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(KeySourceError::new("no keys")),
            }
            found.wait().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_signed_response_may_take_their_time_within_the_limit() {
    for (source, expected) in [
        (Later(Some(secs(1))), None),
        (Later(Some(secs(9))), Some(RejectionKind::Unavailable)),
        (Later(None), Some(RejectionKind::Unavailable)),
    ] {
        let response = sign(&response_of(&active()));
        let endpoint = Endpoint::new(move |_| ok(response.clone()));
        let verifier = endpoint.verifier().require_signed_responses(source).unwrap();
        assert_eq!(kind(&verifier, "a").await, expected);
    }
}

#[test]
fn signed_responses_need_an_issuer() {
    let any = ExpectedIssuer::dangerous_any();
    let verifier = Introspection::new_with(any, AUDIENCE, URL, client(), Endpoint::usual());
    let error = verifier.unwrap().require_signed_responses(keys()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Issuer);
}
