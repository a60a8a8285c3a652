//! Step-up authentication (RFC 9470).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::{
    AuthorizeLayer, FixedClock, JwtAuthLayer, NumericDate, RejectionKind, Rule, Scope,
};

use super::{bearer_at, check, holds, scope, send, token_with, verified_by, verifier};
use crate::support::requests::challenge;
use crate::support::{NOW, challenge as reader};

/// The leeway of the verifier.
const LEEWAY: i64 = 30;

fn five_minutes() -> Rule {
    Rule::max_age(Duration::from_secs(300))
}

fn gold() -> Rule {
    Rule::acr(["gold", "silver"]).unwrap()
}

fn challenge_of(rule: Rule, more: &Value) -> BTreeMap<String, String> {
    let layers = (JwtAuthLayer::new(verifier()), AuthorizeLayer::new(rule));
    let response = send(&layers.0, &layers.1, bearer_at("/", Some(&token_with(more))));
    assert_eq!(response.status(), 401);
    let mut parameters = reader::parse(challenge(&response).unwrap()).unwrap();
    assert_eq!(parameters.remove("error").unwrap(), "insufficient_user_authentication");
    assert!(parameters.remove("error_description").is_some());
    parameters.remove("realm");
    parameters
}

#[test]
fn login_must_be_as_recent_as_the_rule_says() {
    for (auth_time, expected) in [
        (NOW, true),
        (NOW - 300 - LEEWAY, true),
        (NOW - 300 - LEEWAY - 1, false),
        (0, false),
        (NOW + LEEWAY, true),
        (NOW + LEEWAY + 1, false),
        (i64::MAX, false),
    ] {
        let claims = json!({"auth_time": auth_time});
        assert_eq!(holds(&five_minutes(), &claims), expected, "{auth_time}");
    }
    assert!(holds(&five_minutes(), &json!({"auth_time": NOW as f64 - 0.5})));
}

#[test]
fn login_of_an_unknown_time_is_challenged() {
    for claims in [
        json!({}),
        json!({"auth_time": null}),
        json!({"auth_time": NOW.to_string()}),
        json!({"auth_time": -1}),
        json!({"auth_time": [NOW]}),
    ] {
        assert_eq!(challenge_of(five_minutes(), &claims), reader_map(&[("max_age", "300")]));
    }
}

#[test]
fn challenge_lists_the_classes_in_their_order_and_the_age_in_seconds() {
    let both = gold().and(five_minutes()).and(Rule::max_age(Duration::from_millis(60_900)));
    assert_eq!(
        challenge_of(both, &json!({"acr": "bronze"})),
        reader_map(&[("acr_values", "gold silver"), ("max_age", "60")])
    );
    assert_eq!(challenge_of(gold(), &json!({})), reader_map(&[("acr_values", "gold silver")]));
}

#[test]
fn class_must_be_exactly_one_of_the_list() {
    for class in ["gold", "silver"] {
        assert!(holds(&gold(), &json!({"acr": class})), "{class}");
    }
    for claims in [
        json!({}),
        json!({"acr": "Gold"}),
        json!({"acr": "gold silver"}),
        json!({"acr": "golden"}),
        json!({"acr": ["gold"]}),
        json!({"acr": 1}),
    ] {
        let rejection = check(&gold(), &claims).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::InsufficientUserAuthentication, "{claims}");
    }
}

#[test]
fn step_up_challenge_names_all_scopes_of_the_rule_also_those_that_the_token_has() {
    let rule = scope("pay").and(gold());
    assert_eq!(
        challenge_of(rule.clone(), &json!({"scope": "read"})),
        reader_map(&[("scope", "pay"), ("acr_values", "gold silver")])
    );
    assert_eq!(
        challenge_of(rule.clone(), &json!({"scope": "pay"})),
        reader_map(&[("scope", "pay"), ("acr_values", "gold silver")])
    );
    let both = scope("read").and(rule.clone());
    for granted in ["", "read", "pay", "pay read other"] {
        assert_eq!(challenge_of(both.clone(), &json!({"scope": granted}))["scope"], "read pay");
    }
    // A scope alone is 403.
    let rejection = check(&rule, &json!({"acr": "gold"})).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
}

#[test]
fn step_up_challenge_never_names_the_scope_to_start_with() {
    let outer = JwtAuthLayer::new(verifier()).with_scope_in_challenge(Scope::from("start"));
    let outer = outer.unwrap();
    let token = token_with(&json!({"scope": "start pay"}));
    for (rule, named) in [(gold(), None), (scope("pay").and(gold()), Some("pay"))] {
        let inner = AuthorizeLayer::new(rule);
        let response = send(&outer, &inner, bearer_at("/", Some(&token)));
        let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
        assert_eq!(parameters["error"], "insufficient_user_authentication");
        assert_eq!(parameters.get("scope").map(String::as_str), named);
        let response = send(&outer, &inner, bearer_at("/", Some("not-a-jwt")));
        assert_eq!(reader::parse(challenge(&response).unwrap()).unwrap()["scope"], "start");
    }
}

#[test]
fn no_login_is_asked_for_where_it_would_not_help() {
    let rule = gold().and(Rule::claim("tenant", "acme").unwrap());
    let rejection = check(&rule, &json!({"tenant": "other"})).unwrap_err();
    assert_eq!(rejection.status(), 403);
    assert_eq!(rejection.acr_values().count(), 0);
    let rejection = check(&rule, &json!({"tenant": "acme"})).unwrap_err();
    assert_eq!(rejection.status(), 401);
}

#[test]
fn age_is_judged_by_the_clock_of_the_verifier() {
    let later = FixedClock(NumericDate::from_unix_seconds(NOW + 1000));
    let token = token_with(&json!({"auth_time": NOW}));
    let token = verified_by(&verifier().with_clock(later), &token);
    assert!(five_minutes().check(&token).is_err());
    assert!(Rule::max_age(Duration::from_secs(970)).check(&token).is_ok());
    assert!(Rule::max_age(Duration::from_secs(969)).check(&token).is_err());
    assert!(Rule::max_age(Duration::MAX).check(&token).is_ok());
}

fn reader_map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}
