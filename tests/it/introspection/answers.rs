//! Which answers accept a token, which refuse it, and which say nothing about it.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tower_jwt_auth::{
    ExpectedAudience, ExpectedIssuer, Introspection, JwtAuthLayer, RejectionKind,
};

use super::{
    Endpoint, URL, active, active_with, active_without, client, kind, kind_of, ok, outcome,
};
use crate::support::requests::{bearer, reached, send_later};
use crate::support::{AUDIENCE, ISSUER, NOW, now};

#[tokio::test]
async fn active_token_is_accepted_with_the_claims_of_the_answer() {
    let token = outcome(&Endpoint::usual().verifier(), "good").await.unwrap();
    assert_eq!(token.sub.as_deref(), Some("alice"));
    assert_eq!(token.iss.as_deref(), Some(ISSUER));
    assert_eq!(token.expires_at().unwrap().unix_seconds(), NOW + 3600);
    assert!(token.header().is_none());
}

#[tokio::test]
async fn inactive_token_is_refused_as_invalid_and_without_detail() {
    let answer = json!({"active": false, "sub": "canary", "error_description": "canary"});
    let layer = JwtAuthLayer::new(Endpoint::json(answer).verifier());
    let response = send_later(&layer, bearer("a")).await;
    assert!(reached(&response).is_none());
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()["www-authenticate"],
        "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"the token is not active\""
    );
    let all = format!("{:?}", response.headers());
    assert!(!all.contains("canary"), "{all}");
}

#[tokio::test]
async fn inactive_token_is_refused_whatever_else_the_answer_says() {
    for (name, value) in [
        ("sub", json!(7)),
        ("aud", json!([1])),
        ("exp", json!("never")),
        ("iss", json!("https://other.example")),
        ("token_type", json!(1)),
    ] {
        let mut answer = active_with(name, value);
        answer["active"] = json!(false);
        assert_eq!(kind_of(answer).await, Some(RejectionKind::InactiveToken), "{name}");
    }
}

#[tokio::test]
async fn only_the_boolean_true_makes_a_token_active() {
    for value in [json!("true"), json!(1), json!("false"), json!(0), json!([true]), json!({})] {
        let answer = active_with("active", value);
        assert_eq!(kind_of(answer.clone()).await, Some(RejectionKind::Unavailable), "{answer}");
    }
    let missing = active_without("active");
    assert_eq!(kind_of(missing).await, Some(RejectionKind::Unavailable));
    let null = r#"{"active": null}"#;
    let verifier = Endpoint::new(move |_| ok(null)).verifier();
    assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::Unavailable));
}

#[tokio::test]
async fn malformed_answer_says_nothing_about_the_token() {
    let deep = format!(r#"{{"active": true, "a": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    let long = format!(r#"{{"active": false, "a": "{}"}}"#, "a".repeat(70_000));
    for body in [
        "",
        " ",
        "true",
        "[]",
        "null",
        "{",
        r#"{"active": true"#,
        r#"{"active": false} x"#,
        r#"{"active": false, "active": true}"#,
        r#"{"active": true, "\u0061ctive": false}"#,
        r#"{"active": true, "a": 1, "a": 2}"#,
        "<!doctype html>",
        "active=true",
        &deep,
        &long,
    ] {
        let body = body.to_owned();
        let verifier = Endpoint::new({
            let body = body.clone();
            move |_| ok(body.clone())
        })
        .verifier();
        assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::Unavailable), "{body:.80}");
    }
    for (name, value) in [
        ("iss", json!(7)),
        ("sub", json!({})),
        ("aud", json!({"a": 1})),
        ("aud", json!([7])),
        ("exp", json!("1")),
        ("exp", json!(-1)),
        ("nbf", json!([])),
        ("iat", json!(true)),
        ("token_type", json!(7)),
        ("cnf", json!("x")),
    ] {
        let answer = active_with(name, value);
        assert_eq!(kind_of(answer.clone()).await, Some(RejectionKind::Unavailable), "{answer}");
    }
}

