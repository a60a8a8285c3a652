//! Rules of many parts: what they cost, and that they give the same answers as short ones.

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
            (
                "below a negation",
                scope("absent").and(!!(0..parts).map(part).reduce(Rule::or).unwrap()),
            ),
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

/// Rules are built, evaluated, printed and dropped on a stack that a frame for each part would overflow.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}

fn assert_results(rules: &[Rule], is_met: impl Fn(usize) -> bool) {
    let token = verified(&json!({"scope": "a"}));
    for (index, rule) in rules.iter().enumerate() {
        assert_eq!(rule.check(&token).is_ok(), is_met(index), "{index}");
        let _ = (format!("{rule:?}"), rule.required_scope());
        drop(rule.clone().and(scope("a")));
    }
}

#[test]
fn no_length_of_a_chain_overflows_the_stack() {
    const LENGTH: usize = 10_000;
    on_a_small_stack(|| {
        let parts = |first, rest| {
            (0..LENGTH).map(move |index| scope(if index == 0 { first } else { rest }))
        };
        let predicates = (0..LENGTH).map(|_| Rule::claims(|_| true));
        let rules = [
            parts("b", "a").reduce(Rule::and).unwrap(),
            parts("a", "b").reduce(Rule::or).unwrap(),
            parts("a", "a").reduce(|right, one| one.and(right)).unwrap(),
            parts("a", "b").reduce(|right, one| one.or(right)).unwrap(),
            !parts("b", "b").reduce(Rule::or).unwrap(),
            predicates.reduce(Rule::and).unwrap(),
        ];
        assert_results(&rules, |index| index > 0);
    });
}

#[test]
fn rules_can_be_nested_in_200_levels() {
    const DEPTH: usize = 200;
    on_a_small_stack(|| {
        let rules = [
            (0..DEPTH).fold(scope("a"), |rule, _| !rule),
            (0..=DEPTH).fold(scope("b"), |rule, _| !rule.and(scope("a"))),
            (0..DEPTH).fold(scope("b"), |rule, _| !!rule.or(scope("c"))),
            (0..DEPTH).fold(scope("b"), |rule, _| scope("b").or(rule).and(scope("a"))),
            (0..DEPTH).fold(Rule::claims(|_| false), |right, _| scope("a").and(right)),
        ];
        assert_results(&rules, |index| index < 2);
    });
}

#[test]
fn rule_that_is_part_of_another_stays_as_it_is() {
    let (all, any) = (scope("a").and(scope("b")), scope("a").or(scope("b")));
    let longer = [all.clone().and(scope("c")), scope("c").and(all.clone())];
    assert_eq!(missing(&longer[0], &json!({})), ["a", "b", "c"]);
    assert_eq!(missing(&longer[1], &json!({})), ["c", "a", "b"]);
    assert_eq!(missing(&all, &json!({})), ["a", "b"]);
    let wider = [any.clone().or(scope("c")), scope("c").or(any.clone())];
    for (rule, scopes) in [(&any, "c"), (&wider[0], "d"), (&wider[1], "d")] {
        assert!(check(rule, &json!({"scope": scopes})).is_err(), "{rule:?}");
        assert!(check(rule, &json!({"scope": "b"})).is_ok(), "{rule:?}");
    }
    assert!(wider.iter().all(|rule| check(rule, &json!({"scope": "c"})).is_ok()));
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
    /// A rule that counts the calls of its predicates.
    fn rule(&self, calls: &Arc<AtomicUsize>) -> Rule<()> {
        match self {
            Self::Scope(scope) => Rule::scope(scope).unwrap(),
            &Predicate(holds) => {
                let calls = Arc::clone(calls);
                Rule::claims(move |()| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    holds
                })
            }
            Claim => Rule::claim("a", 1).unwrap(),
            And(one, other) => one.rule(calls).and(other.rule(calls)),
            Or(one, other) => one.rule(calls).or(other.rule(calls)),
            Not(tree) => !tree.rule(calls),
        }
    }

    fn calls(&self, granted: &HashSet<&str>) -> usize {
        let unless = |one: &Self, decided: bool, other: &Self| {
            let is_decided = one.holds(granted) == Some(decided);
            one.calls(granted) + if is_decided { 0 } else { other.calls(granted) }
        };
        match self {
            Self::Scope(_) | Claim => 0,
            Predicate(_) => 1,
            And(one, other) => unless(one, false, other),
            Or(one, other) => unless(one, true, other),
            Not(tree) => tree.calls(granted),
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

    /// Adds the missing scopes, and what else is missing, as `Rejection::expected` names it.
    fn explain(&self, granted: &HashSet<&str>, scopes: &mut Texts, more: &mut Texts) {
        match self {
            Self::Scope(scope) if scopes.contains(scope) => {}
            Self::Scope(scope) => scopes.push(scope),
            Predicate(_) => more.push("claims that a predicate accepts"),
            Claim => more.push(BY_NAME),
            And(one, other) => {
                let first = one.holds(granted) == Some(true);
                if !first {
                    one.explain(granted, scopes, more);
                }
                if (first || !other.has_predicate()) && other.holds(granted) != Some(true) {
                    other.explain(granted, scopes, more);
                }
            }
            Or(first, _) => first.explain(granted, scopes, more),
            Not(tree) if tree.holds(granted).is_none() => more.push(BY_NAME),
            Not(_) => more.push("a rule that must not hold"),
        }
    }
}

type Texts = Vec<&'static str>;

const BY_NAME: &str = "a token whose claims can be read by name";

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
        let calls = Arc::default();
        match tree.rule(&calls).check(&token) {
            Ok(()) => assert_eq!(tree.holds(&granted), Some(true)),
            Err(rejection) => {
                assert_ne!(tree.holds(&granted), Some(true));
                let (mut scopes, mut more) = (Vec::new(), Vec::new());
                tree.explain(&granted, &mut scopes, &mut more);
                let named = rejection.scope().map(Scope::iter).into_iter().flatten();
                assert_eq!(named.collect::<Vec<_>>(), scopes);
                assert_eq!(rejection.expected(), more.first().copied());
            }
        }
        assert_eq!(calls.load(Ordering::Relaxed), tree.calls(&granted));
    }
}

#[test]
fn many_scopes_are_named_once_each_in_their_order() {
    let names: Vec<String> = (0..3000).map(|index| format!("s{}", index % 1500)).collect();
    let rule = names.iter().map(|name| scope(name)).reduce(Rule::and).unwrap();
    assert_eq!(missing(&rule, &json!({})), names[..1500]);
    assert_eq!(rule.required_scope().unwrap().iter().count(), 1500);
}
