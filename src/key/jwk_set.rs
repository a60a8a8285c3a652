use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::AlgorithmSet;
use crate::key::candidates::KeyCandidates;
use crate::key::generation;
use crate::key::jwk::{JwkReader, Members, without_bom};
use crate::key::key_hint::KeyHint;
use crate::key::key_index::KeyIndex;
use crate::key::key_use::KeyUse;
use crate::key::set_builder::{Built, SetBuilder, unusable};
use crate::key::verification_key::VerificationKey;
use crate::trace;

/// The maximum number of entries in a fetched set.
const MAX_PUBLISHED: usize = 100;

/// Several keys of one issuer: a JWK set (RFC 7517 section 5), or keys given one by one.
///
/// The header of a token selects the keys, of those that are bound to the token's algorithm. If it selects none,
/// the token is refused:
///
/// | the token has | keys that are tried |
/// |---|---|
/// | `kid` | only the key with this `kid` |
/// | no `kid`, but `x5t#S256` or `x5t` | only the key with the same value; of both, `x5t#S256` is looked up first, and a key that contradicts the other one is not used |
/// | none of the three | the only key for the algorithm; or, if there are several and none of them has a `kid`, all of them in order, at most four |
///
/// A value is compared exactly with the member of the JWK, and never computed from a certificate. A set from
/// [`from_keys`](Self::from_keys) ignores `kid` if none of its keys has one, and the other two if none of its keys
/// has either. Cloning is cheap.
///
/// # Example: an unsupported key is skipped
///
/// ```
/// use tower_jwt_auth::JwkSet;
///
/// let set = JwkSet::from_json(
///     r#"{"keys": [
///         {"kty": "OKP", "crv": "Ed448", "kid": "another-curve", "x": "AAAA"},
///         {"kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
///          "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
///     ]}"#,
/// )?;
/// assert_eq!(set.len(), 1);
/// assert_eq!(set.skipped()[0].kid(), Some("another-curve"));
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
    index: KeyIndex,
    generation: NonZeroU64,
}

