//! Where scopes are read, and scopes that include others.

use futures_util::FutureExt;
use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Accepted, Algorithm, IssuerSet, JwtVerifier, PresentedToken, Rejection, RejectionKind, Rule,
    Scope, ScopeHierarchy, Verification, VerifiedToken, VerifyToken,
};

use super::{holds, scope, token_with, verified, verified_by, verifier};
use crate::support::key;

fn scopes(more: &Value) -> Option<Vec<String>> {
    let token = verified(more);
    Some(VerifiedToken::scope(&token)?.iter().map(String::from).collect())
}

#[test]
fn scopes_are_read_from_scope_and_scp_as_text_or_array() {
    for claims in [
        json!({"scope": "a b"}),
        json!({"scope": ["a", "b"]}),
        json!({"scp": "a b"}),
        json!({"scp": ["a", "b"]}),
        json!({"scope": "a", "scp": ["b"]}),
    ] {
        assert_eq!(scopes(&claims).unwrap(), ["a", "b"], "{claims}");
    }
    assert_eq!(scopes(&json!({})).unwrap(), [""; 0]);
    assert_eq!(scopes(&json!({"scp": 7})), None);
}

#[test]
fn scope_is_compared_whole_and_case_sensitively() {
    for other in ["orders:rea", "orders:readx", "Orders:read", "orders", "orders:read,orders:write"]
    {
        assert!(!holds(&scope("orders:read"), &json!({"scope": other})), "{other}");
    }
    assert!(!holds(&scope("read"), &json!({"scope": ["read write"]})));
    assert!(!holds(&scope("read"), &json!({"roles": ["read"], "permissions": ["read"]})));
}

#[test]
fn scopes_are_read_whatever_the_type_of_the_claims() {
    #[derive(Deserialize)]
    struct Empty {}
    #[derive(Deserialize)]
    struct Other {
        #[expect(dead_code, reason = "it takes the claim, and in another type")]
        scope: Value,
    }

    let token = token_with(&json!({"scope": "read", "scp": ["write"]}));
    let rule = Rule::all_scopes(["read", "write"]);
    assert!(rule.unwrap().check(&verified_by(&verifier().with_claims::<Empty>(), &token)).is_ok());
    let rule = Rule::all_scopes(["read", "write"]);
    assert!(rule.unwrap().check(&verified_by(&verifier().with_claims::<Other>(), &token)).is_ok());
    let rule = Rule::all_scopes(["read", "write"]);
    let mapped = Accepted::from(verified_by(&verifier(), &token)).map_claims(|_| ()).into_token();
    assert!(rule.unwrap().check(&mapped).is_ok());
}

#[test]
fn token_without_a_request_is_read_by_name_when_it_was_asked_for() {
    let token = token_with(&json!({"scope": "read"}));
    let (plain, keeping) = (verifier(), verifier().with_claims_by_name());
    for verified in
        [plain.verify_now(&token).unwrap(), plain.verify(&token).now_or_never().unwrap().unwrap()]
    {
        assert_eq!(VerifiedToken::scope(&verified), None);
        for rule in [scope("read"), !scope("write")] {
            let rejection = rule.check(&verified).unwrap_err();
            assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
        }
    }
    let issuers = IssuerSet::new();
    issuers.add(keeping.clone()).unwrap();
    for verified in [
        keeping.verify_now(&token).unwrap(),
        keeping.verify(&token).now_or_never().unwrap().unwrap(),
        issuers.verify(&token).now_or_never().unwrap().unwrap(),
    ] {
        assert!(scope("read").check(&verified).is_ok());
        assert!(scope("write").check(&verified).is_err());
    }
}

