//! The cache of verified tokens: a verifier with it accepts and refuses what it would without.

mod clones;
mod exempt;
mod head;
mod issuer_set;
mod layer;
mod memory;
mod races;
mod times;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Clock, ConfigErrorKind, IssuerSet, JwkSet, JwtAuthLayer, JwtVerifier, KeyLookup,
    KeyQuery, KeySource, KeyStatus, NumericDate, RegisteredClaims, RejectionKind, VerificationKey,
    VerifiedToken,
};

use crate::support::requests::{refusal, send};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, claims, claims_with, key, now};

use RejectionKind::*;

fn hs256() -> &'static TestKey {
    key(Algorithm::HS256)
}

/// Counts the look-ups: a token from the cache makes none. The keys can be replaced.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    set: Arc<Mutex<JwkSet>>,
    lookups: Arc<AtomicUsize>,
    has_generation: bool,
}

impl Counted {
    pub(super) fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Self {
        let set = JwkSet::from_keys(keys).unwrap();
        Self { set: Arc::new(Mutex::new(set)), lookups: Arc::default(), has_generation: true }
    }

    pub(super) fn of(key: &TestKey) -> Self {
        Self::new([key.verification_key()])
    }

    pub(super) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::Relaxed)
    }

    pub(super) fn replace(&self, keys: impl IntoIterator<Item = VerificationKey>) {
        *self.set.lock().unwrap() = JwkSet::from_keys(keys).unwrap();
    }
}

impl KeySource for Counted {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.set.lock().unwrap().find_key(query)
    }

    fn generation(&self) -> Option<u64> {
        self.set.lock().unwrap().generation().filter(|_| self.has_generation)
    }

    fn status(&self) -> KeyStatus {
        KeyStatus::new(true)
    }
}

/// A clock that the test sets.
#[derive(Clone, Debug)]
pub(super) struct Hands(Arc<Mutex<NumericDate>>);

impl Hands {
    pub(super) fn at(seconds: f64) -> Self {
        Self(Arc::new(Mutex::new(date(seconds))))
    }

    pub(super) fn set(&self, seconds: f64) {
        *self.0.lock().unwrap() = date(seconds);
    }
}

impl Clock for Hands {
    fn now(&self) -> NumericDate {
        *self.0.lock().unwrap()
    }
}

/// The same clock with a recent time that is so many seconds behind. Counts how often the current time is read.
#[derive(Clone, Debug)]
pub(super) struct Late {
    hands: Hands,
    behind: f64,
    reads: Arc<AtomicUsize>,
}

