//! The claims of a token, read and refused.

use std::convert::Infallible;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, JwtVerifier, RegisteredClaims, Rejection, RejectionKind, Scope,
    verify_fn,
};

use super::{Nothing, Strict, typed, verdict};
use crate::support::{AUDIENCE, ISSUER, NOW, claims, claims_with, key};

use RejectionKind::*;

/// The operator is told the name of the claim, and nothing that the token says.
#[test]
fn what_a_token_lacks_is_named_to_the_operator() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never built")]
    struct Tenant {
        tenant: u8,
    }

    let hs256 = key(Algorithm::HS256);
    let verifier = || hs256.verifier();
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        hs256.token(&claims)
    };
    let expected = |verifier: JwtVerifier, token: &str| {
        let rejection = verifier.verify_now(token).unwrap_err();
        assert_eq!(rejection.kind(), MissingClaim);
        rejection.expected().map(str::to_owned)
    };
    assert_eq!(expected(verifier(), &without("exp")).as_deref(), Some("exp"));
    assert_eq!(expected(verifier(), &without("aud")).as_deref(), Some(AUDIENCE));
    let demanding = verifier().add_required_claim("tenant");
    assert_eq!(expected(demanding, &without("")).as_deref(), Some("tenant"));
    let at_jwt = hs256.token_of(r#"{"alg":"HS256","typ":"at+jwt"}"#, claims().to_string());
    let lacks = expected(verifier().require_rfc9068(), &at_jwt);
    assert!(lacks.is_some_and(|name| ["client_id", "iat", "jti"].contains(&&*name)));

    let typed = |claims: &Value| {
        let rejection = verifier().with_claims::<Tenant>().verify_now(&hs256.token(claims));
        let rejection = rejection.unwrap_err();
        assert_eq!(rejection.kind(), UnexpectedClaims);
        rejection.expected().map(str::to_owned)
    };
    assert_eq!(typed(&claims()).as_deref(), Some("tenant"));
    assert_eq!(typed(&claims_with("tenant", "missing field `canary`")).as_deref(), Some("tenant"));
    assert_eq!(typed(&claims_with("tenant", 256)).as_deref(), Some("tenant"));
}

/// What RFC 9068 says of some more claims binds those alone who ask for it.
#[test]
fn the_claims_of_rfc_9068_are_of_any_type_elsewhere() {
    for name in ["jti", "client_id", "scope"] {
        for value in [json!(5), json!(null), json!({"a": 1}), json!(["a", 1])] {
            let text = claims_with(name, value.clone()).to_string();
            assert_eq!(typed::<Value>(&text).unwrap()[name], value);
            assert_eq!(typed::<Strict>(&text).err(), Some(UnexpectedClaims), "{text}");
        }
    }
}

#[test]
fn nesting_is_bounded_exactly() {
    let hs256 = key(Algorithm::HS256);
    let good = claims().to_string();
    for (depth, fits) in [(1, true), (63, true), (64, false), (65, false), (5_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inside = if open == "[" { "" } else { "1" };
            let value = format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
            if value.len() > 11_000 {
                continue;
            }
            let text = format!("{{{},\"x\":{value}}}", &good[1..good.len() - 1]);
            let expected = (!fits).then_some(MalformedClaims);
            assert_eq!(typed::<Nothing>(&text).err(), expected, "{depth}");
            assert_eq!(typed::<Value>(&text).err(), expected, "{depth}");
            assert_eq!(typed::<RegisteredClaims>(&text).err(), expected, "{depth}");

            let header = format!("{{\"alg\":\"HS256\",\"x\":{value}}}");
            let kind = verdict(&hs256.verifier(), &hs256.token_of(header, &good)).err();
            let expected = if depth == 5_000 { TokenTooLong } else { MalformedToken };
            assert_eq!(kind, (!fits).then_some(expected), "{depth}");
        }
    }
}

#[tokio::test]
async fn status_403_is_for_good_tokens_that_do_not_suffice() {
    let rule = verify_fn(|token| match token.as_str() {
        "reader" => Err::<(), _>(Rejection::insufficient_scope(Scope::from("write"))),
        "writer" => Ok(()),
        _ => Err(Rejection::invalid_token()),
    });
    let service = ServiceBuilder::new().layer(JwtAuthLayer::new(rule)).service(service_fn(
        async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())),
    ));
    for (token, status) in [("writer", 200), ("reader", 403), ("stranger", 401)] {
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.body(String::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{token}");
        if status == 403 {
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            let params = crate::support::challenge::parse(challenge).unwrap();
            assert_eq!(params["error"], "insufficient_scope");
            assert_eq!(params["scope"], "write");
        }
    }
}

#[test]
fn claims_can_be_had_as_the_text_that_they_are() {
    use serde_json::value::RawValue;
    use std::collections::BTreeMap;

    let text = format!(
        r#"{{"iss":"{ISSUER}", "aud":[ "{AUDIENCE}" ],"exp":{}.50,"big":1e400,"odd":"\ud800"}}"#,
        NOW + 9
    );
    let raw = typed::<BTreeMap<String, Box<RawValue>>>(&text).unwrap();
    assert_eq!(raw["aud"].get(), format!(r#"[ "{AUDIENCE}" ]"#));
    assert_eq!(raw["exp"].get(), format!("{}.50", NOW + 9));
    assert_eq!(raw["big"].get(), "1e400");
    assert_eq!(raw["odd"].get(), r#""\ud800""#);

    let expired = claims_with("exp", NOW - 99).to_string();
    let verdict = typed::<BTreeMap<String, Box<RawValue>>>(&expired);
    assert_eq!(verdict.unwrap_err(), ExpiredToken);
    let faulty = claims_with("nbf", "x").to_string();
    let verdict = typed::<BTreeMap<String, Box<RawValue>>>(&faulty);
    assert_eq!(verdict.unwrap_err(), MalformedClaims);
}
