use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::key::jwk::{self, Members};
use crate::key::per_algorithm::PerAlgorithm;
use crate::{Algorithm, ConfigError, ConfigErrorKind, KeyCandidates, KeyStatus, VerificationKey};

/// The most entries of a set from a URL.
#[cfg(feature = "jwks-url")]
const MAX_FETCHED: usize = 100;

/// Several keys of one issuer: a JWK set (RFC 7517 section 5), or keys given together.
///
/// A token's `kid` picks the key, together with its algorithm. A `kid` that fits no key, or more
/// than one, fits none; there is never a fall-back to other keys. A token without `kid` is verified
/// when one key alone fits its algorithm, or when all those that fit have no `kid`: they are tried
/// in their order, four at most. Cloning is cheap.
///
/// # Example: one odd key does not spoil the set
///
/// ```
/// use tower_jwt_auth::JwkSet;
///
/// let set = JwkSet::from_json(
///     r#"{"keys": [
///         {"kty": "AKP", "alg": "ML-DSA-44", "kid": "post-quantum", "pub": "AAAA"},
///         {"kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
///          "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
///     ]}"#,
/// )?;
/// assert_eq!(set.len(), 1);
/// assert_eq!(set.skipped()[0].kid(), Some("post-quantum"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: a secret is being replaced
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwkSet, VerificationKey};
///
/// let new = VerificationKey::from_secret(&[8; 32], Algorithm::HS256)?;
/// let old = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let both = JwkSet::from_keys([new, old])?;
/// assert_eq!(both.keys().count(), 2);
/// assert!(both.skipped().is_empty());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct JwkSet(Arc<Inner>);

struct Inner {
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedKey>,
    /// The answer for each `kid`; `None` where more than one key has it.
    by_kid: HashMap<Arc<str>, PerAlgorithm<Option<VerificationKey>>>,
    /// The answer for a token without `kid`.
    without_kid: PerAlgorithm<KeyCandidates>,
    /// Set where no key was given a `kid`: a token's own is then of no use.
    ignores_kid: bool,
}

impl JwkSet {
    /// Reads a JWK set.
    ///
    /// A key that cannot be used is left out and reported by [`skipped`](Self::skipped): one of an
    /// unknown type or algorithm, a private or a weak one, one that is not for verifying, a value
    /// that is no key at all.
    ///
    /// # Errors
    ///
    /// When the text is not a strict JSON object, when it has no array `keys`, or when not one of
    /// its keys can be used.
    ///
    /// # Example: nothing left
    ///
    /// ```
    /// use tower_jwt_auth::{ConfigErrorKind, JwkSet};
    ///
    /// let error = JwkSet::from_json(r#"{"keys": [{"kty": "oct", "k": ""}]}"#).unwrap_err();
    /// assert_eq!(error.kind(), ConfigErrorKind::KeySet);
    /// ```
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        Self::read(json, jwk::parse)
    }

    /// Reads a set that came from a URL: at most 100 entries, and no symmetric key is used, since
    /// everybody can fetch it.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn from_fetched(json: &[u8]) -> Result<Self, ConfigError> {
        let json = crate::strict_json::text(json)
            .ok_or_else(|| unusable("the JWK set is not UTF-8, or nested too deeply"))?;
        let mut entries = 0_usize;
        let set = Self::read(json, |entry| {
            entries = entries.saturating_add(1);
            jwk::parse_public(entry)
        });
        match entries {
            0..=MAX_FETCHED => set,
            _ => Err(unusable("the JWK set has more than 100 keys")),
        }
    }

    fn read(
        json: &str,
        mut parse: impl FnMut(&str) -> Result<VerificationKey, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let members = Members::parse(json, "JWK set").map_err(|error| {
            // The same fault, of a set instead of a key.
            ConfigError::new(ConfigErrorKind::KeySet, error.to_string())
        })?;
        let raw = members.get("keys").ok_or_else(|| unusable("the JWK set has no `keys`"))?;
        let entries = serde_json::from_str::<Vec<&RawValue>>(raw)
            .map_err(|_| unusable("`keys` of the JWK set is not an array"))?;

        let mut set = Builder::default();
        for (index, entry) in entries.into_iter().map(RawValue::get).enumerate() {
            if let Err(error) = parse(entry).and_then(|key| set.add(key)) {
                let (kid, reason) = (printable_kid(entry), error.to_string());
                set.skipped.push(SkippedKey { index, kid, reason });
            }
        }
        if set.keys.is_empty() {
            return Err(none_usable(&set.skipped));
        }
        Ok(set.build(false))
    }

    /// Puts keys together that are given one by one, such as the old and the new secret while it is
    /// being replaced.
    ///
    /// Where none of them has a `kid`, that of a token is ignored, and those that fit its algorithm
    /// are tried in the order given here.
    ///
    /// # Errors
    ///
    /// When there is no key, or when more than four keys without `kid` have one algorithm.
    ///
    /// # Example: at least one
    ///
    /// ```
    /// use tower_jwt_auth::JwkSet;
    ///
    /// assert!(JwkSet::from_keys([]).is_err());
    /// ```
    pub fn from_keys(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, ConfigError> {
        let mut set = Builder::default();
        for key in keys {
            set.add(key)?;
        }
        if set.keys.is_empty() {
            return Err(unusable("a set needs at least one key"));
        }
        let ignores_kid = set.by_kid.is_empty();
        Ok(set.build(ignores_kid))
    }

    /// The keys that were left out, with the reason, in the order of the set. A set of
    /// [`from_keys`](Self::from_keys) has none.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.0.skipped
    }

    /// The keys that are used, in the order of the set.
    pub fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.0.keys.iter()
    }

    /// How many keys are used.
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether no key is used; never true, as such a set is an error when it is loaded.
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// The keys that may have signed a token with this header. Takes the same time for any number
    /// of keys.
    pub(crate) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> KeyCandidates {
        match kid {
            Some(kid) if !self.0.ignores_kid => self
                .0
                .by_kid
                .get(kid)
                .and_then(|keys| keys.get(algorithm))
                .cloned()
                .flatten()
                .map(KeyCandidates::from)
                .unwrap_or_default(),
            _ => self.0.without_kid.get(algorithm).cloned().unwrap_or_default(),
        }
    }

    /// Whether the set has a say on a token with this header, be it that no key may verify it: the
    /// `kid` is there, or, without one, a key of the algorithm. Else a newer set may know more.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn settles(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        match kid {
            Some(kid) => self.0.by_kid.contains_key(kid),
            None => self.0.without_kid.get(algorithm).is_some(),
        }
    }

    /// What a source that holds this set can say of it.
    pub(crate) fn describe(&self, status: &mut KeyStatus) {
        let kids = self.keys().filter_map(VerificationKey::kid);
        status.keys = self.len();
        status.kids = kids.filter(|kid| is_printable(kid)).map(str::to_owned).collect();
        status.skipped = self.skipped().to_vec();
    }
}

