//! The claims and the header of a token that is issued.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Audience, ConfigErrorKind, IssueErrorKind, JwtVerifier, RegisteredClaims, TokenIssuer,
};

use super::{es256, issuer, part};
use crate::support::{AUDIENCE, ISSUER, NOW, now};

fn claims(token: &str) -> Value {
    part(token, 1)
}

#[test]
fn a_token_has_the_claims_that_none_goes_without() {
    let issuer = issuer(es256());
    let first = claims(&issuer.issue(&json!({"sub": "alice", "tenant": 7})).unwrap());
    let jti = first["jti"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(jti).unwrap().len(), 16);
    assert_eq!(
        first,
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "tenant": 7,
            "iat": NOW, "exp": NOW + 1800, "jti": jti,
        })
    );
    let second = claims(&issuer.issue(&json!({})).unwrap());
    assert_ne!(first["jti"], second["jti"]);
}

#[test]
fn a_lifetime_is_the_issuers_or_the_tokens() {
    let issuer = issuer(es256()).with_lifetime(Duration::from_millis(61_900)).unwrap();
    assert_eq!(issuer.lifetime(), Duration::from_secs(61));
    assert_eq!(claims(&issuer.issue(&json!({})).unwrap())["exp"], NOW + 61);
    let token = issuer.issue_for(&json!({}), Duration::from_secs(1)).unwrap();
    assert_eq!(claims(&token)["exp"], NOW + 1);
    let long = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    assert!(issuer.issue_for(&json!({}), long).is_ok());

    for lifetime in [Duration::from_millis(999), long + long / 10, Duration::MAX] {
        let error = issuer.issue_for(&json!({}), lifetime).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Lifetime, "{lifetime:?}");
        let error = issuer.clone().with_lifetime(lifetime).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration, "{lifetime:?}");
    }
}

#[test]
fn claims_may_name_what_is_theirs() {
    let issuer = issuer(es256());
    let own = json!({"aud": ["a", "b"], "jti": "1", "nbf": NOW + 5, "sub": "alice"});
    let token = claims(&issuer.issue(&own).unwrap());
    for name in ["aud", "jti", "nbf", "sub"] {
        assert_eq!(token[name], own[name]);
    }

    // All that a token may hold is there and `null`, or is not there.
    let nothing = json!({"iss": null, "sub": null, "aud": null, "exp": null, "nbf": null,
        "iat": null, "jti": null, "other": null});
    let token = claims(&issuer.issue(&nothing).unwrap());
    assert_eq!((&token["aud"], &token["other"]), (&json!(AUDIENCE), &Value::Null));
    assert!(token.get("sub").is_none() && token.get("nbf").is_none());
    let registered = RegisteredClaims::default();
    assert!(issuer.issue(&registered).is_ok());
}

#[test]
fn claims_that_make_no_token_are_refused() {
    let issuer = issuer(es256());
    for (bad, part) in [
        (json!({"exp": NOW}), "`exp` is set by the issuer"),
        (json!({"iat": NOW}), "`iat` is set by the issuer"),
        (json!({"iss": ISSUER}), "`iss` is set by the issuer"),
        (json!({"sub": 7}), "`sub`"),
        (json!({"jti": 7}), "`jti`"),
        (json!({"nbf": "now"}), "`nbf`"),
        (json!({"nbf": -1}), "`nbf`"),
        (json!({"nbf": 1e19}), "`nbf`"),
        (json!({"long": "x".repeat(13_000)}), "16 KiB"),
        (json!({"aud": 7}), "`aud`"),
        (json!({"aud": ["a", 7]}), "`aud`"),
        (json!([]), "not a JSON object"),
        (json!("alice"), "not a JSON object"),
        (json!(null), "not a JSON object"),
    ] {
        let error = issuer.issue(&bad).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Claims, "{bad}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = issuer.issue(&std::collections::HashMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Claims);
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn an_audience_comes_from_somewhere() {
    let bare = TokenIssuer::new(ISSUER, es256()).unwrap();
    for claims in [json!({}), json!({"aud": null}), json!({"aud": ""}), json!({"aud": []})] {
        let error = bare.issue(&claims).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Audience, "{claims}");
    }
    assert!(bare.issue(&json!({"aud": "a"})).is_ok());

    let several = bare.clone().with_audience(["a", "b"]).unwrap();
    assert_eq!(claims(&several.issue(&json!({})).unwrap())["aud"], json!(["a", "b"]));
    for empty in [Audience::from(""), Audience::from(vec![]), Audience::from(["a", ""])] {
        let error = bare.clone().with_audience(empty).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience);
    }
}

#[test]
fn a_name_stands_once_in_a_token() {
    #[derive(serde::Serialize)]
    struct Twice {
        tenant: u32,
        #[serde(flatten)]
        more: std::collections::BTreeMap<&'static str, u32>,
    }
    let twice = Twice { tenant: 1, more: [("tenant", 2)].into() };
    let issuer = issuer(es256());
    let error = issuer.issue(&twice).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Claims);
    assert!(error.to_string().contains("`tenant`"), "{error}");

    // A claim of the issuer's cannot hide behind a `null`.
    #[derive(serde::Serialize)]
    struct Hidden {
        sub: Option<String>,
        #[serde(flatten)]
        more: std::collections::BTreeMap<&'static str, &'static str>,
    }
    let hidden = Hidden { sub: None, more: [("sub", "root")].into() };
    assert_eq!(issuer.issue(&hidden).unwrap_err().kind(), IssueErrorKind::Claims);

    // Nor is there a token that every verifier refuses.
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    let error = issuer.issue(&json!({"deep": deep})).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Claims);
}

#[test]
fn a_token_is_never_too_long_for_a_verifier() {
    let kid = "\"".repeat(1024);
    let issuer = issuer(es256().with_kid(&kid)).with_type("application/at+jwt").unwrap();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, issuer.verification_keys());
    let verifier = verifier.unwrap().with_clock(now());
    let mut longest = 0;
    for length in (0..13_000).step_by(100) {
        match issuer.issue(&json!({"long": "x".repeat(length)})) {
            Ok(token) => {
                verifier.verify_now(&token).unwrap();
                longest = token.len();
            }
            Err(error) => assert_eq!(error.kind(), IssueErrorKind::Claims),
        }
    }
    assert!(longest > 16_000);

    for kid in ["", "a\n", &"x".repeat(1025)] {
        let error = TokenIssuer::new(ISSUER, es256().with_kid(kid)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Key, "{kid:?}");
    }
}

#[test]
fn a_type_is_a_media_type() {
    let issuer = issuer(es256());
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt"] {
        let token = issuer.clone().with_type(typ).unwrap().issue(&json!({})).unwrap();
        assert_eq!(part(&token, 0)["typ"], typ);
    }
    let long = "x".repeat(128);
    for typ in ["", "a b", "é", "\"", "a\n", "/", "a/", "/a", "a/b/c", &long] {
        let error = issuer.clone().with_type(typ).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TokenType, "{typ:?}");
    }
}
