//! The look-up of a key in a set.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::SeedableRandomState;

use crate::hash_seed::random_state;
use crate::key::candidates::KeyCandidates;
use crate::key::key_hint::KeyHint;
use crate::key::per_algorithm::PerAlgorithm;
use crate::key::verification_key::VerificationKey;

/// The precomputed results of all look-ups: a look-up takes the same time for any number of keys.
pub(crate) struct KeyIndex {
    by_kid: ByName,
    by_x5t: ByName,
    by_x5t_s256: ByName,
    without_name: PerAlgorithm<KeyCandidates>,
    ignores_kid: bool,
    ignores_thumbprints: bool,
}

/// The key of each name and algorithm; `None` where a name is ambiguous.
type ByName = HashMap<Arc<str>, PerAlgorithm<Option<VerificationKey>>, SeedableRandomState>;

/// The keys that fit one algorithm, for a token that does not name its key.
#[derive(Default)]
struct Fitting {
    /// The keys with `kid`. Only zero, one or more than one matters.
    with_kid: KeyCandidates,
    without_kid: KeyCandidates,
}

impl Default for KeyIndex {
    fn default() -> Self {
        let names = || ByName::with_hasher(random_state());
        Self {
            by_kid: names(),
            by_x5t: names(),
            by_x5t_s256: names(),
            without_name: PerAlgorithm::default(),
            ignores_kid: false,
            ignores_thumbprints: false,
        }
    }
}

impl KeyIndex {
    /// `unusable` are keys that never verify a token; only their names count.
    pub(crate) fn new(keys: &[VerificationKey], unusable: &[VerificationKey]) -> Self {
        let mut index = Self::default();
        let mut fitting = PerAlgorithm::<Fitting>::default();
        for key in keys {
            for algorithm in key.algorithms() {
                fitting.update(algorithm, |keys| keys.unwrap_or_default().and(key));
            }
            let names = key.thumbprints();
            for (name, names) in [
                (key.kid_arc(), &mut index.by_kid),
                (names.x5t.as_ref(), &mut index.by_x5t),
                (names.x5t_s256.as_ref(), &mut index.by_x5t_s256),
            ] {
                if let Some(name) = name {
                    add(names, name, key);
                }
            }
        }
        for key in unusable {
            for algorithm in key.algorithms() {
                fitting.update(algorithm, Option::unwrap_or_default);
            }
            if let Some(kid) = key.kid_arc() {
                index.by_kid.entry(Arc::clone(kid)).or_default();
            }
        }
        index.without_name = fitting.map(Fitting::candidates);
        index
    }

    /// Ignores a member of the header (`kid`, or both thumbprints) if no key of the set has it.
    pub(crate) fn ignoring_names_that_no_key_has(self) -> Self {
        Self {
            ignores_kid: self.by_kid.is_empty(),
            ignores_thumbprints: self.by_x5t.is_empty() && self.by_x5t_s256.is_empty(),
            ..self
        }
    }

    /// The keys that may have signed a token with this header.
    pub(crate) fn find(&self, hint: &KeyHint<'_>) -> KeyCandidates {
        let named = match self.name(hint) {
            Name::Kid(kid) => of_name(&self.by_kid, kid, hint),
            Name::Thumbprints => self.find_by_thumbprint(hint),
            Name::None => {
                return self.without_name.get(hint.algorithm).cloned().unwrap_or_default();
            }
        };
        named.map(KeyCandidates::from).unwrap_or_default()
    }

    /// Whether the set has the key of a token with this header, even if that key must not verify
    /// it: the name is in the set or, for a token without a name, a key for the algorithm is.
    /// Otherwise a newer set may have the key.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn settles(&self, hint: &KeyHint<'_>) -> bool {
        match self.name(hint) {
            Name::Kid(kid) => self.by_kid.contains_key(kid),
            Name::Thumbprints => match hint.x5t_s256 {
                Some(x5t_s256) => self.by_x5t_s256.contains_key(x5t_s256),
                None => hint.x5t.is_some_and(|x5t| self.by_x5t.contains_key(x5t)),
            },
            Name::None => self.without_name.get(hint.algorithm).is_some(),
        }
    }

    /// The member of the header that selects the key.
    fn name<'a>(&self, hint: &KeyHint<'a>) -> Name<'a> {
        match hint.kid {
            Some(kid) if !self.ignores_kid => Name::Kid(kid),
            None if hint.has_thumbprint() && !self.ignores_thumbprints => Name::Thumbprints,
            _ => Name::None,
        }
    }

    /// Looks up `x5t#S256` if a key has it, else `x5t`; the key must contradict neither.
    fn find_by_thumbprint(&self, hint: &KeyHint<'_>) -> Option<VerificationKey> {
        let by_x5t_s256 = hint.x5t_s256.filter(|name| self.by_x5t_s256.contains_key(*name));
        let key = match (by_x5t_s256, hint.x5t) {
            (Some(x5t_s256), _) => of_name(&self.by_x5t_s256, x5t_s256, hint),
            (None, Some(x5t)) => of_name(&self.by_x5t, x5t, hint),
            (None, None) => None,
        };
        key.filter(|key| !key.thumbprints().contradict(hint))
    }
}

enum Name<'a> {
    Kid(&'a str),
    Thumbprints,
    None,
}

fn of_name(names: &ByName, name: &str, hint: &KeyHint<'_>) -> Option<VerificationKey> {
    names.get(name)?.get(hint.algorithm)?.clone()
}

fn add(names: &mut ByName, name: &Arc<str>, key: &VerificationKey) {
    let found = names.entry(Arc::clone(name)).or_default();
    for algorithm in key.algorithms() {
        found.update(algorithm, |known| match known {
            None => Some(key.clone()),
            // The same key may be in the set under two values of `kid`.
            Some(known) => known.filter(|known| known.is_same_key(key)),
        });
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

    /// The only key for the algorithm, or the keys without `kid` if no key has one.
    fn candidates(self) -> KeyCandidates {
        match (self.with_kid.iter().count(), self.without_kid.is_empty()) {
            (0, _) => self.without_kid,
            (1, true) => self.with_kid,
            _ => KeyCandidates::default(),
        }
    }
}