impl fmt::Debug for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwkSet")
            .field("keys", &self.0.keys)
            .field("skipped", &self.0.skipped)
            .finish_non_exhaustive()
    }
}

/// A key of a JWK set that is not used, for the operator's log. It holds no key material.
///
/// # Example: what to log
///
/// ```
/// use tower_jwt_auth::JwkSet;
///
/// let set = JwkSet::from_json(
///     r#"{"keys": [
///         {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///         {"kty": "OKP", "crv": "Ed448", "kid": "other"}
///     ]}"#,
/// )?;
/// let lines: Vec<String> = set.skipped().iter().map(ToString::to_string).collect();
/// assert_eq!(lines, [r#"key 1 (kid "other"): the curve is not Ed25519"#]);
///
/// let skipped = &set.skipped()[0];
/// assert_eq!((skipped.index(), skipped.kid()), (1, Some("other")));
/// assert_eq!(skipped.reason(), "the curve is not Ed25519");
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SkippedKey {
    index: usize,
    kid: Option<String>,
    reason: String,
}

impl SkippedKey {
    /// Its place in the array `keys`, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its `kid`, if that is at most 128 characters of printable ASCII.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Why it is not used, in one sentence. No value of the key is part of it.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key {} (kid {kid:?}): {}", self.index, self.reason),
            None => write!(f, "key {}: {}", self.index, self.reason),
        }
    }
}

/// Collects keys, and with each one the answers that a look-up will give.
#[derive(Default)]
struct Builder {
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedKey>,
    by_kid: HashMap<Arc<str>, PerAlgorithm<Option<VerificationKey>>>,
    by_algorithm: PerAlgorithm<Fitting>,
}

/// The keys that fit one algorithm, as far as a token without `kid` wants to know.
#[derive(Default)]
struct Fitting {
    /// As many as fit; more than one is already too many.
    with_kid: KeyCandidates,
    without_kid: KeyCandidates,
}