#[tokio::test]
async fn byte_order_mark_and_any_media_type_but_html_are_read() {
    for (media_type, is_read) in [
        (None, true),
        (Some("application/json"), true),
        (Some("text/plain; charset=utf-8"), true),
        (Some("text/html"), false),
    ] {
        let verifier = Endpoint::new(move |_| {
            let mut response = Response::builder();
            if let Some(media_type) = media_type {
                response = response.header("content-type", media_type);
            }
            Ok(response.body(Bytes::from(format!("\u{feff}{}", active()))).unwrap())
        })
        .verifier();
        assert_eq!(kind(&verifier, "a").await.is_none(), is_read, "{media_type:?}");
    }
    let coded = Endpoint::new(|_| {
        let response = Response::builder().header("content-encoding", "gzip");
        Ok(response.body(Bytes::from(active().to_string())).unwrap())
    });
    assert_eq!(kind(&coded.verifier(), "a").await, Some(RejectionKind::Unavailable));
}

#[tokio::test]
async fn issuer_of_the_answer_is_compared_if_it_is_there() {
    assert_eq!(kind_of(active_without("iss")).await, None);
    let other = active_with("iss", "https://other.example");
    assert_eq!(kind_of(other.clone()).await, Some(RejectionKind::WrongIssuer));
    let any = ExpectedIssuer::dangerous_any();
    let verifier = Introspection::new_with(any, AUDIENCE, URL, client(), Endpoint::json(other));
    assert_eq!(kind(&verifier.unwrap().with_clock(now()), "a").await, None);
}

#[tokio::test]
async fn audience_of_the_answer_is_compared_and_required() {
    assert_eq!(kind_of(active_with("aud", json!(["a", AUDIENCE]))).await, None);
    for wrong in [json!("https://other.example"), json!(["a"]), json!("")] {
        let answer = active_with("aud", wrong);
        let wrong = Some(RejectionKind::WrongAudience);
        assert_eq!(kind_of(answer.clone()).await, wrong, "{answer}");
        // One that is present is compared all the same.
        let lenient = Endpoint::json(answer).verifier().dangerous_allow_missing_audience();
        assert_eq!(kind(&lenient, "a").await, wrong);
    }
    for (without, expected) in [
        (active_without("aud"), RejectionKind::MissingClaim),
        (active_with("aud", Value::Null), RejectionKind::MissingClaim),
        (active_with("aud", json!([])), RejectionKind::WrongAudience),
    ] {
        assert_eq!(kind_of(without.clone()).await, Some(expected), "{without}");
        let endpoint = Endpoint::json(without);
        let lenient = endpoint.verifier().dangerous_allow_missing_audience();
        assert_eq!(kind(&lenient, "a").await, None);
        let any = ExpectedAudience::dangerous_any();
        let verifier = Introspection::new_with(ISSUER, any, URL, client(), endpoint);
        assert_eq!(kind(&verifier.unwrap().with_clock(now()), "a").await, None);
    }
}

#[tokio::test]
async fn claim_in_place_of_the_audience_stays_required() {
    let verifier = |answer: Value| {
        let clients = ExpectedAudience::clients(["app"]);
        let verifier =
            Introspection::new_with(ISSUER, clients, URL, client(), Endpoint::json(answer));
        verifier.unwrap().with_clock(now()).dangerous_allow_missing_audience()
    };
    let without_aud = active_without("aud");
    assert_eq!(kind(&verifier(without_aud.clone()), "a").await, None);
    let mut without_both = without_aud;
    without_both.as_object_mut().unwrap().remove("client_id");
    assert_eq!(kind(&verifier(without_both), "a").await, Some(RejectionKind::MissingClaim));
    assert_eq!(kind(&verifier(active()), "a").await, Some(RejectionKind::WrongAudience));
}

#[tokio::test]
async fn times_of_the_answer_are_compared_with_the_clock_and_its_leeway() {
    use RejectionKind::{ExpiredToken, ImmatureToken, IssuedInFuture};

    for (name, value, expected) in [
        ("exp", json!(NOW - 29), None),
        ("exp", json!(NOW - 30), Some(ExpiredToken)),
        ("exp", Value::Null, None),
        ("nbf", json!(NOW + 30), None),
        ("nbf", json!(NOW + 31), Some(ImmatureToken)),
        ("iat", json!(NOW + 30), None),
        ("iat", json!(NOW + 31), Some(IssuedInFuture)),
    ] {
        assert_eq!(kind_of(active_with(name, value.clone())).await, expected, "{name} {value}");
    }
    let endpoint = Endpoint::json(active_with("exp", NOW - 1));
    let strict = endpoint.verifier().with_leeway(super::secs(0)).unwrap();
    assert_eq!(kind(&strict, "a").await, Some(ExpiredToken));
}

