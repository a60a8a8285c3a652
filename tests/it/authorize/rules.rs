//! Rules over claims, and how rules compose.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tower_jwt_auth::{Accepted, ConfigErrorKind, RejectionKind, Rule, Scope, VerifiedToken};

use super::{check, holds, missing, scope, token_with, verified_by, verifier};
use crate::support::NOW;

#[test]
fn claim_must_have_exactly_the_value() {
    let rule = Rule::claim("tenant", "acme").unwrap();
    assert!(holds(&rule, &json!({"tenant": "acme"})));
    for tenant in
        [json!("Acme"), json!("acme "), json!(["acme"]), json!(null), json!({"a": "acme"})]
    {
        assert!(!holds(&rule, &json!({"tenant": tenant})), "{tenant}");
    }
    assert!(!holds(&rule, &json!({"Tenant": "acme"})));
    let rule = Rule::claim("level", 3).unwrap();
    assert!(holds(&rule, &json!({"level": 3})));
    assert!(!holds(&rule, &json!({"level": "3"})));
    let rule = Rule::claim(["https://acme.example/staff"], true).unwrap();
    assert!(holds(&rule, &json!({"https://acme.example/staff": true})));
    assert!(!holds(&rule, &json!({"https://acme.example/staff": "true"})));
}

#[test]
fn list_at_a_path_must_contain_the_value() {
    let rule = Rule::contains("realm_access.roles", "admin").unwrap();
    assert!(holds(&rule, &json!({"realm_access": {"roles": ["user", "admin"]}})));
    for claims in [
        json!({}),
        json!({"realm_access": {}}),
        json!({"realm_access": {"roles": null}}),
        json!({"realm_access": {"roles": "admin"}}),
        json!({"realm_access": {"roles": ["administrator"]}}),
        json!({"realm_access": {"roles": [["admin"]]}}),
        json!({"realm_access": ["admin"]}),
        json!({"roles": ["admin"]}),
        json!({"realm_access.roles": ["admin"]}),
    ] {
        assert!(!holds(&rule, &claims), "{claims}");
    }
}

#[test]
fn private_name_of_serde_json_in_a_claim_opens_nothing() {
    let inner = json!({"$serde_json::private::RawValue": "\"acme\""});
    assert!(!holds(&Rule::claim("tenant", "acme").unwrap(), &json!({"tenant": inner})));
    let inner = json!({"$serde_json::private::RawValue": "[\"admin\"]"});
    assert!(!holds(&Rule::contains("roles", "admin").unwrap(), &json!({"roles": inner})));
    let inner = json!({"$serde_json::private::RawValue": "\"read\""});
    assert!(!holds(&scope("read"), &json!({"scp": inner})));
    assert!(!holds(&scope("read"), &json!({"scp": [inner]})));
    assert!(!holds(
        &scope("read"),
        &json!({"$serde_json::private::RawValue": "{\"scope\":\"read\"}"})
    ));
}

#[test]
fn predicate_reads_claims_of_their_type() {
    #[derive(Deserialize)]
    struct Claims {
        tenant: u32,
    }
    let rule = Rule::claims(|claims: &Claims| claims.tenant == 7);
    let verifier = verifier().with_claims::<Claims>();
    for (tenant, expected) in [(7, true), (8, false)] {
        let token = verified_by(&verifier, &token_with(&json!({"tenant": tenant})));
        assert_eq!(rule.check(&token).is_ok(), expected, "{tenant}");
        // By name, too.
        assert_eq!(Rule::claim("tenant", 7).unwrap().check(&token).is_ok(), expected, "{tenant}");
    }
}

#[test]
fn truth_tables_of_and_or_not() {
    for (one, other) in [(true, true), (true, false), (false, true), (false, false)] {
        let rule = |is_true| Rule::<()>::claims(move |()| is_true);
        let token = Accepted::new(()).into_token();
        let holds = |rule: Rule<()>| rule.check(&token).is_ok();
        assert_eq!(holds(rule(one).and(rule(other))), one && other);
        assert_eq!(holds(rule(one).or(rule(other))), one || other);
        assert_eq!(holds(!rule(one)), !one);
    }
}

