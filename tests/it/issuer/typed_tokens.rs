//! Access tokens by RFC 9068, and ID tokens.

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::{
    AccessTokenClaims, Algorithm, Audience, IssueErrorKind, JwtVerifier, KeyRing, NewAccessToken,
    NewIdToken, NumericDate, RejectionKind, SigningKey, TokenIssuer,
};

use super::{es256, issuer, key, part};
use crate::support::{AUDIENCE, ISSUER, NOW, b64, now};

fn rfc9068(issuer: &TokenIssuer) -> JwtVerifier<AccessTokenClaims> {
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, issuer.verification_keys()).unwrap();
    verifier.require_rfc9068().with_claims().with_clock(now())
}

#[test]
fn an_access_token_passes_the_rfc_9068_profile_with_all_its_claims() {
    let issuer = issuer(es256()).with_type("other+jwt").unwrap();
    let contents = NewAccessToken::new("alice", "app")
        .with_scope("read write")
        .with_auth_time(NumericDate::from_unix_seconds(NOW - 10))
        .with_acr("urn:mfa")
        .with_amr(["pwd", "otp"])
        .with_lifetime(Duration::from_secs(60))
        .with_token_id("7")
        .with_claims(&json!({"roles": ["clerk"], "tenant": 7}))
        .unwrap();
    let token = issuer.issue_access_token(&contents).unwrap();
    assert_eq!(part(&token, 0)["typ"], "at+jwt");
    assert_eq!(
        part(&token, 1),
        json!({
            "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "client_id": "app", "jti": "7",
            "iat": NOW, "exp": NOW + 60, "auth_time": NOW - 10, "acr": "urn:mfa",
            "amr": ["pwd", "otp"], "scope": "read write", "roles": ["clerk"], "tenant": 7,
        })
    );
    let verified = rfc9068(&issuer).verify_now(&token).unwrap();
    assert_eq!((&*verified.sub, &*verified.client_id), ("alice", "app"));
    assert!(verified.scope.contains("write") && verified.roles == ["clerk"]);
}

#[test]
fn what_is_not_given_is_absent() {
    let issuer = issuer(es256());
    let token = issuer.issue_access_token(&NewAccessToken::for_client("app")).unwrap();
    let claims = part(&token, 1);
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "sub"]);
    assert_eq!((&claims["sub"], &claims["exp"]), (&json!("app"), &json!(NOW + 1800)));
    assert!(rfc9068(&issuer).verify_now(&token).is_ok());

    let empty = NewAccessToken::new("alice", "app").with_scope("  ").with_amr([""; 0]);
    let claims = part(&issuer.issue_access_token(&empty).unwrap(), 1);
    assert!(claims.get("scope").is_none() && claims.get("amr").is_none());
}

#[test]
fn an_access_token_is_for_the_audience_that_was_asked_for() {
    let contents = NewAccessToken::new("alice", "app").with_audience("https://orders.example");
    let token = issuer(es256()).issue_access_token(&contents).unwrap();
    assert_eq!(part(&token, 1)["aud"], "https://orders.example");

    let bare = TokenIssuer::new(ISSUER, es256()).unwrap();
    assert!(bare.issue_access_token(&contents).is_ok());
    for contents in [
        NewAccessToken::new("alice", "app"),
        contents.clone().with_audience(""),
        contents.with_audience(Audience::from(vec![])),
    ] {
        let error = bare.issue_access_token(&contents).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Audience);
    }
}

#[test]
fn contents_that_make_no_token_are_refused() {
    let issuer = issuer(es256());
    let good = || NewAccessToken::new("alice", "app");
    for bad in [
        NewAccessToken::new("", "app"),
        NewAccessToken::new("alice", ""),
        NewAccessToken::for_client(""),
        good().with_scope("a \"b\""),
        good().with_scope("read\nwrite"),
        good().with_token_id(""),
        good().with_claims(&json!({"long": "x".repeat(13_000)})).unwrap(),
    ] {
        let error = issuer.issue_access_token(&bad).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Claims, "{bad:?}");
    }
    let error = issuer.issue_access_token(&good().with_lifetime(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Lifetime);

    for name in ["sub", "client_id", "aud", "jti", "scope", "acr", "amr", "iss", "iat", "exp"] {
        let error = good().with_claims(&json!({name: "1"})).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Claims, "{name}");
        assert!(error.to_string().contains(name), "{error}");
    }
    for name in ["at_hash", "nonce", "aud", "sub"] {
        assert!(NewIdToken::new("alice", "app").with_claims(&json!({name: "1"})).is_err());
    }
    for subject in ["", "\u{e9}", &"x".repeat(256)] {
        let error = issuer.issue_id_token(&NewIdToken::new(subject, "app"), "a.b.c").unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Claims);
    }
}

