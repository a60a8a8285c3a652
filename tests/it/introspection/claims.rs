//! What is made of the claims of an answer.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{Rejection, RejectionKind, Rule, ScopeHierarchy, VerifiedToken};

use super::{Endpoint, active_with, active_without, outcome, secs};
use crate::support::NOW;

#[derive(Debug, Deserialize)]
struct Answer {
    username: String,
    exp: u64,
    tenant: Option<u32>,
}

#[tokio::test]
async fn custom_type_reads_any_member_of_the_answer() {
    let mut answer = active_with("username", "al");
    answer["exp"] = json!((NOW + 3600) as f64);
    let verifier = Endpoint::json(answer).verifier().with_claims::<Answer>();
    let token = verifier.verify("a").await.unwrap();
    assert_eq!((&*token.username, token.tenant), ("al", None));
    assert_eq!(token.exp, u64::try_from(NOW).unwrap() + 3600);
}

#[tokio::test]
async fn answer_that_does_not_fit_the_type_is_a_refusal_that_names_the_claim() {
    let verifier = Endpoint::json(active_with("sub", "alice")).verifier().with_claims::<Answer>();
    let refused: Rejection = verifier.verify("a").await.unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::UnexpectedClaims);
    assert_eq!(refused.expected(), Some("username"));
    // A token that is refused anyway is refused for that.
    let answer = active_with("aud", "https://other.example");
    let verifier = Endpoint::json(answer).verifier().with_claims::<Answer>();
    assert_eq!(verifier.verify("a").await.unwrap_err().kind(), RejectionKind::WrongAudience);
}

#[tokio::test]
async fn scope_of_the_answer_is_that_of_the_token() {
    for (scope, expected) in [
        (json!("read write"), vec!["read", "write"]),
        (json!(["read", "write"]), vec!["read", "write"]),
        (Value::Null, vec![]),
    ] {
        let verifier = Endpoint::json(active_with("scope", scope)).verifier();
        let token = outcome(&verifier, "a").await.unwrap();
        assert_eq!(Vec::from_iter(VerifiedToken::scope(&token).unwrap().iter()), expected);
    }
    let hierarchy = ScopeHierarchy::new([("write", "append")]).unwrap();
    let verifier = Endpoint::usual().verifier().with_scope_hierarchy(hierarchy);
    let token = outcome(&verifier, "good").await.unwrap();
    assert!(VerifiedToken::scope(&token).unwrap().contains("append"));
}

#[tokio::test]
async fn rules_by_name_read_the_answer_also_of_a_token_from_the_cache() {
    let answer = active_with("realm", json!({"roles": ["admin"]}));
    let verifier = Endpoint::json(answer).verifier();
    for _ in 0..2 {
        let token = outcome(&verifier, "a").await.unwrap();
        assert!(Rule::scope("read").unwrap().check(&token).is_ok());
        assert!(Rule::scope("delete").unwrap().check(&token).is_err());
        assert!(Rule::contains(["realm", "roles"], "admin").unwrap().check(&token).is_ok());
        assert!(Rule::contains(["realm", "roles"], "root").unwrap().check(&token).is_err());
    }
}

#[tokio::test]
async fn token_is_refused_from_its_exp_and_the_leeway_on() {
    let verifier = Endpoint::usual().verifier().with_leeway(secs(7)).unwrap();
    let token = outcome(&verifier, "good").await.unwrap();
    let end = VerifiedToken::refused_from(&token).unwrap();
    assert_eq!(end.unix_seconds(), NOW + 3607);
    let verifier = Endpoint::json(active_without("exp")).verifier();
    let token = outcome(&verifier, "a").await.unwrap();
    assert_eq!((token.expires_at(), VerifiedToken::refused_from(&token)), (None, None));
}