#[test]
fn refusal_names_every_missing_scope_once() {
    let all = Rule::all_scopes(["a", "b"]).unwrap().and(scope("c")).and(scope("a"));
    assert_eq!(missing(&all, &json!({})), ["a", "b", "c"]);
    assert_eq!(missing(&all, &json!({"scope": "b x"})), ["a", "c"]);
    assert!(holds(&all, &json!({"scope": "c b a"})));
    // Not only scopes are missing: they are named all the same.
    let tenant = Rule::claim("tenant", "acme").unwrap();
    assert_eq!(missing(&tenant.clone().and(all), &json!({"scope": "a"})), ["b", "c"]);
    assert!(missing(&tenant.and(scope("a")), &json!({"scope": "a"})).is_empty());
}

#[test]
fn refusal_of_an_alternative_names_the_scopes_of_the_first() {
    let rule = Rule::all_scopes(["a", "b"]).unwrap().or(scope("c"));
    assert_eq!(missing(&rule, &json!({"scope": "a"})), ["b"]);
    assert_eq!(missing(&Rule::any_scope(["a", "b"]).unwrap(), &json!({"scope": "c"})), ["a"]);
    for granted in ["a", "b", "b a"] {
        assert!(holds(&Rule::any_scope(["a", "b"]).unwrap(), &json!({"scope": granted})));
    }
}

#[test]
fn refusal_of_a_negation_names_no_scope() {
    let rule = !scope("suspended");
    assert!(holds(&rule, &json!({"scope": "read"})));
    let rejection = check(&rule, &json!({"scope": "suspended"})).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    assert_eq!(rejection.scope(), None);
    assert_eq!(rule.required_scope(), None);
}

#[test]
fn what_cannot_be_read_is_refused_below_a_negation_too() {
    let blocked = !Rule::contains("groups", "blocked").unwrap();
    assert!(holds(&blocked, &json!({"groups": ["staff"]})));
    assert!(holds(&blocked, &json!({})));
    assert!(!holds(&blocked, &json!({"groups": "blocked"})));
    assert!(!holds(&blocked, &json!({"groups": {"0": "blocked"}})));
    let nested = !Rule::claim("account.state", "blocked").unwrap();
    assert!(holds(&nested, &json!({"account": {"state": "open"}})));
    assert!(!holds(&nested, &json!({"account": ["blocked"]})));
    assert!(!holds(&!scope("a"), &json!({"scp": 7})));
    // Nor does another part that is read make up for it.
    let never = Rule::<_>::claims(|_| false);
    assert!(!holds(&!scope("a").or(never.clone()), &json!({"scp": 7})));
    assert!(holds(&!scope("a").and(never), &json!({"scp": 7})));
}

#[test]
fn token_that_is_not_a_jwt_fails_rules_by_name_and_has_the_scopes_it_was_given() {
    let token = Accepted::new(()).into_token();
    assert_eq!(VerifiedToken::scope(&token), None);
    let read = || Rule::<()>::scope("read").unwrap();
    let rejection = read().check(&token).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    assert_eq!(rejection.scope().unwrap().as_str(), "read");
    for rule in [
        !read(),
        Rule::claim("sub", "alice").unwrap(),
        !Rule::claim("sub", "mallory").unwrap(),
        Rule::actor(|_| true),
        Rule::acr(["gold"]).unwrap(),
        Rule::max_age(Duration::from_secs(60)),
    ] {
        let rejection = rule.check(&token).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::InsufficientScope, "{rule:?}");
        assert_eq!(rejection.expected(), Some("a token whose claims can be read by name"));
    }
    let token = Accepted::new(()).with_scope(Scope::from("read write")).into_token();
    assert!(read().check(&token).is_ok());
    assert!((!Rule::scope("admin").unwrap()).check(&token).is_ok());
    assert!(VerifiedToken::scope(&token.clone()).unwrap().contains("write"));
    // Also with other claims.
    let mapped = Accepted::from(token).map_claims(|()| "alice").into_token();
    assert!(Rule::scope("write").unwrap().check(&mapped).is_ok());
}

#[test]
fn refusal_tells_the_operator_which_claim_it_was_and_no_value() {
    let rule = Rule::contains("realm_access.roles", "admin").unwrap();
    let rejection = check(&rule, &json!({"realm_access": {"roles": ["secret-role"]}})).unwrap_err();
    assert_eq!(rejection.expected(), Some("realm_access.roles"));
    assert!(!rejection.description().contains("roles"));
    assert!(!format!("{rejection:?}{rule:?}").contains("secret-role"));
}

