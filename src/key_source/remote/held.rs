//! The set that is held, and how long it may be used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::clock;
use crate::key::{JwkSet, KeyCandidates};
use crate::key_source::lookup::KeyQuery;
use crate::key_source::remote::cache_headers::Lifetime;
use crate::key_source::remote::document::Document;
use crate::key_source::remote::fetch::Loaded;

/// A set, and how long it is good for.
pub(super) struct Held {
    pub(super) set: JwkSet,
    pub(super) lifetime: Lifetime,
    /// How many different sets the source has had.
    pub(super) changes: u64,
    body: Bytes,
    loaded_at: Moment,
    /// It is no longer fresh, and an attempt to replace it has failed: it is used until it ends.
    has_outlived: AtomicBool,
}

/// What is known of a token's key at once.
pub(super) enum Found {
    /// The result. No candidates: the set settles that no key of it verifies the token.
    Known(KeyCandidates),
    /// The result, by a set that should be fetched first.
    Stale(KeyCandidates),
    /// There is a set that may be used, and it does not have the `kid`: a newer one may.
    Unknown,
    /// There is no set that may be used.
    Nothing,
}

impl Held {
    /// What is held from now on, by what was loaded and what was held before.
    pub(super) fn new(loaded: Loaded, before: Option<&Self>) -> Self {
        let Document { body, lifetime, .. } = loaded.document;
        let (set, changes) = match before {
            // Whatever is remembered of the set remains valid.
            Some(before) if body == before.body => (before.set.clone(), before.changes),
            _ => (loaded.set, before.map_or(0, |before| before.changes).saturating_add(1)),
        };
        let loaded_at = Moment::now();
        Self { set, lifetime, changes, body, loaded_at, has_outlived: AtomicBool::new(false) }
    }

    pub(super) fn find(&self, query: &KeyQuery<'_>) -> Found {
        let age = self.age();
        if self.has_ended(age) {
            return Found::Nothing;
        }
        let candidates = self.set.candidates(query.hint());
        match candidates.is_empty() && !self.set.settles(query.hint()) {
            true => Found::Unknown,
            false if self.serves(age) => Found::Known(candidates),
            false => Found::Stale(candidates),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.loaded_at.elapsed()
    }

    pub(super) fn is_stale(&self, age: Duration) -> bool {
        age >= self.lifetime.fresh
    }

    pub(super) fn has_ended(&self, age: Duration) -> bool {
        age >= self.lifetime.fresh.saturating_add(self.lifetime.stale)
    }

    /// Whether it is used without an attempt to replace it first.
    pub(super) fn serves(&self, age: Duration) -> bool {
        !self.has_ended(age) && (!self.is_stale(age) || self.has_outlived.load(Ordering::Acquire))
    }

    /// An attempt to replace it has failed, and the next one is not before this time is over.
    pub(super) fn outlive(&self, pause: Duration) {
        if self.is_stale(self.age().saturating_add(pause)) {
            self.has_outlived.store(true, Ordering::Release);
        }
    }
}

/// A time by two clocks. The monotonic one stands still while the machine is suspended; the system's
/// goes on, and can be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    monotonic: Instant,
    since_epoch: Duration,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), since_epoch: clock::since_epoch() }
    }

    /// The longer of the two times: a system's clock that is set back makes nothing younger.
    pub(super) fn elapsed(&self) -> Duration {
        let by_system = clock::since_epoch().saturating_sub(self.since_epoch);
        self.monotonic.elapsed().max(by_system)
    }
}

#[cfg(test)]
impl Held {
    /// As if the machine had been suspended for this long.
    pub(super) fn suspended(self, by: Duration) -> Self {
        let since_epoch = self.loaded_at.since_epoch.saturating_sub(by);
        Self { loaded_at: Moment { since_epoch, ..self.loaded_at }, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Algorithm;
    use crate::key::{KeyHint, VerificationKey};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A set that is fresh for ten minutes and stale for an hour.
    fn held() -> Held {
        let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
        let set = JwkSet::from_keys([key.with_kid("here")]).unwrap();
        let document = Document::new(&http::HeaderMap::new(), Bytes::new());
        Held::new(Loaded { set, document }, None)
    }

    fn find(held: &Held, kid: &str) -> Found {
        let (algorithm, kid) = (Algorithm::HS256, Some(kid));
        held.find(&KeyQuery::new(KeyHint { algorithm, kid, x5t: None, x5t_s256: None }))
    }

    #[test]
    fn keys_age_while_the_machine_is_suspended() {
        assert!(matches!(find(&held(), "here"), Found::Known(_)));
        assert!(matches!(find(&held().suspended(secs(599)), "here"), Found::Known(_)));
        let stale = held().suspended(secs(601));
        assert!(matches!(find(&stale, "here"), Found::Stale(_)));
        assert!(matches!(find(&stale, "other"), Found::Unknown));
        assert!(!stale.serves(stale.age()));
        stale.outlive(Duration::ZERO);
        assert!(matches!(find(&stale, "here"), Found::Known(_)));
        let ended = held().suspended(secs(4201));
        ended.outlive(Duration::ZERO);
        assert!(matches!(find(&ended, "here"), Found::Nothing));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_makes_no_key_younger() {
        let held = held();
        let set_back =
            Moment { since_epoch: held.loaded_at.since_epoch + secs(9999), ..held.loaded_at };
        let held = Held { loaded_at: set_back, ..held };
        tokio::time::advance(secs(601)).await;
        assert!(matches!(find(&held, "here"), Found::Stale(_)));
    }

    #[test]
    fn a_failed_attempt_counts_for_stale_keys_or_those_that_become_so_before_the_next_one() {
        let fresh = held().suspended(secs(400));
        fresh.outlive(secs(100));
        assert!(!fresh.has_outlived.load(Ordering::Relaxed));
        fresh.outlive(secs(300));
        assert!(fresh.has_outlived.load(Ordering::Relaxed));
    }
}