impl Late {
    pub(super) fn by(behind: f64, hands: &Hands) -> Self {
        Self { hands: hands.clone(), behind, reads: Arc::default() }
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Clock for Late {
    fn now(&self) -> NumericDate {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.hands.now()
    }

    fn recent(&self) -> Option<NumericDate> {
        let now = serde_json::to_value(self.hands.now()).unwrap().as_f64().unwrap();
        Some(date(now - self.behind))
    }
}

fn date(seconds: f64) -> NumericDate {
    serde_json::from_value(json!(seconds)).unwrap()
}

/// A verifier with a cache and counted look-ups.
pub(super) fn cached() -> (JwtVerifier, Counted) {
    let keys = Counted::of(hs256());
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap().with_clock(now());
    (verifier.with_token_cache(100).unwrap(), keys)
}

pub(super) fn kind<C: serde::de::DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Option<RejectionKind> {
    verifier.verify_now(token).err().map(|rejection| rejection.kind())
}

#[test]
fn token_that_was_seen_before_is_verified_without_a_look_up() {
    let (verifier, keys) = cached();
    let token = hs256().token(&claims());
    for _ in 0..5 {
        assert_eq!(kind(&verifier, &token), None);
    }
    assert_eq!(keys.lookups(), 1);
    // A clone has the same cache; `verify` and `verify_now` use the same one.
    assert_eq!(kind(&verifier.clone(), &token), None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(verifier.verify(&token)).is_ok());
    assert_eq!(keys.lookups(), 1);
}

#[test]
fn verifier_keeps_nothing_by_default() {
    let keys = Counted::of(hs256());
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap().with_clock(now());
    let token = hs256().token(&claims());
    for _ in 0..3 {
        assert_eq!(kind(&verifier, &token), None);
    }
    assert_eq!(keys.lookups(), 3);
}

#[test]
fn token_with_any_bit_changed_is_not_found_and_is_refused() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        let key = key(algorithm);
        let keys = Counted::of(key);
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap().with_clock(now());
        let verifier = verifier.with_token_cache(100).unwrap();
        let token = key.token(&claims());
        assert_eq!(kind(&verifier, &token), None);
        let mut changed = token.clone().into_bytes();
        for bit in 0..changed.len() * 8 {
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = std::str::from_utf8(&changed) {
                assert!(kind(&verifier, text).is_some(), "bit {bit}");
            }
            changed[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..token.len() {
            assert!(kind(&verifier, &token[..cut]).is_some(), "{cut} bytes");
        }
        for more in ["=", ".", " ", "A", "\0"] {
            assert!(kind(&verifier, &format!("{token}{more}")).is_some(), "{more:?} after it");
            assert!(kind(&verifier, &format!("{more}{token}")).is_some(), "{more:?} before it");
        }
        assert_eq!(kind(&verifier, &token), None);
    }
}

#[test]
fn header_with_any_bit_changed_is_not_found_and_is_refused() {
    let verifier = || JwtVerifier::new(ISSUER, AUDIENCE, Counted::of(hs256())).unwrap();
    let issuers = IssuerSet::new().with_token_cache(100).unwrap();
    issuers.add(verifier().with_clock(now())).unwrap();
    let cached = verifier().with_clock(now()).with_token_cache(100).unwrap();
    let token = hs256().token(&claims());
    let mut value = format!("Bearer {token}").into_bytes();
    let start = value.len() - token.len();
    let sent = |value: &[u8]| {
        let value = HeaderValue::from_bytes(value).ok()?;
        let request = || Request::builder().header(AUTHORIZATION, &value).body(()).unwrap();
        let by_a_verifier = refusal(&send(&JwtAuthLayer::new(cached.clone()), request()));
        let by_a_set = refusal(&send(&JwtAuthLayer::new(issuers.clone()), request()));
        assert_eq!(by_a_verifier.is_some(), by_a_set.is_some());
        Some(by_a_verifier)
    };
    assert_eq!(sent(&value), Some(None));
    let mut sent_bits = 0;
    for bit in start * 8..value.len() * 8 {
        value[bit / 8] ^= 1 << (bit % 8);
        if let Some(refusal) = sent(&value) {
            assert!(refusal.is_some(), "bit {bit}");
            sent_bits += 1;
        }
        value[bit / 8] ^= 1 << (bit % 8);
    }
    // All but control characters can be sent: also bytes that are not UTF-8.
    assert!(sent_bits > token.len() * 6, "{sent_bits}");
    assert_eq!(sent(&value), Some(None));
}

#[test]
fn refusals_are_not_kept() {
    let (verifier, keys) = cached();
    let forged = TestKey::generate(Algorithm::HS256).token(&claims());
    let other = hs256().token(&claims_with("aud", "https://other.example"));
    for number in 1..4 {
        assert_eq!(kind(&verifier, &forged), Some(InvalidSignature));
        assert_eq!(kind(&verifier, &other), Some(WrongAudience));
        assert_eq!(keys.lookups(), 2 * number);
    }
}

#[test]
fn token_of_a_withdrawn_key_is_refused_at_once() {
    let (verifier, keys) = cached();
    let token = hs256().token(&claims());
    assert_eq!(kind(&verifier, &token), None);
    let other = TestKey::generate(Algorithm::HS256);
    keys.replace([other.verification_key()]);
    assert_eq!(kind(&verifier, &token), Some(InvalidSignature));
    keys.replace([other.verification_key().with_kid("another")]);
    assert_eq!(kind(&verifier, &token), Some(UnknownKey));
    // The same keys again are another set, whose tokens are verified anew.
    let before = keys.lookups();
    keys.replace([hs256().verification_key()]);
    assert_eq!(kind(&verifier, &token), None);
    assert_eq!(keys.lookups(), before + 1);
}

#[test]
fn nothing_is_kept_for_keys_without_a_generation() {
    let keys = Counted { has_generation: false, ..Counted::of(hs256()) };
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap().with_clock(now());
    let verifier = verifier.with_token_cache(100).unwrap();
    let token = hs256().token(&claims());
    for _ in 0..3 {
        assert_eq!(kind(&verifier, &token), None);
    }
    assert_eq!(keys.lookups(), 3);

    /// Its look-ups have no generation, but it says that it has one.
    #[derive(Debug)]
    struct Inconsistent;

    impl KeySource for Inconsistent {
        fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
            KeyLookup::ready(Ok(hs256().verification_key().into()))
        }

        fn generation(&self) -> Option<u64> {
            Some(7)
        }
    }

    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Inconsistent).unwrap().with_clock(now());
    let verifier = verifier.with_token_cache(100).unwrap();
    for _ in 0..2 {
        assert_eq!(kind(&verifier, &token), None);
    }
}

/// All that a token tells.
fn told<C: serde::Serialize>(token: &VerifiedToken<C>) -> Value {
    let header = token.header().unwrap();
    json!({
        "claims": token.claims(),
        "header": header,
        "algorithm": header.algorithm().name(),
        "kid": header.kid(),
        "typ": header.typ(),
        "expires_at": token.expires_at(),
        "scope": VerifiedToken::scope(token),
    })
}