impl JwkSet {
    /// Reads a JWK set.
    ///
    /// A key that cannot be used is left out, and [`skipped`](Self::skipped) reports it: an unknown type or
    /// algorithm, a private key, a weak key, a key for another purpose than verifying, a value that is not a
    /// key. Different keys with the same `kid` lose each algorithm that they share, since the header of a token
    /// cannot select one of them. A key that has no algorithm left is left out too. Of the keys without `kid`, the
    /// first four for an algorithm are kept, and tried in order for a token without `kid`, if no key for its
    /// algorithm has a `kid`. With feature `tracing`, a `warn` event names each key that is left out, for at most
    /// 8 keys of a set. Copies of one key under the same `kid` count as one key, bound to the `alg` of the copy
    /// that has one.
    ///
    /// A byte order mark at the start of the text is ignored, and so are members that are `null`.
    ///
    /// # Errors
    ///
    /// When the text is not a JSON object, or has a duplicate member name; when it has no array `keys`; or when
    /// that array is empty or each key in it has a fault of its own. If keys are only left out because they share
    /// `kid` and algorithm, the set may be empty without an error: see [`is_empty`](Self::is_empty).
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        Self::read_given(json, None)
    }

    /// Reads a JWK set whose keys have another `use` than `sig`, such as the bundle of a SPIFFE
    /// trust domain with its `jwt-svid` (SPIFFE Trust Domain and Bundle section 4.2.1).
    ///
    /// Only keys with exactly this `use` are taken. A key without `use` is left out too.
    ///
    /// # Errors
    ///
    /// When [`from_json`](Self::from_json) would fail, and when the `use` is empty, `enc` or
    /// `x509-svid`: such keys never verify tokens.
    ///
    /// # Example: the keys of a SPIFFE trust domain
    ///
    /// ```
    /// use tower_jwt_auth::JwkSet;
    ///
    /// let bundle = r#"{"spiffe_sequence": 7, "keys": [
    ///     {"use": "x509-svid", "kty": "EC", "crv": "P-256", "x5c": ["MIIBzDCCAVOgAwIBAgIJ"],
    ///      "x": "fK-wKTnKL7KFLM27lqq5DC-bxrVaH6rDV-IcCSEOeL4",
    ///      "y": "wq-g3TQWxYlV51TCPH030yXsRxvujD4hUUaIQrXk4KI"},
    ///     {"use": "jwt-svid", "kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
    ///      "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    /// ]}"#;
    /// let set = JwkSet::from_json_with_key_use(bundle, "jwt-svid")?;
    /// assert!(set.keys().map(|key| key.kid()).eq([Some("2026-01")]));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_json_with_key_use(json: &str, key_use: &str) -> Result<Self, ConfigError> {
        Self::read_given(json, Some(&KeyUse::parse(key_use)?))
    }

    fn read_given(json: &str, key_use: Option<&KeyUse>) -> Result<Self, ConfigError> {
        let set = Self::read(without_bom(json), JwkReader::default().with_key_use(key_use))?;
        trace::keys_skipped(set.skipped());
        Ok(set)
    }

    /// Reads a set that was fetched from a URL: at most 100 entries, and no symmetric keys, since
    /// anyone can fetch it.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn from_fetched(json: &[u8], key_use: Option<&KeyUse>) -> Result<Self, ConfigError> {
        let json = crate::strict_json::text(json)
            .ok_or_else(|| unusable("the JWK set is not UTF-8, or nested too deeply"))?;
        Self::read(json, JwkReader::default().published().with_key_use(key_use))
    }

    fn read(json: &str, reader: JwkReader<'_>) -> Result<Self, ConfigError> {
        let members = Members::parse(json, "JWK set").map_err(|error| {
            // The same message, with the kind of a set instead of a key.
            ConfigError::new(ConfigErrorKind::KeySet, error.to_string())
        })?;
        let raw = members.get("keys").ok_or_else(|| {
            unusable(match members.get("kty") {
                Some(_) => "this is a JWK, not a JWK set: use `VerificationKey::from_jwk`",
                None => "the JWK set has no `keys`",
            })
        })?;
        let entries = serde_json::from_str::<Vec<&RawValue>>(raw)
            .map_err(|_| unusable("`keys` of the JWK set is not an array"))?;
        if reader.is_published() && entries.len() > MAX_PUBLISHED {
            return Err(unusable("the JWK set has more than 100 keys"));
        }

        let mut builder = SetBuilder::default();
        let mut faults = Vec::new();
        let mut is_any_readable = false;
        for (index, entry) in entries.iter().enumerate() {
            match reader.parse(entry.get()) {
                Ok(key) => {
                    is_any_readable = true;
                    builder.add(index, key);
                }
                Err(error) => faults.push((index, error)),
            }
        }
        let built = builder.build();
        faults.extend(built.faults);
        faults.sort_unstable_by_key(|(index, _)| *index);
        let skipped = faults.into_iter().map(|(index, error)| {
            let kid = entries.get(index).and_then(|entry| printable_kid(entry.get()));
            SkippedKey { index, kid, reason: error.to_string() }
        });
        let skipped: Vec<SkippedKey> = skipped.collect();
        if built.keys.is_empty() && (reader.is_published() || !is_any_readable) {
            return Err(none_usable(&skipped));
        }
        Ok(Self::new(built.keys, skipped, built.index))
    }

    /// The error for a set that [is empty](Self::is_empty), with reasons.
    #[cfg(any(feature = "config", feature = "oidc-discovery"))]
    pub(crate) fn none_usable(&self) -> ConfigError {
        none_usable(self.skipped())
    }

    /// Builds a set from single keys, such as the old and the new secret while a secret is
    /// replaced.
    ///
    /// | the keys | a token with `kid` | a token without `kid` |
    /// |---|---|---|
    /// | none has a `kid` | its `kid` is ignored: as without | the keys for its algorithm, in the given order |
    /// | some or all have a `kid` | only the key with this `kid` | the only key for its algorithm; or, if none of those keys has a `kid`, all of them |
    ///
    /// So when the old of two secrets has no `kid`, give the new one none either. `x5t` and `x5t#S256` are ignored if
    /// none of the keys has either. Copies of one key under the same `kid` count as one key.
    ///
    /// # Errors
    ///
    /// When there is no key, when more than four keys without `kid` have one algorithm, or when
    /// different keys have the same `kid` and algorithm.
    pub fn from_keys(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, ConfigError> {
        let mut builder = SetBuilder::default();
        for (index, key) in keys.into_iter().enumerate() {
            builder.add(index, key);
        }
        let Built { keys, index, faults } = builder.build();
        if let Some((_, error)) = faults.into_iter().next() {
            return Err(error);
        }
        if keys.is_empty() {
            return Err(unusable("a set needs at least one key"));
        }
        let index = index.ignoring_names_that_no_key_has();
        Ok(Self::new(keys, Vec::new(), index))
    }

    fn new(keys: Vec<VerificationKey>, skipped: Vec<SkippedKey>, index: KeyIndex) -> Self {
        Self(Arc::new(Inner { keys, skipped, index, generation: generation::next() }))
    }

    /// The keys that were left out, with the reason, in the order of the set. A set from
    /// [`from_keys`](Self::from_keys) has none.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.0.skipped
    }

    /// The keys that are used, in the order of the set.
    pub fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.0.keys.iter()
    }

    /// The number of keys that are used.
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether the set has no keys that can verify a token. This happens when [`from_json`](Self::from_json) or
    /// [`from_json_with_key_use`](Self::from_json_with_key_use) found usable keys, but left all of them out as
    /// ambiguous: for example, two keys with the same `kid` and algorithm, so that the header of a token cannot
    /// select one of them. Such a set verifies nothing, and its [`status`](crate::KeySource::status) is not
    /// ready.
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// The algorithms of all keys.
    pub(crate) fn algorithm_set(&self) -> AlgorithmSet {
        self.keys().flat_map(VerificationKey::algorithms).collect()
    }

    /// The keys that may have signed a token with this header.
    pub(crate) fn candidates(&self, hint: &KeyHint<'_>) -> KeyCandidates {
        self.0.index.find(hint).of_generation(self.0.generation)
    }

    pub(crate) fn generation(&self) -> NonZeroU64 {
        self.0.generation
    }

    /// Whether the set has the key of a token with this header, even if that key must not verify
    /// it. Otherwise a newer set may have the key.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn settles(&self, hint: &KeyHint<'_>) -> bool {
        self.0.index.settles(hint)
    }

    /// The `kid` of each key, except those that must not appear in a log.
    pub(crate) fn printable_kids(&self) -> impl Iterator<Item = &str> {
        self.keys().filter_map(VerificationKey::kid).filter(|kid| is_printable(kid))
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

/// A key that was left out of a JWK set, with the reason, for the operator's log. It contains no key material.
///
/// # Example: the text for the log
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
    /// The index of the key in the array `keys`, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The `kid` of the key, if it is at most 128 characters of printable ASCII.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Why the key is not used, in a few words. The text contains no key material.
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

/// The error for a set without a usable key, with the first few reasons.
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

/// The `kid` of an entry, if it may appear in a log.
fn printable_kid(entry: &str) -> Option<String> {
    let kid = Members::parse(entry, "JWK").ok()?.text("kid").ok()??;
    is_printable(&kid).then_some(kid)
}

fn is_printable(kid: &str) -> bool {
    kid.len() <= 128 && kid.bytes().all(|b| (b' '..=b'~').contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::crypto::Algorithm;
    use crate::key::test_keys::SigningKey;

    /// A secret that is identified by its number.
    fn secret(number: u8) -> VerificationKey {
        VerificationKey::from_secret(&[number; 64], Algorithm::HS256).unwrap()
    }

    /// The numbers of the secrets among the candidates, in order.
    fn numbers(candidates: &KeyCandidates) -> Vec<u8> {
        let signed = |key: &VerificationKey, number: u8| {
            let signature = SigningKey::Secret(vec![number; 64]).sign(Algorithm::HS256, b"");
            key.verify(Algorithm::HS256, b"", &signature)
        };
        candidates.iter().map(|key| (0..100).find(|n| signed(key, *n)).unwrap()).collect()
    }

    fn by_kid(kid: Option<&str>, algorithm: Algorithm) -> KeyHint<'_> {
        KeyHint { algorithm, kid, x5t: None, x5t_s256: None }
    }

    fn find(set: &JwkSet, kid: Option<&str>) -> Vec<u8> {
        numbers(&set.candidates(&by_kid(kid, Algorithm::HS256)))
    }

    fn set(keys: &[Value]) -> JwkSet {
        JwkSet::from_json(&json!({ "keys": keys }).to_string()).unwrap()
    }

    #[test]
    fn a_kid_is_compared_exactly() {
        let set = JwkSet::from_keys([secret(1).with_kid("a"), secret(2).with_kid(""), secret(3)])
            .unwrap();
        assert_eq!(find(&set, Some("a")), [1]);
        assert_eq!(find(&set, Some("")), [2]);
        for unknown in ["A", "a ", "b", "\0", "../a"] {
            assert!(find(&set, Some(unknown)).is_empty(), "{unknown:?}");
        }
        assert!(set.candidates(&by_kid(Some("a"), Algorithm::HS384)).is_empty());
    }

    #[test]
    fn an_unknown_kid_falls_back_to_nothing_in_a_set_from_json() {
        let signer = SigningKey::new(Algorithm::Ed25519);
        let set = set(&[signer.jwk()]);
        assert!(set.candidates(&by_kid(Some("a"), Algorithm::Ed25519)).is_empty());
        assert!(set.candidates(&by_kid(Some(""), Algorithm::Ed25519)).is_empty());
        assert_eq!(set.candidates(&by_kid(None, Algorithm::Ed25519)).iter().count(), 1);
        assert_eq!(set.candidates(&by_kid(None, Algorithm::EdDSA)).iter().count(), 1);
        assert!(set.candidates(&by_kid(None, Algorithm::ES256)).is_empty());
    }

    #[test]
    fn keys_given_by_themselves_ignore_the_kid() {
        let set = JwkSet::from_keys([secret(2), secret(1)]).unwrap();
        assert_eq!(find(&set, Some("whatever")), [2, 1]);
        assert_eq!(find(&set, None), [2, 1]);
    }

    #[test]
    fn without_kid_only_one_key_may_fit() {
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
    fn at_most_four_keys_are_tried() {
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
    fn one_kid_for_two_types_is_told_apart_by_the_algorithm() {
        let rsa = SigningKey::new(Algorithm::RS256);
        let ec = SigningKey::new(Algorithm::ES256);
        let kid = json!({"kid": "same"});
        let set = set(&[rsa.jwk_with(&kid), ec.jwk_with(&kid)]);
        for (signer, algorithm) in [(&rsa, Algorithm::PS384), (&ec, Algorithm::ES256)] {
            let candidates = set.candidates(&by_kid(Some("same"), algorithm));
            let [key] = candidates.iter().collect::<Vec<_>>()[..] else { panic!("not one key") };
            assert!(key.verify(algorithm, b"m", &signer.sign(algorithm, b"m")));
        }
        assert!(set.candidates(&by_kid(Some("same"), Algorithm::ES384)).is_empty());
    }

    #[test]
    fn one_kid_for_two_keys_of_one_algorithm_is_ambiguous() {
        let jwk = |n: u8, kid: &str| {
            SigningKey::Secret(vec![n; 64]).jwk_with(&json!({"alg": "HS256", "kid": kid}))
        };
        let three = [1, 2, 3].map(|number| jwk(number, "same"));
        for count in 2..=3 {
            let keys: Vec<_> = three.iter().take(count).cloned().chain([jwk(9, "other")]).collect();
            let set = set(&keys);
            assert!(find(&set, Some("same")).is_empty(), "{count}");
            assert_eq!(find(&set, Some("other")), [9]);
            // They are not candidates for a token without `kid` either.
            assert_eq!(find(&set, None), [9]);
            assert_eq!((set.len(), set.skipped().len()), (1, count));
        }
        let error = JwkSet::from_keys([1, 2].map(|n| secret(n).with_kid("same"))).unwrap_err();
        assert!(error.to_string().contains("same `kid` and algorithm"), "{error}");
    }

    /// Otherwise each token of such a key would make a URL source fetch the set again.
    #[test]
    #[cfg(feature = "jwks-url")]
    fn a_set_settles_what_its_ambiguous_keys_are_asked_for() {
        let jwk = |kid: &str| SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": kid}));
        let set = set(&[jwk("same"), jwk("same")]);
        assert!(set.is_empty());
        for (kid, settled) in [(Some("same"), true), (None, true), (Some("other"), false)] {
            let hint = by_kid(kid, Algorithm::ES256);
            assert!(set.candidates(&hint).is_empty(), "{kid:?}");
            assert_eq!(set.settles(&hint), settled, "{kid:?}");
        }
        assert!(!set.settles(&by_kid(None, Algorithm::RS256)));
    }

    #[test]
    fn a_skipped_key_is_no_candidate() {
        let good = SigningKey::new(Algorithm::ES256);
        let set = set(&[
            SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "use": "enc"})),
            SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "key_ops": ["sign"]})),
            SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "a", "alg": "ECDH-ES"})),
            good.jwk_with(&json!({"kid": "a"})),
        ]);
        assert_eq!(set.skipped().len(), 3);
        for kid in [None, Some("a")] {
            let candidates = set.candidates(&by_kid(kid, Algorithm::ES256));
            let [key] = candidates.iter().collect::<Vec<_>>()[..] else { panic!("not one key") };
            assert!(key.verify(Algorithm::ES256, b"m", &good.sign(Algorithm::ES256, b"m")));
        }
    }
}