#[test]
fn scopes_are_those_of_the_token_that_was_verified() {
    /// Verifies a token that it knows in place of the one that came.
    struct Exchange(JwtVerifier, String);

    impl VerifyToken<tower_jwt_auth::RegisteredClaims> for Exchange {
        fn verify_token(
            &self,
            _: &PresentedToken,
            head: &http::request::Parts,
        ) -> Verification<tower_jwt_auth::RegisteredClaims> {
            match PresentedToken::bearer(&self.1) {
                Ok(token) => self.0.verify_token(&token, head),
                Err(rejection) => Verification::ready(Err::<_, Rejection>(rejection)),
            }
        }
    }

    let exchange = Exchange(verifier(), token_with(&json!({"scope": "read"})));
    let presented = PresentedToken::bearer(&token_with(&json!({"scope": "admin"}))).unwrap();
    let head = Request::new(()).into_parts().0;
    let result = exchange.verify_token(&presented, &head).now_or_never().unwrap();
    let token = result.unwrap().into_token();
    assert!(scope("read").check(&token).is_ok());
    assert!(scope("admin").check(&token).is_err());
}

fn hierarchy() -> ScopeHierarchy {
    ScopeHierarchy::new([("admin", "write"), ("write", "read create")]).unwrap()
}

#[test]
fn broader_scope_meets_a_rule_about_a_narrower_one() {
    let verifier = verifier().with_scope_hierarchy(hierarchy());
    for (granted, allowed) in [
        ("admin", &["admin", "write", "read", "create"][..]),
        ("write", &["write", "read", "create"]),
        ("read", &["read"]),
        ("administrator", &[]),
        ("", &[]),
    ] {
        let token = verified_by(&verifier, &token_with(&json!({"scope": granted})));
        for wanted in ["admin", "write", "read", "create"] {
            let is_allowed = scope(wanted).check(&token).is_ok();
            assert_eq!(is_allowed, allowed.contains(&wanted), "{granted}: {wanted}");
        }
        // The claims are what the issuer wrote.
        assert_eq!(token.scope.as_ref().unwrap().as_str(), granted);
    }
}

#[test]
fn broader_scope_fails_a_rule_that_excludes_a_narrower_one() {
    let verifier = verifier().with_scope_hierarchy(hierarchy());
    let token = verified_by(&verifier, &token_with(&json!({"scp": ["admin"]})));
    assert!((!scope("read")).check(&token).is_err());
}

#[test]
fn challenge_names_the_scope_that_was_asked_for_and_none_that_includes_it() {
    let verifier = verifier().with_scope_hierarchy(hierarchy());
    let token = verified_by(&verifier, &token_with(&json!({"scope": "read"})));
    let rejection = scope("create").check(&token).unwrap_err();
    assert_eq!(rejection.scope().unwrap().as_str(), "create");
}

#[test]
fn each_issuer_of_a_set_has_its_own_hierarchy() {
    let issuers = IssuerSet::new();
    issuers.add(verifier().with_scope_hierarchy(hierarchy())).unwrap();
    let other = JwtVerifier::new(
        "https://other.example",
        crate::support::AUDIENCE,
        key(Algorithm::ES256).verification_key(),
    );
    issuers.add(other.unwrap().with_clock(crate::support::now())).unwrap();
    let head = Request::new(()).into_parts().0;
    for (issuer, expected) in [(crate::support::ISSUER, true), ("https://other.example", false)] {
        let token = token_with(&json!({"iss": issuer, "scope": "admin"}));
        let presented = PresentedToken::bearer(&token).unwrap();
        let result = issuers.verify_token(&presented, &head).now_or_never().unwrap();
        let is_allowed = scope("read").check(result.unwrap().token()).is_ok();
        assert_eq!(is_allowed, expected, "{issuer}");
    }
}

#[test]
fn scopes_that_a_check_gives_to_a_jwt_replace_those_of_its_claims() {
    let verifier = verifier().with_scope_hierarchy(hierarchy());
    let token = verified_by(&verifier, &token_with(&json!({"scope": "admin"})));
    let token = Accepted::from(token).with_scope(Scope::from("write")).into_token();
    assert!(scope("read").check(&token).is_ok());
    assert!(scope("admin").check(&token).is_err());
}
