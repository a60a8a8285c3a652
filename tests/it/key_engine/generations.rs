//! Generations: what is remembered of a key must not outlive it; and what a source knows of itself.

use std::sync::{Arc, RwLock};

use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, JwkSet, JwtVerifier, KeyCandidates, KeyLookup, KeyQuery, KeySource,
    KeyStatus, OidcDiscovery, VerificationKey,
};

use super::pass;

fn key(number: u8) -> VerificationKey {
    VerificationKey::from_secret(&[number; 32], Algorithm::HS256).unwrap().with_kid("1")
}

/// Keeps what each look-up brought.
#[derive(Clone, Debug, Default)]
struct Recorder<K> {
    keys: K,
    seen: Arc<RwLock<Vec<Option<u64>>>>,
}

impl<K: KeySource + Clone> KeySource for Recorder<K> {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let (keys, seen) = (self.keys.find_key(query), Arc::clone(&self.seen));
        KeyLookup::pending(async move {
            let found = keys.wait().await;
            seen.write().unwrap().push(found.as_ref().ok().and_then(KeyCandidates::generation));
            found
        })
    }
}

/// Exchanges one static set for another.
#[derive(Clone, Debug)]
struct Exchanged {
    set: Arc<RwLock<JwkSet>>,
    forwards: bool,
}

impl KeySource for Exchanged {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.set.read().unwrap().find_key(query)
    }

    fn generation(&self) -> Option<u64> {
        let generation = self.set.read().unwrap().generation();
        generation.filter(|_| self.forwards)
    }
}

/// What a cache does: it may use what it remembers under this generation of a look-up.
fn may_be_used(remembered: Option<u64>, keys: &impl KeySource) -> bool {
    remembered.is_some() && remembered == keys.generation()
}

#[tokio::test]
async fn what_one_static_set_verified_is_not_used_once_another_one_has_taken_its_place() {
    for forwards in [true, false] {
        let set = |number| JwkSet::from_keys([key(number)]).unwrap();
        let keys = Exchanged { set: Arc::new(RwLock::new(set(1))), forwards };
        let recorder = Recorder { keys: keys.clone(), seen: Arc::default() };
        let verifier = JwtVerifier::new("i", "a", recorder.clone()).unwrap();
        let token = || crate::support::key(Algorithm::HS256).token(&serde_json::json!({}));
        let look_up = async || {
            assert!(verifier.verify(&token()).await.is_err());
            *recorder.seen.read().unwrap().last().unwrap()
        };
        let first = look_up().await;
        assert_eq!(may_be_used(first, &keys), forwards);
        *keys.set.write().unwrap() = set(2);
        assert!(!may_be_used(first, &keys));
        let second = look_up().await;
        assert_eq!(may_be_used(second, &keys), forwards);
        // The very same keys again are another set.
        *keys.set.write().unwrap() = set(1);
        assert!(!may_be_used(first, &keys) && !may_be_used(second, &keys));
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_carries_the_generation_of_the_set_that_it_used() {
    let issuer = MockIssuer::new();
    let keys = issuer.keys();
    let recorder = Recorder { keys: keys.clone(), seen: Arc::default() };
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", recorder.clone()).unwrap();
    for _ in 0..3 {
        verifier.verify(&issuer.token().build()).await.unwrap();
        issuer.rotate();
        verifier.verify(&issuer.token().build()).await.unwrap();
        assert_eq!(recorder.seen.read().unwrap().last(), Some(&keys.generation()));
        pass(20).await;
    }
    let seen = recorder.seen.read().unwrap().clone();
    assert_eq!((seen[1], seen[3]), (seen[2], seen[4]));
    assert!(seen[0].is_some() && seen[0] != seen[1] && seen[1] != seen[3] && seen[3] != seen[5]);
    // Another source of the same document has another one.
    let other = issuer.keys();
    other.refresh().await.unwrap();
    assert!(other.generation().is_some() && other.generation() != keys.generation());
}

#[test]
fn each_key_and_each_set_has_a_generation_of_its_own() {
    let one = key(1);
    assert_eq!(one.generation(), one.clone().generation());
    assert_ne!(one.generation(), key(1).generation());
    assert_ne!(one.generation(), one.clone().with_kid("2").generation());
    let set = JwkSet::from_keys([one.clone()]).unwrap();
    assert_eq!(set.generation(), set.clone().generation());
    assert_ne!(set.generation(), JwkSet::from_keys([one.clone()]).unwrap().generation());
    assert_ne!(set.generation(), one.generation());
    // Candidates that somebody has put together belong to no set.
    assert_eq!(KeyCandidates::from(one.clone()).generation(), None);
    assert_eq!(KeyCandidates::from_iter([one]).generation(), None);
    assert_eq!(KeyCandidates::default().with_generation(7).generation(), Some(7));
    assert_eq!(KeyCandidates::default().with_generation(0).generation(), None);
}

#[derive(Clone, Debug)]
struct Silent;

impl KeySource for Silent {
    fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
        KeyLookup::ready(Ok(key(1).into()))
    }
}

#[test]
fn a_source_that_does_not_know_is_not_ready_and_has_no_generation() {
    let source: Arc<dyn KeySource> = Arc::new(Silent);
    assert_eq!((source.generation(), source.issuer()), (None, None));
    assert!(source.status().is_unknown() && !source.status().is_ready());
    assert!(!KeyStatus::new(false).is_unknown() && !KeyStatus::new(false).is_ready());
    assert!(KeyStatus::new(true).is_ready() && KeyStatus::unknown().is_unknown());
    assert!(key(1).status().is_ready());
}

#[derive(Clone, Debug)]
struct Named(Option<&'static str>);

impl KeySource for Named {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        Silent.find_key(query)
    }

    fn issuer(&self) -> Option<&str> {
        self.0
    }
}

#[test]
fn a_verifier_with_the_keys_of_another_issuer_is_an_error() {
    use tower_jwt_auth::ExpectedIssuer;

    let new = |issuer: ExpectedIssuer, keys: Arc<dyn KeySource>| {
        JwtVerifier::new(issuer, "https://api.test", keys).map_err(|error| error.kind())
    };
    let discovered = |issuer: &str| Arc::new(OidcDiscovery::new(issuer).unwrap());
    let (a, b) = ("https://a.test", "https://b.test");
    assert_eq!(new(a.into(), discovered(b)).unwrap_err(), ConfigErrorKind::Issuer);
    // Exactly: the tokens of `a` have no slash.
    assert_eq!(new(a.into(), discovered("https://a.test/")).unwrap_err(), ConfigErrorKind::Issuer);
    assert_eq!(new([a, "x"].into(), discovered(b)).unwrap_err(), ConfigErrorKind::Issuer);
    assert_eq!(new(a.into(), Arc::new(Named(Some(b)))).unwrap_err(), ConfigErrorKind::Issuer);
    assert!(new(a.into(), discovered(a)).is_ok());
    assert!(new(["x", a].into(), discovered(a)).is_ok());
    assert!(new(a.into(), Arc::new(Named(None))).is_ok());
    assert!(new(ExpectedIssuer::dangerous_any(), discovered(b)).is_ok());
    let error = JwtVerifier::new(a, "https://api.test", discovered(b)).unwrap_err().to_string();
    assert!(error.contains(a) && error.contains(b), "{error}");
}
