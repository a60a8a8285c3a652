use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::key::jwk::{self, Members};
use crate::key::per_algorithm::PerAlgorithm;
use crate::{Algorithm, ConfigError, ConfigErrorKind, KeyCandidates, VerificationKey};

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
/// # assert_eq!(both.len(), 2);
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
        let members = Members::parse(json, "JWK set").map_err(|error| {
            // The same fault, of a set instead of a key.
            ConfigError::new(ConfigErrorKind::KeySet, error.to_string())
        })?;
        let raw = members.get("keys").ok_or_else(|| unusable("the JWK set has no `keys`"))?;
        let entries = serde_json::from_str::<Vec<&RawValue>>(raw)
            .map_err(|_| unusable("`keys` of the JWK set is not an array"))?;

        let mut set = Builder::default();
        for (index, entry) in entries.into_iter().map(RawValue::get).enumerate() {
            if let Err(error) = jwk::parse(entry).and_then(|key| set.add(key)) {
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
    let printable = kid.len() <= 128 && kid.bytes().all(|b| (b' '..=b'~').contains(&b));
    printable.then_some(kid)
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::KeySet, message)
}