#[test]
fn mistakes_are_errors_when_a_rule_is_made() {
    let error = |result: Result<Rule, _>| {
        let error: tower_jwt_auth::ConfigError = result.unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Rule, "{error}");
    };
    for bad in ["", " ", "a b", "a\"b", "a\\b", "é", "a\n"] {
        error(Rule::scope(bad));
        error(Rule::all_scopes(["a", bad]));
        error(Rule::any_scope([bad]));
        error(Rule::acr(["gold", bad]));
    }
    error(Rule::all_scopes([]));
    error(Rule::any_scope([]));
    error(Rule::acr([]));
    error(Rule::claim("", 1));
    error(Rule::claim("https://acme.example/roles", 1));
    error(Rule::contains("a..b", 1));
    error(Rule::claim("a", std::collections::HashMap::from([([1, 2], 3)])));
}

#[test]
fn scopes_that_a_client_has_to_ask_for_are_readable() {
    let names = |rule: Rule| {
        let scope = rule.required_scope().unwrap_or_default();
        scope.iter().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(names(scope("a")), ["a"]);
    assert_eq!(
        names(Rule::all_scopes(["a", "b"]).unwrap().and(scope("c")).and(scope("a"))),
        ["a", "b", "c"]
    );
    assert_eq!(names(scope("a").or(scope("b"))), ["a"]);
    assert_eq!(names(Rule::any_scope(["a", "b"]).unwrap()), ["a"]);
    assert_eq!(names(Rule::claim("a", 1).unwrap().and(scope("b"))), ["b"]);
    assert!(names(Rule::acr(["gold"]).unwrap()).is_empty());
}

#[test]
fn second_alternative_is_not_asked_when_the_first_holds() {
    static WAS_ASKED: AtomicBool = AtomicBool::new(false);
    let second = Rule::<_>::claims(|_| WAS_ASKED.fetch_or(true, Ordering::Relaxed));
    assert!(holds(&scope("a").or(second), &json!({"scope": "a"})));
    assert!(!WAS_ASKED.load(Ordering::Relaxed));
}

#[test]
fn token_of_a_client_for_itself_is_told_by_its_subject() {
    use tower_jwt_auth::RegisteredClaims;

    let rule = Rule::claims(|claims: &RegisteredClaims| {
        claims.sub.is_some() && claims.sub != claims.client_id
    });
    assert!(holds(&rule, &json!({"sub": "alice", "client_id": "shop"})));
    assert!(!holds(&rule, &json!({"sub": "alice", "client_id": "alice"})));
}

#[test]
fn value_of_another_type_is_refused_also_below_not() {
    let not = |rule: Result<Rule, tower_jwt_auth::ConfigError>| !rule.unwrap();
    for (rule, claims, expected) in [
        (not(Rule::claim("blocked", true)), json!({"blocked": false}), true),
        (not(Rule::claim("blocked", true)), json!({"blocked": null}), true),
        (not(Rule::claim("blocked", true)), json!({}), true),
        (not(Rule::claim("blocked", true)), json!({"blocked": true}), false),
        (not(Rule::claim("blocked", true)), json!({"blocked": "true"}), false),
        (not(Rule::claim("blocked", true)), json!({"blocked": 1}), false),
        (not(Rule::claim("blocked", true)), json!({"blocked": [true]}), false),
        (not(Rule::claim("state", "blocked")), json!({"state": ["blocked"]}), false),
        (not(Rule::contains("groups", "blocked")), json!({"groups": ["users"]}), true),
        (not(Rule::contains("groups", "blocked")), json!({"groups": ["blocked"]}), false),
        (not(Rule::contains("groups", "blocked")), json!({"groups": [{"name": "blocked"}]}), false),
        (not(Rule::acr(["weak"])), json!({"acr": "strong"}), true),
        (not(Rule::acr(["weak"])), json!({"acr": ["weak"]}), false),
        (not(Ok(Rule::max_age(Duration::from_secs(60)))), json!({"auth_time": "1"}), false),
        (not(Ok(Rule::max_age(Duration::from_secs(60)))), json!({"auth_time": NOW + 3600}), false),
        (not(Ok(Rule::max_age(Duration::from_secs(60)))), json!({"auth_time": NOW - 3600}), true),
    ] {
        assert_eq!(holds(&rule, &claims), expected, "{claims}");
    }
}

#[test]
fn predicate_runs_only_when_what_stands_before_it_holds() {
    static WAS_ASKED: AtomicBool = AtomicBool::new(false);
    let second = Rule::<_>::claims(|_| WAS_ASKED.fetch_or(true, Ordering::Relaxed));
    assert_eq!(missing(&scope("a").and(second), &json!({"scope": "b"})), ["a"]);
    assert!(!WAS_ASKED.load(Ordering::Relaxed));
}
