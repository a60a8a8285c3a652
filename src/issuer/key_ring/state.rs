//! A list of keys, and what follows from it at any time.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

use crate::claims::NumericDate;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::Algorithm;
use crate::crypto::digest::sha256;
use crate::issuer::key_ring::settings::Settings;
use crate::issuer::key_ring::status::{RingKeyState, RingKeyStatus};
use crate::issuer::key_ring::unusable;
use crate::issuer::signing_key::SigningKey;
use crate::key::JwkSet;

/// The most keys that are not gone. The readers of a set have limits: this crate takes 100 keys, and 256 KiB, which is
/// 64 of the longest keys.
const MAX_KEYS: usize = 64;

/// A key, and the time from which it signs.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: SigningKey,
    pub(super) signs_from: NumericDate,
}

/// The keys in the order of their times.
#[derive(Clone)]
pub(super) struct State {
    /// All keys as they were given, never empty. Other settings, or another time, may need those that are left out.
    listed: Vec<Entry>,
    /// The keys that are used begin with this one.
    first: Entry,
    later: Vec<Entry>,
    /// What is published until the first key is gone, then until the second one is, and so on.
    stages: Vec<Stage>,
    /// What is published when only the newest key is left.
    last: Stage,
    /// Whether the first key signs since the ring was created.
    is_new: bool,
}

/// The keys that are published at some time: one of the list, and all later ones.
#[derive(Clone)]
pub(super) struct Stage {
    /// When the first one of them is gone.
    until: NumericDate,
    keys: Vec<SigningKey>,
    pub(super) set: JwkSet,
    /// Written when it is first requested.
    published: OnceLock<Published>,
}

/// The public keys as they are served.
#[derive(Clone)]
pub(in crate::issuer) struct Published {
    /// The JSON of a JWK set.
    pub(in crate::issuer) document: Bytes,
    /// A strong entity tag, from a digest of the document.
    pub(in crate::issuer) etag: HeaderValue,
}

impl Entry {
    pub(super) fn new(key: SigningKey, signs_from: NumericDate) -> Self {
        // A database may have no fractions, and then another process would disagree.
        Self { key, signs_from: NumericDate::from_unix_seconds(signs_from.unix_seconds()) }
    }

    fn is_same(&self, other: &Self) -> bool {
        let (key, others) = (&self.key, &other.key);
        self.signs_from == other.signs_from
            && key.kid() == others.kid()
            && key.algorithm() == others.algorithm()
            && key.verification_key().is_same_key(&others.verification_key())
    }
}

impl State {
    /// Sorts the keys, and checks that tokens can tell them apart. If there are too many, it leaves out some.
    pub(super) fn new(
        mut listed: Vec<Entry>,
        settings: &Settings,
        now: NumericDate,
    ) -> Result<Self, ConfigError> {
        sort(&mut listed);
        check_kids(&listed)?;
        let mut entries = listed.clone();
        if entries.len() > MAX_KEYS {
            entries = without_gone(&entries, settings, now);
        }
        if entries.len() > MAX_KEYS {
            entries = most_needed(&entries, settings, now);
        }

        let mut stages = Vec::with_capacity(entries.len());
        let mut rest = entries.as_slice();
        while let [_, later @ ..] = rest {
            let successor = later.first();
            let until = successor.map(|successor| settings.gone_at(successor.signs_from));
            stages.push(Stage::new(rest, until.unwrap_or(NumericDate::MAX))?);
            rest = later;
        }
        let mut entries = entries.into_iter();
        let (Some(first), Some(last)) = (entries.next(), stages.pop()) else {
            return Err(unusable("a key ring needs at least one key"));
        };
        Ok(Self { listed, first, later: entries.collect(), stages, last, is_new: false })
    }

    /// These keys and one more.
    pub(super) fn with(
        &self,
        entry: Entry,
        settings: &Settings,
        now: NumericDate,
    ) -> Result<Self, ConfigError> {
        let mut listed = self.listed.clone();
        listed.push(entry);
        sort(&mut listed);
        if listed.len() > MAX_KEYS {
            // For good, so the list of a long-lived process does not grow.
            listed = without_gone(&listed, settings, now);
        }
        if listed.len() > MAX_KEYS {
            return Err(unusable("a key ring has at most 64 keys that are not gone"));
        }
        Self::new(listed, settings, now)
    }

    /// Marks that the first key signs since the ring was created.
    pub(super) fn of_new_ring(self) -> Self {
        Self { is_new: true, ..self }
    }

    /// The same keys, for another clock that shows this time.
    pub(super) fn for_clock(&self, settings: &Settings, now: NumericDate) -> Self {
        let state = match self.is_new {
            true => Self::new(vec![Entry::new(self.first.key.clone(), now)], settings, now),
            false => Self::new(self.listed.clone(), settings, now),
        };
        // Never the fallback: the list has been checked, and its keys are the same.
        let state = state.unwrap_or_else(|_| self.clone());
        Self { is_new: self.is_new, ..state }
    }