impl Builder {
    fn add(&mut self, key: VerificationKey) -> Result<(), ConfigError> {
        let full = |algorithm| {
            self.by_algorithm.get(algorithm).is_some_and(|keys| keys.without_kid.is_full())
        };
        if key.kid().is_none() && key.algorithms().any(full) {
            return Err(unusable("more than 4 keys without kid for one algorithm"));
        }

        for algorithm in key.algorithms() {
            self.by_algorithm.update(algorithm, |fitting| fitting.unwrap_or_default().and(&key));
            if let Some(kid) = key.kid_arc() {
                let answers = self.by_kid.entry(Arc::clone(kid)).or_default();
                answers.update(algorithm, |known| match known {
                    None => Some(key.clone()),
                    Some(_) => None,
                });
            }
        }
        self.keys.push(key);
        Ok(())
    }

    fn build(self, ignores_kid: bool) -> JwkSet {
        JwkSet(Arc::new(Inner {
            keys: self.keys,
            skipped: self.skipped,
            by_kid: self.by_kid,
            without_kid: self.by_algorithm.map(Fitting::candidates),
            ignores_kid,
        }))
    }
}

impl Fitting {
    fn and(mut self, key: &VerificationKey) -> Self {
        if key.kid().is_some() {
            self.with_kid.push(key.clone());
        } else {
            self.without_kid.push(key.clone());
        }
        self
    }

    /// The only key that fits, or those without `kid` when there are no others.
    fn candidates(self) -> KeyCandidates {
        match (self.with_kid.iter().count(), self.without_kid.is_empty()) {
            (0, _) => self.without_kid,
            (1, true) => self.with_kid,
            _ => KeyCandidates::default(),
        }
    }
}

/// The error for a set of which nothing is left, with the first few reasons.
fn none_usable(skipped: &[SkippedKey]) -> ConfigError {
    const SHOWN: usize = 4;

    if skipped.is_empty() {
        return unusable("the JWK set has no keys");
    }
    let mut reasons: Vec<String> = skipped.iter().take(SHOWN).map(ToString::to_string).collect();
    if let Some(more @ 1..) = skipped.len().checked_sub(SHOWN) {
        reasons.push(format!("and {more} more"));
    }
    unusable(format!("no key of the JWK set can be used: {}", reasons.join("; ")))
}

/// The `kid` of an entry, if it may stand in a log.
fn printable_kid(entry: &str) -> Option<String> {
    let kid = Members::parse(entry, "JWK").ok()?.text("kid").ok()??;
    is_printable(&kid).then_some(kid)
}

