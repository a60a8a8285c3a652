//! Delegation (RFC 8693 section 4.1).

use serde_json::{Value, json};
use tower_jwt_auth::{Actor, RejectionKind, Rule};

use super::{check, holds};

fn by_billing() -> Rule {
    Rule::actor(|actor: &Actor| actor.sub.as_deref() == Some("billing"))
}

fn chain(depth: usize) -> Value {
    (1..depth).fold(json!({"sub": "billing"}), |act, _| json!({"sub": "billing", "act": act}))
}

#[test]
fn current_actor_is_the_one_that_counts() {
    assert!(holds(&by_billing(), &json!({"act": {"sub": "billing"}})));
    let earlier = json!({"act": {"sub": "shop", "act": {"sub": "billing"}}});
    assert!(!holds(&by_billing(), &earlier));
    assert!(holds(&by_billing(), &json!({"act": {"sub": "billing", "act": {"sub": "shop"}}})));
}

#[test]
fn token_without_an_actor_is_refused() {
    for claims in [json!({}), json!({"act": null}), json!({"sub": "billing"})] {
        let rejection = check(&by_billing(), &claims).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::InsufficientScope, "{claims}");
        assert_eq!(rejection.expected(), Some("act"));
    }
    let nobody = !Rule::actor(|_| true);
    assert!(holds(&nobody, &json!({})));
    assert!(!holds(&nobody, &json!({"act": {"sub": "billing"}})));
}

#[test]
fn chain_that_is_too_long_or_no_chain_is_refused_below_a_negation_too() {
    for act in [chain(9), chain(40), json!("billing"), json!([]), json!({"act": 1})] {
        let claims = json!({"act": act});
        assert!(!holds(&Rule::actor(|_| true), &claims), "{act}");
        assert!(!holds(&!Rule::actor(|_| false), &claims), "{act}");
    }
    assert!(holds(&by_billing(), &json!({"act": chain(8)})));
}