    pub(super) fn with_settings(
        &self,
        settings: &Settings,
        now: NumericDate,
    ) -> Result<Self, ConfigError> {
        let state = Self::new(self.listed.clone(), settings, now)?;
        Ok(Self { is_new: self.is_new, ..state })
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// Whether it has the same list, and the same keys of it are used.
    pub(super) fn has_keys_of(&self, other: &Self) -> bool {
        self.listed.len() == other.listed.len()
            && self.later.len() == other.later.len()
            && self.listed.iter().zip(&other.listed).all(|(one, other)| one.is_same(other))
            && self
                .entries()
                .zip(other.entries())
                .all(|(one, other)| one.key.kid() == other.key.kid())
    }

    /// The published keys. The clock is read only if it matters.
    pub(super) fn stage(&self, now: impl FnOnce() -> NumericDate) -> &Stage {
        if self.stages.is_empty() {
            return &self.last;
        }
        let now = now();
        self.stages.iter().find(|stage| now < stage.until).unwrap_or(&self.last)
    }

    /// The last listed key whose time has come by this time, or the first one.
    pub(super) fn started(&self, time: NumericDate) -> &Entry {
        last_started(&self.listed, time).or(self.listed.first()).unwrap_or(&self.first)
    }

    /// The key that signs, which is one of those that are used.
    pub(super) fn current(&self, now: NumericDate) -> &SigningKey {
        &last_started(&self.later, now).unwrap_or(&self.first).key
    }

    pub(super) fn newest_algorithm(&self) -> Algorithm {
        self.listed.last().unwrap_or(&self.first).key.algorithm()
    }

    pub(super) fn status(&self, now: NumericDate) -> Vec<RingKeyStatus> {
        let gone_at = self.stages.iter().map(|stage| Some(stage.until)).chain([None]);
        let current = self.current(now).kid();
        let mut state = RingKeyState::Retired;
        let status = self.entries().zip(gone_at).map(|(entry, gone_at)| {
            state = match state {
                _ if entry.key.kid() == current => RingKeyState::Current,
                RingKeyState::Current => RingKeyState::Next,
                before => before,
            };
            RingKeyStatus {
                kid: entry.key.kid().to_owned(),
                algorithm: entry.key.algorithm(),
                state,
                signs_from: entry.signs_from,
                gone_at,
            }
        });
        status.filter(|key| key.gone_at.is_none_or(|gone_at| now < gone_at)).collect()
    }
}

impl Stage {
    fn new(entries: &[Entry], until: NumericDate) -> Result<Self, ConfigError> {
        let keys: Vec<SigningKey> = entries.iter().map(|entry| entry.key.clone()).collect();
        let set = JwkSet::from_keys(keys.iter().map(SigningKey::verification_key))?;
        Ok(Self { until, keys, set, published: OnceLock::new() })
    }

    pub(super) fn published(&self) -> Published {
        let write = || {
            let keys: Vec<Value> = self.keys.iter().filter_map(SigningKey::jwk_value).collect();
            let document = Bytes::from(json!({ "keys": keys }).to_string());
            let digest = base64_simd::URL_SAFE_NO_PAD.encode_to_string(sha256(&[&document]));
            // Never the fallback: base64url is allowed in a header.
            let etag = HeaderValue::try_from(format!("\"{digest}\""))
                .unwrap_or(HeaderValue::from_static("\"\""));
            Published { document, etag }
        };
        self.published.get_or_init(write).clone()
    }
}

fn sort(entries: &mut [Entry]) {
    entries.sort_by(|one, other| {
        one.signs_from.cmp(&other.signs_from).then_with(|| one.key.kid().cmp(other.key.kid()))
    });
}

fn last_started(entries: &[Entry], time: NumericDate) -> Option<&Entry> {
    entries.iter().rev().find(|entry| entry.signs_from <= time)
}

/// The current key, and of the others as many as a ring has: first those that sign for the longest time until a key that
/// is published now may sign. So a key that signed most of the valid tokens stays, and one far in the future waits.
fn most_needed(entries: &[Entry], settings: &Settings, now: NumericDate) -> Vec<Entry> {
    let end = settings.published_until(now);
    let current = entries.iter().rposition(|entry| entry.signs_from <= now).unwrap_or(0);
    let ends = entries.iter().skip(1).map(|next| end.min(next.signs_from)).chain([end]);
    let signs_for = |index, from: NumericDate, until: NumericDate| match index == current {
        true => i64::MAX,
        false => until.unix_seconds().saturating_sub(from.unix_seconds()),
    };
    let entries = entries.iter().zip(ends).enumerate();
    let mut ranked: Vec<(i64, usize, &Entry)> = entries
        .map(|(index, (entry, end))| (signs_for(index, entry.signs_from, end), index, entry))
        .collect();
    ranked.sort_by_key(|&(time, index, _)| Reverse((time, index)));
    ranked.truncate(MAX_KEYS);
    ranked.sort_by_key(|&(_, index, _)| index);
    ranked.into_iter().map(|(_, _, entry)| entry.clone()).collect()
}

/// The keys whose tokens may still be valid.
fn without_gone(entries: &[Entry], settings: &Settings, now: NumericDate) -> Vec<Entry> {
    let successors = entries.iter().skip(1).map(Some).chain([None]);
    let is_gone = |successor: Option<&Entry>| {
        successor.is_some_and(|successor| settings.gone_at(successor.signs_from) <= now)
    };
    let with_successors = entries.iter().zip(successors);
    with_successors.filter(|(_, next)| !is_gone(*next)).map(|(entry, _)| entry.clone()).collect()
}

fn check_kids(entries: &[Entry]) -> Result<(), ConfigError> {
    /// With this limit the whole header stays within the default limit of a verifier.
    const MAX_KID: usize = 1024;

    let mut seen = HashSet::new();
    for entry in entries {
        let kid = entry.key.kid();
        if kid.is_empty() || kid.len() > MAX_KID || kid.contains(char::is_control) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "the `kid` of a signing key has 1 to 1024 bytes and no control characters",
            ));
        }
        if !seen.insert(kid) {
            return Err(unusable("two keys of a key ring have the same `kid`"));
        }
    }
    Ok(())
}
