//! Turns the entries of a set into its usable keys: merges copies, and drops keys that the header
//! of a token cannot select.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::AlgorithmSet;
use crate::key::candidates::KeyCandidates;
use crate::key::key_index::KeyIndex;
use crate::key::per_algorithm::PerAlgorithm;
use crate::key::verification_key::VerificationKey;

/// The readable keys of a set, each with its index.
#[derive(Default)]
pub(crate) struct SetBuilder(Vec<(usize, VerificationKey)>);

/// The usable keys of a set, and the faults of the others.
pub(crate) struct Built {
    pub(crate) keys: Vec<VerificationKey>,
    pub(crate) index: KeyIndex,
    /// The indexes of the other keys, with the reasons.
    pub(crate) faults: Vec<(usize, ConfigError)>,
}

impl SetBuilder {
    pub(crate) fn add(&mut self, index: usize, key: VerificationKey) {
        self.0.push((index, key));
    }

    pub(crate) fn build(self) -> Built {
        let mut faults = Vec::new();
        let keys = limit_unnamed(merge_copies(self.0), &mut faults);
        let (keys, unusable) = take_ambiguous(keys, &mut faults);
        Built { index: KeyIndex::new(&keys, &unusable), keys, faults }
    }
}

type Keys = Vec<(usize, VerificationKey)>;

/// Merges copies of one key under the same `kid`, or without one. The result has the algorithms of
/// the copy with fewer, which is the one with `alg`.
fn merge_copies(keys: Keys) -> Keys {
    let mut by_kid: HashMap<Option<Arc<str>>, Keys> = HashMap::new();
    for (index, key) in keys {
        by_kid.entry(key.kid_arc().cloned()).or_default().push((index, key));
    }
    let mut merged: Keys = by_kid.values().flat_map(|keys| merge_copies_of_one_kid(keys)).collect();
    merged.sort_unstable_by_key(|(index, _)| *index);
    merged
}

fn merge_copies_of_one_kid(keys: &[(usize, VerificationKey)]) -> Keys {
    /// Whether `key` can replace `other`.
    fn stands_for(key: &VerificationKey, other: &VerificationKey) -> bool {
        key.is_same_key(other) && key.algorithm_set().is_subset(other.algorithm_set())
    }
    let mut merged = Keys::new();
    for (index, key) in keys {
        let has_stand_in = keys.iter().any(|(place, other)| {
            stands_for(other, key) && (place < index || !stands_for(key, other))
        });
        if !has_stand_in {
            let copies = keys.iter().filter(|(_, other)| stands_for(key, other));
            let names = copies
                .fold(key.thumbprints().clone(), |names, (_, copy)| names.or(copy.thumbprints()));
            merged.push((*index, key.clone().with_thumbprints(names)));
        }
    }
    merged
}

/// Limits the signature checks that one token can cost to [`KeyCandidates::MAX`].
fn limit_unnamed(keys: Keys, faults: &mut Vec<(usize, ConfigError)>) -> Keys {
    let mut counts = PerAlgorithm::<usize>::default();
    let mut fits = |key: &VerificationKey| {
        let count = |algorithm| counts.get(algorithm).copied().unwrap_or_default();
        if key.algorithms().any(|algorithm| count(algorithm) >= KeyCandidates::MAX) {
            return false;
        }
        for algorithm in key.algorithms() {
            counts.update(algorithm, |count| count.unwrap_or_default().saturating_add(1));
        }
        true
    };
    let (kept, rest): (Keys, Keys) =
        keys.into_iter().partition(|(_, key)| key.kid().is_some() || fits(key));
    let fault = || unusable("more than 4 keys without kid for one algorithm");
    faults.extend(rest.into_iter().map(|(index, _)| (index, fault())));
    kept
}

/// Removes the algorithms that different keys with the same `kid` share: the header of a token
/// cannot select one of those keys. Returns the usable keys, and the keys that have no algorithm
/// left.
fn take_ambiguous(
    keys: Keys,
    faults: &mut Vec<(usize, ConfigError)>,
) -> (Vec<VerificationKey>, Vec<VerificationKey>) {
    let mut once = HashMap::<Arc<str>, AlgorithmSet>::new();
    let mut twice = HashMap::<Arc<str>, AlgorithmSet>::new();
    for (_, key) in &keys {
        let Some(kid) = key.kid_arc() else { continue };
        let seen = once.entry(Arc::clone(kid)).or_insert(AlgorithmSet::EMPTY);
        for algorithm in key.algorithms() {
            if seen.contains(algorithm) {
                let ambiguous = twice.entry(Arc::clone(kid)).or_insert(AlgorithmSet::EMPTY);
                *ambiguous = ambiguous.with(algorithm);
            }
            *seen = seen.with(algorithm);
        }
    }

    let (mut usable, mut unusable_keys) = (Vec::new(), Vec::new());
    for (index, key) in keys {
        match key.kid().and_then(|kid| twice.get(kid)) {
            None => usable.push(key),
            Some(ambiguous) => match key.clone().without(*ambiguous) {
                Some(rest) => usable.push(rest),
                None => {
                    unusable_keys.push(key);
                    let reason = "a different key has the same `kid` and algorithm: a token cannot \
                                  tell them apart";
                    faults.push((index, unusable(reason)));
                }
            },
        }
    }
    (usable, unusable_keys)
}

pub(crate) fn unusable(message: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::KeySet, message)
}