#[tokio::test]
async fn only_access_tokens_are_accepted() {
    for accepted in ["bearer", "BEARER", "Bearer"] {
        assert_eq!(kind_of(active_with("token_type", accepted)).await, None, "{accepted}");
    }
    assert_eq!(kind_of(active_without("token_type")).await, None);
    assert_eq!(kind_of(active_with("token_use", "access_token")).await, None);
    for (name, value) in [
        ("token_type", json!("refresh_token")),
        ("token_type", json!("N_A")),
        ("token_type", json!("mac")),
        ("token_type", json!("")),
        ("token_use", json!("refresh_token")),
        ("token_use", json!("refresh")),
        ("token_use", json!("id_token")),
        ("typ", json!("Refresh")),
        ("typ", json!("ID")),
        ("typ", json!("Offline")),
        ("at_hash", json!("x")),
        ("events", json!({})),
    ] {
        let answer = active_with(name, value);
        assert_eq!(kind_of(answer.clone()).await, Some(RejectionKind::WrongTokenType), "{answer}");
    }
}

#[tokio::test]
async fn answer_without_our_audience_must_say_that_the_token_is_an_access_token() {
    let lenient = |answer: &Value| {
        Endpoint::json(answer.clone()).verifier().dangerous_allow_missing_audience()
    };
    let of = |audience: ExpectedAudience, answer: &Value| {
        let endpoint = Endpoint::json(answer.clone());
        let verifier = Introspection::new_with(ISSUER, audience, URL, client(), endpoint);
        verifier.unwrap().with_clock(now())
    };
    // As oidc-provider answers about a refresh token.
    for token_type in [None, Some(Value::Null)] {
        let mut unmarked = active();
        unmarked.as_object_mut().unwrap().remove("token_type");
        if let Some(value) = token_type {
            unmarked["token_type"] = value;
        }
        assert_eq!(kind(&lenient(&unmarked), "a").await, None);
        let any = of(ExpectedAudience::dangerous_any(), &unmarked);
        assert_eq!(kind(&any, "a").await, Some(RejectionKind::WrongTokenType));
        unmarked.as_object_mut().unwrap().remove("aud");
        let of_clients = of(ExpectedAudience::clients(["app"]), &unmarked);
        for verifier in [lenient(&unmarked), of_clients] {
            let refused = verifier.verify("a").await.unwrap_err();
            assert_eq!(refused.kind(), RejectionKind::WrongTokenType);
            assert_eq!(refused.expected(), Some("token_type"));
        }
        // `null` and an empty list name no audience.
        for aud in [Value::Null, json!([])] {
            unmarked["aud"] = aud;
            let kind = kind(&lenient(&unmarked), "a").await;
            assert_eq!(kind, Some(RejectionKind::WrongTokenType));
        }
    }
}

#[tokio::test]
async fn member_that_is_null_counts_as_absent() {
    for name in ["iss", "sub", "exp", "nbf", "iat", "token_type", "token_use", "cnf", "events"] {
        for answer in [active_with(name, Value::Null), active_with("other", Value::Null)] {
            assert_eq!(kind_of(answer.clone()).await, None, "{answer}");
        }
    }
    let text = r#"{"active":true,"aud":"https://api.example","sub":null,"n":1.50,"a":[null]}"#;
    let text = text.replace("https://api.example", AUDIENCE);
    let verifier = Endpoint::new(move |_| ok(text.clone())).verifier().with_claims::<Value>();
    let token = verifier.verify("a").await.unwrap();
    let expected = json!({"active": true, "aud": AUDIENCE, "n": 1.5, "a": [null]});
    assert_eq!(token.claims(), &expected);
    // A duplicate name stays malformed.
    let twice = r#"{"active": false, "a": null, "a": null}"#;
    let verifier = Endpoint::new(move |_| ok(twice)).verifier();
    assert_eq!(kind(&verifier, "a").await, Some(RejectionKind::Unavailable));
}

#[tokio::test]
async fn required_claim_must_be_in_the_answer() {
    for (name, answer, is_accepted) in [
        ("token_type", active(), true),
        ("token_type", active_without("token_type"), false),
        ("token_type", active_with("token_type", Value::Null), false),
        ("exp", active_without("exp"), false),
        ("sub", active_with("sub", ""), false),
    ] {
        let verifier = Endpoint::json(answer.clone()).verifier().add_required_claim(name);
        let expected = (!is_accepted).then_some(RejectionKind::MissingClaim);
        assert_eq!(kind(&verifier, "a").await, expected, "{name} {answer}");
    }
}
