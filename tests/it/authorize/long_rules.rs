//! Rules of many parts and of great depth: what they cost, and that they give the same answers as short ones.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::prelude::*;
use serde_json::json;
use tower_jwt_auth::{Accepted, Rule, Scope, VerifiedToken};

use super::{check, missing, scope, verified};

/// A list with an element that costs two allocations each time it is read, since it has an escape.
const LIST: &str = r#"["us\u0065r"]"#;

/// A rule of so many parts about a list, of which the first does not hold.
fn lists(parts: usize) -> Rule {
    let part = |_| Rule::contains("roles", "admin").unwrap();
    (0..parts).map(part).reduce(Rule::and).unwrap()
}

fn token_with_list() -> VerifiedToken {
    let mut claims = super::claims_and(&json!({})).to_string();
    claims.insert_str(1, &format!("\"roles\":{LIST},"));
    let token = crate::support::key(tower_jwt_auth::Algorithm::ES256)
        .token_of(r#"{"alg":"ES256"}"#, claims);
    super::verified_by(&super::verifier(), &token)
}

#[test]
fn each_part_is_read_once_however_many_there_are() {
    let token = token_with_list();
    assert!(lists(1).check(&token).is_err());
    let reads = |rule: &Rule| {
        let count = || assert!(rule.check(&token).is_err());
        usize::try_from(allocation_counter::measure(count).count_total).unwrap()
    };
    for parts in [10, 100, 1000] {
        // Once, and what grows by doubling.
        let once = 2 * parts..2 * parts + 40;
        let part = |_| lists(1);
        for (name, rule) in [
            ("from the left", lists(parts)),
            ("from the right", (0..parts).map(part).reduce(|right, one| one.and(right)).unwrap()),
            ("alternatives", (0..parts).map(part).reduce(Rule::or).unwrap()),
            ("below a negation", scope("absent").and(!!lists(parts))),
        ] {
            let reads = reads(&rule);
            assert!(once.contains(&reads), "{name}, {parts} parts: {reads}");
        }
    }
}

#[test]
fn predicate_is_called_once_for_a_token_that_is_refused_or_accepted() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = |holds: bool| {
        let calls = Arc::clone(&calls);
        Rule::claims(move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
            holds
        })
    };
    for (rule, expected) in [
        (counted(true), 1),
        (counted(false), 1),
        (counted(true).and(scope("a")), 1),
        (scope("a").and(counted(true)), 0),
        (!counted(true), 1),
        (!!!counted(true), 1),
        (counted(false).or(counted(false)), 2),
        (counted(true).or(counted(true)).and(scope("a")), 1),
        (counted(true).and(counted(true)).and(counted(false)).and(counted(true)), 3),
        ((!counted(true).and(scope("a"))).and(scope("a")), 1),
        (scope("a").and(scope("b").or(counted(true))), 0),
        (scope("a").and(!counted(true)).or(counted(false)), 1),
        ((0..500).map(|_| counted(true)).reduce(Rule::and).unwrap().and(scope("a")), 500),
    ] {
        calls.store(0, Ordering::Relaxed);
        let _ = check(&rule, &json!({"scope": "other"}));
        assert_eq!(calls.load(Ordering::Relaxed), expected, "{rule:?}");
    }
}

#[test]
fn predicate_that_changes_its_mind_is_taken_by_its_first_word() {
    let calls = AtomicUsize::new(0);
    let rule: Rule = Rule::claims(move |_| calls.fetch_add(1, Ordering::Relaxed) > 0);
    let rejection = check(&rule.and(scope("a")), &json!({})).unwrap_err();
    assert_eq!(rejection.expected(), Some("claims that a predicate accepts"));
    assert_eq!(rejection.scope().unwrap().as_str(), "a");
}

/// As many levels as overflow any stack when each takes a frame.
const DEEP: usize = 100_000;