fn is_printable(kid: &str) -> bool {
    kid.len() <= 128 && kid.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn unusable(message: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::KeySet, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::key::test_keys::SigningKey;

    /// A secret that is told apart from others by its number.
    fn secret(number: u8) -> VerificationKey {
        VerificationKey::from_secret(&[number; 64], Algorithm::HS256).unwrap()
    }

    /// The numbers of the secrets among the candidates, in their order.
    fn numbers(candidates: &KeyCandidates) -> Vec<u8> {
        let signed = |key: &VerificationKey, number: u8| {
            let signature = SigningKey::Secret(vec![number; 64]).sign(Algorithm::HS256, b"");
            key.verify(Algorithm::HS256, b"", &signature)
        };
        candidates.iter().map(|key| (0..100).find(|n| signed(key, *n)).unwrap()).collect()
    }

    fn find(set: &JwkSet, kid: Option<&str>) -> Vec<u8> {
        numbers(&set.candidates(kid, Algorithm::HS256))
    }

    fn set(keys: &[Value]) -> JwkSet {
        JwkSet::from_json(&json!({ "keys": keys }).to_string()).unwrap()
    }

    #[test]
    fn k6_a_kid_is_compared_exactly() {
        let set = JwkSet::from_keys([secret(1).with_kid("a"), secret(2).with_kid(""), secret(3)])
            .unwrap();
        assert_eq!(find(&set, Some("a")), [1]);
        assert_eq!(find(&set, Some("")), [2]);
        for unknown in ["A", "a ", "b", "\0", "../a"] {
            assert!(find(&set, Some(unknown)).is_empty(), "{unknown:?}");
        }
        assert!(set.candidates(Some("a"), Algorithm::HS384).is_empty());
    }

    #[test]
    fn k6_an_unknown_kid_falls_back_to_nothing_in_a_set_from_json() {
        let signer = SigningKey::new(Algorithm::Ed25519);
        let set = set(&[signer.jwk()]);
        assert!(set.candidates(Some("a"), Algorithm::Ed25519).is_empty());
        assert!(set.candidates(Some(""), Algorithm::Ed25519).is_empty());
        assert_eq!(set.candidates(None, Algorithm::Ed25519).iter().count(), 1);
        assert_eq!(set.candidates(None, Algorithm::EdDSA).iter().count(), 1);
        assert!(set.candidates(None, Algorithm::ES256).is_empty());
    }

    #[test]
    fn k6_keys_given_by_themselves_ignore_the_kid() {
        let set = JwkSet::from_keys([secret(2), secret(1)]).unwrap();
        assert_eq!(find(&set, Some("whatever")), [2, 1]);
        assert_eq!(find(&set, None), [2, 1]);
    }

    #[test]
    fn k6_without_kid_only_one_key_may_fit() {
        let one = JwkSet::from_keys([secret(1).with_kid("a")]).unwrap();
        assert_eq!(find(&one, None), [1]);

        let two = JwkSet::from_keys([secret(1).with_kid("a"), secret(2).with_kid("b")]).unwrap();
        assert!(find(&two, None).is_empty());

        let mixed = JwkSet::from_keys([secret(1), secret(2).with_kid("b")]).unwrap();
        assert!(find(&mixed, None).is_empty());

        let other = VerificationKey::from_secret(&[9; 64], Algorithm::HS512).unwrap();
        let apart = JwkSet::from_keys([secret(1).with_kid("a"), other.with_kid("b")]).unwrap();
        assert_eq!(find(&apart, None), [1]);
    }

    #[test]
    fn k6_at_most_four_keys_are_tried() {
        let four = JwkSet::from_keys((1..=4).map(secret)).unwrap();
        assert_eq!(find(&four, None), [1, 2, 3, 4]);
        assert_eq!((four.len(), four.is_empty()), (4, false));

        let error = JwkSet::from_keys((1..=5).map(secret)).unwrap_err();
        assert_eq!(error.to_string(), "more than 4 keys without kid for one algorithm");

        let jwk = |n: u8| SigningKey::Secret(vec![n; 64]).jwk_with(&json!({"alg": "HS256"}));
        let set = set(&(1..=6).map(jwk).collect::<Vec<_>>());
        assert_eq!(find(&set, None), [1, 2, 3, 4]);
        let skipped: Vec<usize> = set.skipped().iter().map(SkippedKey::index).collect();
        assert_eq!(skipped, [4, 5]);
        assert_eq!(set.skipped()[0].reason(), "more than 4 keys without kid for one algorithm");
    }

    #[test]
    fn k5_one_kid_for_two_types_is_told_apart_by_the_algorithm() {
        let rsa = SigningKey::new(Algorithm::RS256);
        let ec = SigningKey::new(Algorithm::ES256);
        let kid = json!({"kid": "same"});
        let set = set(&[rsa.jwk_with(&kid), ec.jwk_with(&kid)]);
        for (signer, algorithm) in [(&rsa, Algorithm::PS384), (&ec, Algorithm::ES256)] {
            let candidates = set.candidates(Some("same"), algorithm);
            let [key] = candidates.iter().collect::<Vec<_>>()[..] else { panic!("not one key") };
            assert!(key.verify(algorithm, b"m", &signer.sign(algorithm, b"m")));
        }
        assert!(set.candidates(Some("same"), Algorithm::ES384).is_empty());
    }

    #[test]
    fn k5_one_kid_for_two_keys_of_one_algorithm_is_ambiguous() {
        let three = [1, 2, 3].map(|number| secret(number).with_kid("same"));
        for count in 2..=3 {
            let keys = three.iter().take(count).cloned().chain([secret(9).with_kid("other")]);
            let set = JwkSet::from_keys(keys).unwrap();
            assert!(find(&set, Some("same")).is_empty(), "{count}");
            assert_eq!(find(&set, Some("other")), [9]);
        }
    }

    #[test]
    fn k5_a_skipped_key_is_no_candidate() {
        let good = SigningKey::new(Algorithm::ES256);
        let set = set(&[
            SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "use": "enc"})),
            SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "key_ops": ["sign"]})),
            SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "alg": "ECDH-ES"})),
            good.jwk_with(&json!({"kid": "a"})),
        ]);
        assert_eq!(set.skipped().len(), 3);
        for kid in [None, Some("a")] {
            let candidates = set.candidates(kid, Algorithm::ES256);
            let [key] = candidates.iter().collect::<Vec<_>>()[..] else { panic!("not one key") };
            assert!(key.verify(Algorithm::ES256, b"m", &good.sign(Algorithm::ES256, b"m")));
        }
    }
}
