//! The cache of an issuer set: whatever the set would choose now decides.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use proptest::prelude::*;
use tower_jwt_auth::{
    Algorithm, IssuerSet, IssuerTemplate, JwtAuthLayer, JwtVerifier, RejectionKind, VerificationKey,
};

use super::{Counted, hs256};
use crate::support::requests::{bearer, refusal, send};
use crate::support::{AUDIENCE, TestKey, claims_with, key, now};

use RejectionKind::*;

const A: &str = "https://a.test";
const B: &str = "https://b.test";
const TEMPLATE: &str = "https://tenants.test/{tenant}";

fn issuers() -> IssuerSet {
    IssuerSet::new().with_token_cache(100).unwrap()
}

fn verifier(issuer: &str, keys: &Counted) -> JwtVerifier {
    JwtVerifier::new(issuer, AUDIENCE, keys.clone()).unwrap().with_clock(now())
}

fn token(key: &TestKey, issuer: &str) -> String {
    key.token(&claims_with("iss", issuer))
}

fn kind(issuers: &IssuerSet, token: &str) -> Option<RejectionKind> {
    let kind = without_a_request(issuers, token);
    assert_eq!(in_the_layer(issuers, token), kind);
    kind
}

fn without_a_request(issuers: &IssuerSet, token: &str) -> Option<RejectionKind> {
    let result = issuers.verify(token).now_or_never().expect("a result at once");
    result.err().map(|rejection| rejection.kind())
}

/// The layer asks the cache in another way.
fn in_the_layer(issuers: &IssuerSet, token: &str) -> Option<RejectionKind> {
    refusal(&send(&JwtAuthLayer::new(issuers.clone()), bearer(token)))
}

#[test]
fn token_that_was_seen_before_is_verified_without_a_look_up() {
    let keys = Counted::of(hs256());
    let issuers = issuers();
    issuers.add(verifier(A, &keys)).unwrap();
    let token = token(hs256(), A);
    for _ in 0..3 {
        assert_eq!(kind(&issuers, &token), None);
        assert_eq!(kind(&issuers.clone(), &token), None);
    }
    // Once without a request, and once in the layer, which keeps the text for rules.
    assert_eq!(keys.lookups(), 2);
}

#[test]
fn token_of_a_removed_issuer_is_refused_and_that_of_a_new_one_is_its_own() {
    let keys = Counted::of(hs256());
    let issuers = issuers();
    issuers.add(verifier(A, &keys)).unwrap();
    let token = token(hs256(), A);
    let other = Counted::of(&TestKey::generate(Algorithm::HS256));
    for _ in 0..2 {
        assert_eq!(kind(&issuers, &token), None);
        assert!(issuers.remove(A));
        assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
        // The same name and `kid`, another key.
        issuers.add(verifier(A, &other)).unwrap();
        assert_eq!(kind(&issuers, &token), Some(InvalidSignature));
        assert!(issuers.remove(A));
        // The same keys, another audience.
        let audience = JwtVerifier::new(A, "https://other.example", keys.clone()).unwrap();
        issuers.add(audience.with_clock(now())).unwrap();
        assert_eq!(kind(&issuers, &token), Some(WrongAudience));
        assert!(issuers.remove(A));
        issuers.add(verifier(A, &keys)).unwrap();
    }
    assert_eq!(kind(&issuers, &token), None);
}

#[test]
fn change_through_a_clone_without_the_cache_counts_too() {
    let plain = IssuerSet::new();
    let issuers = plain.clone().with_token_cache(100).unwrap();
    plain.add(verifier(A, &Counted::of(hs256()))).unwrap();
    let token = token(hs256(), A);
    assert_eq!(kind(&issuers, &token), None);
    assert!(plain.remove(A));
    assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
}

#[test]
fn two_issuers_with_one_kid_are_told_apart() {
    let keys = [1, 2].map(|_| TestKey::generate(Algorithm::HS256));
    let issuers = issuers();
    issuers.add(verifier(A, &Counted::of(&keys[0]))).unwrap();
    issuers.add(verifier(B, &Counted::of(&keys[1]))).unwrap();
    for _ in 0..3 {
        for (key, name, expected) in [
            (&keys[0], A, None),
            (&keys[1], B, None),
            (&keys[0], B, Some(InvalidSignature)),
            (&keys[1], A, Some(InvalidSignature)),
        ] {
            assert_eq!(kind(&issuers, &token(key, name)), expected, "{name}");
        }
    }
}

#[test]
fn token_of_a_withdrawn_key_is_refused_at_once() {
    let keys = Counted::of(hs256());
    let issuers = issuers();
    issuers.add(verifier(A, &keys)).unwrap();
    let token = token(hs256(), A);
    assert_eq!(kind(&issuers, &token), None);
    keys.replace([TestKey::generate(Algorithm::HS256).verification_key()]);
    assert_eq!(kind(&issuers, &token), Some(InvalidSignature));
}