#[test]
fn no_depth_of_a_rule_overflows_the_stack() {
    let run = || {
        let token = verified(&json!({"scope": "a"}));
        let part = |index: usize| scope(if index == 0 { "b" } else { "a" });
        let parts = || (0..DEEP).map(part);
        let rules: [Rule; 6] = [
            parts().reduce(Rule::and).unwrap(),
            parts().rev().reduce(|right, one| one.and(right)).unwrap(),
            parts().reduce(|left, one| one.or(left).and(scope("b"))).unwrap(),
            (0..DEEP).fold(scope("a"), |rule, _| !rule),
            (0..=DEEP).fold(scope("b"), |rule, _| !rule.and(scope("a"))),
            (0..DEEP).fold(scope("b"), |rule, _| !!rule.or(scope("c"))),
        ];
        for (index, rule) in rules.iter().enumerate() {
            // An even number of negations of what holds.
            assert_eq!(rule.check(&token).is_ok(), [3, 4].contains(&index), "{index}");
            assert!(format!("{rule:?}").len() > DEEP);
            let _ = rule.required_scope();
            drop(rule.clone().and(scope("a")));
        }
    };
    thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}

/// A rule as a tree, evaluated level by level.
#[derive(Clone, Debug)]
enum Tree {
    Scope(&'static str),
    Predicate(bool),
    /// Of a token without claims by name: it cannot be told.
    Claim,
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

use Tree::{And, Claim, Not, Or, Predicate};

impl Tree {
    fn rule(&self) -> Rule<()> {
        match self {
            Self::Scope(scope) => Rule::scope(scope).unwrap(),
            &Predicate(holds) => Rule::claims(move |()| holds),
            Claim => Rule::claim("a", 1).unwrap(),
            And(one, other) => one.rule().and(other.rule()),
            Or(one, other) => one.rule().or(other.rule()),
            Not(tree) => !tree.rule(),
        }
    }

    fn holds(&self, granted: &HashSet<&str>) -> Option<bool> {
        match self {
            Self::Scope(scope) => Some(granted.contains(scope)),
            Predicate(holds) => Some(*holds),
            Claim => None,
            And(one, other) => match (one.holds(granted), other.holds(granted)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, other) => one.and(other),
            },
            Or(one, other) => match (one.holds(granted), other.holds(granted)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (one, other) => one.and(other),
            },
            Not(tree) => tree.holds(granted).map(|holds| !holds),
        }
    }

    fn has_predicate(&self) -> bool {
        match self {
            Self::Scope(_) | Claim => false,
            Predicate(_) => true,
            And(one, other) | Or(one, other) => one.has_predicate() || other.has_predicate(),
            Not(tree) => tree.has_predicate(),
        }
    }

    fn name_missing(&self, granted: &HashSet<&str>, missing: &mut Vec<&'static str>) {
        match self {
            Self::Scope(scope) if !missing.contains(scope) => missing.push(scope),
            And(one, other) => {
                let first = one.holds(granted) == Some(true);
                if !first {
                    one.name_missing(granted, missing);
                }
                if (first || !other.has_predicate()) && other.holds(granted) != Some(true) {
                    other.name_missing(granted, missing);
                }
            }
            Or(first, _) => first.name_missing(granted, missing),
            _ => {}
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(vec!["a", "b", "c", "d"]).prop_map(Tree::Scope),
        1 => any::<bool>().prop_map(Predicate),
        1 => Just(Claim),
    ];
    leaf.prop_recursive(6, 60, 2, |inner| {
        let two = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            3 => two().prop_map(|(one, other)| And(one, other)),
            2 => two().prop_map(|(one, other)| Or(one, other)),
            1 => inner.clone().prop_map(|tree| Not(Box::new(tree))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rule_gives_the_answer_of_its_tree(
        tree in tree(),
        granted in proptest::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4),
    ) {
        let token = Accepted::new(()).with_scope(granted.iter().copied().collect()).into_token();
        let granted: HashSet<&str> = granted.into_iter().collect();
        match tree.rule().check(&token) {
            Ok(()) => assert_eq!(tree.holds(&granted), Some(true)),
            Err(rejection) => {
                assert_ne!(tree.holds(&granted), Some(true));
                let mut expected = Vec::new();
                tree.name_missing(&granted, &mut expected);
                let named = rejection.scope().map(Scope::iter).into_iter().flatten();
                assert_eq!(named.collect::<Vec<_>>(), expected);
            }
        }
    }
}

#[test]
fn many_scopes_are_named_once_each_in_their_order() {
    let names: Vec<String> = (0..3000).map(|index| format!("s{}", index % 1500)).collect();
    let rule = names.iter().map(|name| scope(name)).reduce(Rule::and).unwrap();
    assert_eq!(missing(&rule, &json!({})), names[..1500]);
    assert_eq!(rule.required_scope().unwrap().iter().count(), 1500);
}