#[test]
fn an_id_token_tells_the_client_about_the_login() {
    let issuer = issuer(es256()).with_type("at+jwt").unwrap();
    let contents = NewIdToken::new("alice", "app")
        .with_nonce("n-0S6_WzA2Mj")
        .with_auth_time(NumericDate::from_unix_seconds(NOW))
        .with_acr("1")
        .with_amr(["pwd"])
        .with_claims(&json!({"email": "alice@example.com"}))
        .unwrap();
    let token = issuer.issue_id_token(&contents, "a.b.c").unwrap();
    let (header, mut claims) = (part(&token, 0), part(&token, 1));
    assert_eq!(header["typ"], "JWT");
    assert!(claims["jti"].is_string());
    claims.as_object_mut().unwrap().remove("jti");
    let at_hash = b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"a.b.c"));
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": "alice", "aud": "app", "iat": NOW, "exp": NOW + 1800,
            "nonce": "n-0S6_WzA2Mj", "auth_time": NOW, "acr": "1", "amr": ["pwd"],
            "email": "alice@example.com", "at_hash": hash_half(&at_hash),
        })
    );
}

fn hash_half(hash: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let hash = URL_SAFE_NO_PAD.decode(hash).unwrap();
    b64(&hash[..hash.len() / 2]).into()
}

/// The example of OpenID Connect Core 1.0 appendix A.3.
#[test]
fn at_hash_is_that_of_the_standard() {
    let issuer = issuer(key(Algorithm::RS256));
    let access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    let token = issuer.issue_id_token(&NewIdToken::new("alice", "app"), access_token).unwrap();
    assert_eq!(part(&token, 1)["at_hash"], "77QmUPtjPfzWtF2AnpK9RQ");
}

#[test]
fn at_hash_has_half_of_the_hash_of_the_algorithm() {
    for &algorithm in Algorithm::ALL {
        let issued = issuer(key(algorithm)).issue_id_token(&NewIdToken::new("a", "app"), "t");
        let bytes = match algorithm.name() {
            "EdDSA" | "Ed25519" => 32,
            name if name.starts_with("ML-DSA") => {
                let error = issued.unwrap_err();
                assert_eq!(error.kind(), IssueErrorKind::Algorithm);
                assert_eq!(error.to_string(), format!("no standard defines `at_hash` for {name}"));
                continue;
            }
            name => name[2..].parse::<usize>().unwrap() / 16,
        };
        let at_hash = part(&issued.unwrap(), 1)["at_hash"].as_str().unwrap().to_owned();
        assert_eq!(at_hash.len(), (bytes * 4).div_ceil(3), "{algorithm}");
    }
}

#[test]
fn an_id_token_never_passes_as_an_access_token() {
    let issuer = issuer(es256());
    let contents = NewIdToken::new("alice", "app");
    // Also for a client that is named as the API.
    let same_name = NewIdToken::new("alice", AUDIENCE);
    let extra = same_name.clone().with_claims(&json!({"client_id": "app", "scope": "read"}));
    for contents in [contents, same_name, extra.unwrap()] {
        let token = issuer.issue_id_token(&contents, "a.b.c").unwrap();
        let aud = part(&token, 1)["aud"].as_str().unwrap().to_owned();
        let verifier = JwtVerifier::new(ISSUER, aud, issuer.verification_keys()).unwrap();
        let verifier = verifier.with_clock(now());
        let rejection = verifier.verify_now(&token).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::WrongTokenType);
        assert!(rfc9068(&issuer).verify_now(&token).is_err());
        // All else is right with it.
        assert!(verifier.dangerous_accept_id_tokens().verify_now(&token).is_ok());
    }
}

#[test]
fn typed_tokens_are_signed_by_the_current_key() {
    let list = [("a", -1), ("b", 60)]
        .map(|(kid, time)| (es256().with_kid(kid), NumericDate::from_unix_seconds(NOW + time)));
    let clock = super::Clock::at(NOW);
    let ring = KeyRing::from_keys(list).unwrap().with_clock(clock.clone());
    let issuer = TokenIssuer::new(ISSUER, ring).unwrap().with_audience(AUDIENCE).unwrap();
    for (time, kid) in [(0, "a"), (60, "b")] {
        clock.set(NOW + time);
        let access = issuer.issue_access_token(&NewAccessToken::new("alice", "app")).unwrap();
        let id = issuer.issue_id_token(&NewIdToken::new("alice", "app"), &access).unwrap();
        assert_eq!((&part(&access, 0)["kid"], &part(&id, 0)["kid"]), (&json!(kid), &json!(kid)));
    }
}

#[test]
fn contents_show_no_key_and_are_shared_between_threads() {
    fn assert_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_shared::<NewAccessToken>();
    assert_shared::<NewIdToken>();
    assert!(SigningKey::generate(Algorithm::ES384).is_ok());
}