#[test]
fn token_from_the_cache_tells_what_the_verified_one_told() {
    let claims = json!({
        "iss": ISSUER, "aud": [AUDIENCE, "b"], "sub": "alice", "exp": NOW + 3600, "nbf": NOW - 9,
        "iat": NOW - 60, "jti": "1", "scope": "a b", "scp": ["c"], "roles": ["x"], "act": {"sub": "y"},
    });
    let token = hs256().token(&claims);
    for by_name in [false, true] {
        let (verifier, keys) = cached();
        let mut verifier = verifier.with_claims::<Value>();
        if by_name {
            verifier = verifier.with_claims_by_name();
        }
        let first = verifier.verify_now(&token).unwrap();
        let second = verifier.verify_now(&token).unwrap();
        assert_eq!(keys.lookups(), 1);
        assert_eq!(told(&first), told(&second));
        assert_eq!(*second.claims(), claims);
        // `scope` and `scp`, if the text was kept.
        assert_eq!(
            VerifiedToken::scope(&second).map(|scope| scope.iter().count()),
            by_name.then_some(3)
        );
    }
}

#[test]
fn claims_are_of_the_type_of_their_verifier() {
    #[derive(Debug, Deserialize)]
    struct WithTenant {
        #[allow(dead_code, reason = "it has to be there")]
        tenant: u32,
    }

    let (verifier, _) = cached();
    let token = hs256().token(&claims());
    assert_eq!(kind(&verifier, &token), None);
    assert_eq!(kind(&verifier.clone().with_claims::<Value>(), &token), None);
    assert_eq!(kind(&verifier.clone().with_claims::<WithTenant>(), &token), Some(UnexpectedClaims));
    let again = verifier.with_claims::<WithTenant>().with_claims::<RegisteredClaims>();
    assert_eq!(kind(&again, &token), None);
}

#[test]
fn explanation_neither_reads_the_cache_nor_fills_it() {
    use futures_util::FutureExt;

    let (verifier, keys) = cached();
    let token = hs256().token(&claims());
    let explain = || verifier.explain(&token).now_or_never().unwrap();
    assert!(explain().is_accepted());
    assert_eq!(kind(&verifier, &token), None);
    assert_eq!(keys.lookups(), 2);
    let explanation = explain();
    assert!(explanation.is_accepted());
    assert_eq!(keys.lookups(), 3);
}

#[test]
fn long_token_is_kept_where_the_setter_allows_it() {
    let long = hs256().token(&claims_with("pad", "a".repeat(4000)));
    let longest = hs256().token(&claims_with("pad", "a".repeat(48_000)));
    let lookups = |verifier: JwtVerifier, keys: &Counted, token: &str| {
        let before = keys.lookups();
        for _ in 0..3 {
            assert_eq!(kind(&verifier, token), None);
        }
        keys.lookups() - before
    };
    assert!(long.len() > 4096 && longest.len() > 64_000 && longest.len() <= 65_536);
    for capacity in [1, 10, 1_000, 100_000] {
        let (verifier, keys) = cached();
        let verifier = verifier.with_max_token_length(65_536).unwrap();
        let verifier = verifier.with_token_cache(capacity).unwrap();
        let short = hs256().token(&claims());
        assert_eq!(lookups(verifier.clone(), &keys, &short), 1, "{capacity}");
        assert_eq!(lookups(verifier.clone(), &keys, &long), 3, "{capacity}");
        let verifier = verifier.with_max_cached_token_length(8192).unwrap();
        assert_eq!(lookups(verifier.clone(), &keys, &long), 1, "{capacity}");
        assert_eq!(lookups(verifier.clone(), &keys, &longest), 3, "{capacity}");
        let verifier = verifier.with_max_cached_token_length(65_536).unwrap();
        assert_eq!(lookups(verifier, &keys, &longest), 1, "{capacity}");
    }
}

#[test]
fn size_out_of_its_bounds_is_an_error() {
    let verifier = || cached().0;
    for capacity in [0, (1 << 24) + 1, usize::MAX] {
        let error = verifier().with_token_cache(capacity).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
        let error = IssuerSet::<RegisteredClaims>::new().with_token_cache(capacity).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
    }
    for length in [0, 127, 65_537] {
        let error = verifier().with_max_cached_token_length(length).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Length);
    }
    assert!(verifier().with_token_cache(1 << 24).is_ok());
}

/// Claims whose destructor asks the verifier again.
#[derive(Deserialize)]
struct Asking {
    #[serde(skip)]
    again: std::sync::OnceLock<(JwtVerifier<Self>, String)>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some((verifier, token)) = self.again.take() {
            let _is_known = verifier.verify_now(&token).is_ok();
        }
    }
}

#[test]
fn claims_are_dropped_without_a_lock_of_the_cache() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (verifier, _) = cached();
        let verifier = verifier.with_claims::<Asking>().with_token_cache(1).unwrap();
        // A long token takes the place of several short ones.
        for pad in [0, 0, 0, 0, 0, 0, 0, 0, 2_800, 2_800, 2_800, 0, 0, 2_800] {
            for number in 0..20 {
                let token =
                    hs256().token(&claims_with("pad", format!("{number}{}", "a".repeat(pad))));
                let verified = verifier.verify_now(&token).unwrap();
                let _is_set = verified.again.set((verifier.clone(), token));
            }
        }
        done.send(()).unwrap();
    });
    let second = std::time::Duration::from_secs(20);
    assert_eq!(is_done.recv_timeout(second), Ok(()), "a dropped token waits for a lock");
}