#[test]
fn cache_of_a_verifier_in_the_set_is_not_asked() {
    let keys = Counted::of(hs256());
    let inner = verifier(A, &keys).with_token_cache(100).unwrap();
    let token = token(hs256(), A);
    assert!(inner.verify_now(&token).is_ok());
    for issuers in [issuers(), IssuerSet::new()] {
        issuers.add(inner.clone()).unwrap();
        let before = keys.lookups();
        assert_eq!(kind(&issuers, &token), None);
        assert_eq!(keys.lookups(), before + 2);
        assert!(issuers.remove(A));
        assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
        assert!(inner.verify_now(&token).is_ok());
        // Its own rules count, not those of the verifier that it came from.
        issuers.add(inner.clone().require_rfc9068()).unwrap();
        assert_eq!(kind(&issuers, &token), Some(WrongTokenType));
        assert!(inner.verify_now(&token).is_ok());
    }
}

/// Tenants that an application knows.
#[derive(Clone, Default)]
struct Tenants {
    allowed: Arc<Mutex<HashSet<String>>>,
    made: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Tenants {
    fn template(&self, key: &VerificationKey, audience: &'static str) -> IssuerTemplate {
        let (made, key) = (Arc::clone(&self.made), key.clone());
        let (allowed, asked) = (Arc::clone(&self.allowed), Arc::clone(&self.asked));
        IssuerTemplate::new(TEMPLATE, move |found| {
            made.fetch_add(1, Ordering::Relaxed);
            Ok(JwtVerifier::new(found.issuer(), audience, key.clone())?.with_clock(now()))
        })
        .unwrap()
        .allow_if(move |found| {
            asked.fetch_add(1, Ordering::Relaxed);
            allowed.lock().unwrap().contains(found.tenant())
        })
    }

    fn allow(&self, tenant: &str) {
        self.allowed.lock().unwrap().insert(tenant.to_owned());
    }

    fn refuse(&self, tenant: &str) {
        self.allowed.lock().unwrap().remove(tenant);
    }
}

fn of_tenant(tenant: &str) -> String {
    token(hs256(), &format!("https://tenants.test/{tenant}"))
}

#[test]
fn predicate_is_asked_for_each_token_and_may_refuse_one_that_is_known() {
    let tenants = Tenants::default();
    let issuers = issuers();
    issuers.add_template(tenants.template(&hs256().verification_key(), AUDIENCE));
    tenants.allow("a");
    let token = of_tenant("a");
    for _ in 0..3 {
        assert_eq!(kind(&issuers, &token), None);
        let before = tenants.asked.load(Ordering::Relaxed);
        assert_eq!(kind(&issuers, &token), None);
        assert_eq!(tenants.asked.load(Ordering::Relaxed), before + 2);
        tenants.refuse("a");
        assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
        assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
        tenants.allow("a");
    }
}

#[test]
fn changed_template_decides_about_known_tokens() {
    let tenants = Tenants::default();
    tenants.allow("a");
    let issuers = issuers();
    let (key, token) = (hs256().verification_key(), of_tenant("a"));
    for _ in 0..2 {
        issuers.add_template(tenants.template(&key, AUDIENCE));
        assert_eq!(kind(&issuers, &token), None);
        assert!(issuers.remove_template(TEMPLATE));
        assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
        issuers.add_template(tenants.template(&key, "https://other.example"));
        assert_eq!(kind(&issuers, &token), Some(WrongAudience));
        assert!(issuers.remove_template(TEMPLATE));
        issuers.add_template(tenants.template(&key, AUDIENCE).allow_tenants(["a"]));
        assert_eq!(kind(&issuers, &token), None);
        assert!(issuers.remove_template(TEMPLATE));
        issuers.add_template(tenants.template(&key, AUDIENCE).allow_tenants(["b"]));
        assert_eq!(kind(&issuers, &token), Some(WrongIssuer));
        assert!(issuers.remove_template(TEMPLATE));
    }
}

#[test]
fn issuer_is_made_again_for_a_known_token_after_it_was_evicted() {
    let tenants = Tenants::default();
    for tenant in ["a", "b"] {
        tenants.allow(tenant);
    }
    let issuers = issuers().with_capacity(1).unwrap();
    issuers.add_template(tenants.template(&hs256().verification_key(), AUDIENCE));
    for made in [1, 3, 5] {
        assert_eq!(kind(&issuers, &of_tenant("a")), None);
        assert_eq!(kind(&issuers, &of_tenant("a")), None);
        assert_eq!(tenants.made.load(Ordering::Relaxed), made);
        assert_eq!(kind(&issuers, &of_tenant("b")), None);
    }
}

#[test]
fn issuer_whose_tokens_are_known_counts_as_used() {
    let tenants = Tenants::default();
    for tenant in ["a", "b", "c"] {
        tenants.allow(tenant);
    }
    let issuers = issuers().with_capacity(2).unwrap();
    issuers.add_template(tenants.template(&hs256().verification_key(), AUDIENCE));
    for tenant in ["a", "b", "a", "c", "a"] {
        assert_eq!(kind(&issuers, &of_tenant(tenant)), None);
    }
    // `b` was evicted for `c`, and `a` was not.
    assert_eq!(tenants.made.load(Ordering::Relaxed), 3);
    let names: Vec<_> = issuers.key_status().iter().map(|one| one.issuer().to_owned()).collect();
    assert_eq!(names, ["https://tenants.test/a", "https://tenants.test/c"]);
}

#[test]
fn known_token_does_not_keep_the_keys_of_a_removed_issuer() {
    let held = Arc::new(());

    #[derive(Debug)]
    struct Holding(Counted, #[allow(dead_code, reason = "held")] Arc<()>);

    impl tower_jwt_auth::KeySource for Holding {
        fn find_key(&self, query: &tower_jwt_auth::KeyQuery<'_>) -> tower_jwt_auth::KeyLookup {
            self.0.find_key(query)
        }

        fn generation(&self) -> Option<u64> {
            self.0.generation()
        }
    }

    let issuers = issuers();
    let keys = Holding(Counted::of(hs256()), Arc::clone(&held));
    issuers.add(JwtVerifier::new(A, AUDIENCE, keys).unwrap().with_clock(now())).unwrap();
    assert_eq!(kind(&issuers, &token(hs256(), A)), None);
    assert!(issuers.remove(A));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize, usize),
    Remove(usize),
    AddTemplate(bool),
    RemoveTemplate,
    Allow(usize, bool),
    Rotate(usize, usize),
    Verify(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4_usize, 0..2_usize).prop_map(|(issuer, key)| Step::Add(issuer, key)),
        1 => (0..4_usize).prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::AddTemplate),
        1 => Just(Step::RemoveTemplate),
        2 => (0..3_usize, any::<bool>()).prop_map(|(tenant, allowed)| Step::Allow(tenant, allowed)),
        1 => (0..2_usize, 0..2_usize).prop_map(|(source, key)| Step::Rotate(source, key)),
        9 => (0..5_usize, 0..2_usize).prop_map(|(issuer, key)| Step::Verify(issuer, key)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two sets go through the same changes, one with a cache.
    #[test]
    fn set_with_a_cache_decides_like_one_without_after_any_changes(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        const NAMES: [&str; 5] = [
            A, B, "https://tenants.test/0", "https://tenants.test/1", "https://tenants.test/2",
        ];
        let signing = [key(Algorithm::HS256), key(Algorithm::HS384)];
        let tokens: Vec<Vec<String>> = NAMES
            .iter()
            .map(|name| signing.iter().map(|key| token(key, name)).collect())
            .collect();
        let sources = signing.map(Counted::of);
        let tenants = Tenants::default();
        let plain = IssuerSet::new().with_capacity(2).unwrap();
        let cached = issuers().with_capacity(2).unwrap();
        for step in steps {
            let both = [&plain, &cached];
            match step {
                Step::Add(issuer, source) => {
                    let [one, two] = both.map(|issuers| {
                        issuers.add(verifier(NAMES[issuer], &sources[source])).is_ok()
                    });
                    prop_assert_eq!(one, two);
                }
                Step::Remove(issuer) => {
                    let [one, two] = both.map(|issuers| issuers.remove(NAMES[issuer]));
                    prop_assert_eq!(one, two);
                }
                Step::AddTemplate(is_open) => {
                    let template = tenants.template(&signing[0].verification_key(), AUDIENCE);
                    let template = match is_open {
                        true => template,
                        false => template.allow_tenants(["0", "1"]),
                    };
                    both.iter().for_each(|issuers| issuers.add_template(template.clone()));
                }
                Step::RemoveTemplate => {
                    let [one, two] = both.map(|issuers| issuers.remove_template(TEMPLATE));
                    prop_assert_eq!(one, two);
                }
                Step::Allow(tenant, true) => tenants.allow(&tenant.to_string()),
                Step::Allow(tenant, false) => tenants.refuse(&tenant.to_string()),
                Step::Rotate(source, key) => sources[source].replace([signing[key].verification_key()]),
                Step::Verify(issuer, key) => {
                    // A request may change what the next one finds: the first token that a predicate refuses
                    // removes the issuer, and another template may allow it then.
                    let token = &tokens[issuer][key];
                    for ask in [without_a_request, in_the_layer, in_the_layer, without_a_request] {
                        let [one, two] = both.map(|issuers| ask(issuers, token));
                        prop_assert_eq!(one, two, "{}", NAMES[issuer]);
                    }
                }
            }
        }
    }
}
