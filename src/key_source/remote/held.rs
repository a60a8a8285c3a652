//! The loaded set, and how long it may be used.

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

/// A loaded set and its lifetime.
pub(super) struct Held {
    pub(super) set: JwkSet,
    pub(super) lifetime: Lifetime,
    /// The number of different sets that the source has had.
    pub(super) changes: u64,
    /// The document as it was sent; empty for initial keys without a time.
    body: Bytes,
    loaded_at: Moment,
    origin: Origin,
    /// Whether the set is stale and an attempt to replace it has failed: then it may be used until
    /// its lifetime ends.
    has_outlived: AtomicBool,
}

/// Where a set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Fetched,
    /// Fetched by an earlier process or another instance, at a known time.
    Remembered,
    /// From the application, which did not tell when the issuer has confirmed it.
    Initial,
}

/// The result of a look-up in memory.
pub(super) enum Found {
    /// The result is final. No candidates: the set shows that none of its keys verifies the token.
    Known(KeyCandidates),
    /// The result of a set that should be fetched again first.
    Stale(KeyCandidates),
    /// There is a usable set without this `kid`. A newer set may have it.
    Unknown,
    /// There is no usable set.
    Nothing,
}

impl Held {
    /// Keys of the application, to begin with.
    pub(super) fn initial(set: JwkSet) -> Self {
        let (lifetime, body, loaded_at) = (Lifetime::unconfirmed(), Bytes::new(), Moment::now());
        let has_outlived = AtomicBool::new(false);
        Self { set, lifetime, changes: 0, body, loaded_at, origin: Origin::Initial, has_outlived }
    }

    /// The set of an earlier process, which the issuer confirmed at a time that is `age` ago.
    pub(super) fn remembered(
        set: JwkSet,
        body: Bytes,
        lifetime: Lifetime,
        confirmed_at: Duration,
        age: Duration,
    ) -> Self {
        let loaded_at = Moment { since_epoch: confirmed_at, before: age, ..Moment::now() };
        let (origin, has_outlived) = (Origin::Remembered, AtomicBool::new(false));
        Self { set, lifetime, changes: 0, body, loaded_at, origin, has_outlived }
    }

    /// Combines the loaded document with the previous set.
    pub(super) fn new(loaded: Loaded, before: Option<&Self>) -> Self {
        let Document { body, lifetime, .. } = loaded.document;
        let (set, changes) = match before {
            // The same set keeps its generation, so results that were cached for it remain valid.
            Some(before) if body == before.body => (before.set.clone(), before.changes.max(1)),
            _ => (loaded.set, before.map_or(0, |before| before.changes).saturating_add(1)),
        };
        let (loaded_at, has_outlived) = (Moment::now(), AtomicBool::new(false));
        Self { set, lifetime, changes, body, loaded_at, origin: Origin::Fetched, has_outlived }
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

    /// Whether this process has fetched the set.
    pub(super) fn is_confirmed(&self) -> bool {
        self.origin == Origin::Fetched
    }

    /// The time at which the issuer confirmed the set, as a duration since 1970; `None` if it never did.
    pub(super) fn confirmed_at(&self) -> Option<Duration> {
        (self.origin != Origin::Initial).then_some(self.loaded_at.since_epoch)
    }

    /// Whether the issuer has confirmed this set later than the other one. An unknown time is never later.
    #[cfg(feature = "key-file")]
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        self.confirmed_at().zip(other.confirmed_at()).is_some_and(|(at, other)| at > other)
    }

    /// The document as the issuer sent it.
    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether a look-up should try to replace the set. An unconfirmed set is stale from the start.
    pub(super) fn is_stale(&self, age: Duration) -> bool {
        !self.is_confirmed() || age >= self.lifetime.fresh
    }

    /// Whether an attempt to confirm the set has ended, well or not.
    pub(super) fn has_been_tried(&self) -> bool {
        self.is_confirmed() || self.has_outlived.load(Ordering::Acquire)
    }

    pub(super) fn has_ended(&self, age: Duration) -> bool {
        age >= self.lifetime.fresh.saturating_add(self.lifetime.stale)
    }

    /// Whether the set may be used without an attempt to replace it first.
    pub(super) fn serves(&self, age: Duration) -> bool {
        !self.has_ended(age) && (!self.is_stale(age) || self.has_outlived.load(Ordering::Acquire))
    }

    /// Records that an attempt to replace the set has failed, and that the next attempt starts
    /// after `pause`.
    pub(super) fn outlive(&self, pause: Duration) {
        if self.is_stale(self.age().saturating_add(pause)) {
            self.has_outlived.store(true, Ordering::Release);
        }
    }
}

/// A time by two clocks. The monotonic clock stops while the machine is suspended. The system clock
/// continues, and can be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    monotonic: Instant,
    since_epoch: Duration,
    /// The time that had passed already at `monotonic`, by the system clock.
    before: Duration,
}

/// How far a time may be in the future: the clocks of two machines differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The time that has passed since another process has noted this time. A time that is a little in the future has the
/// age 0; `None` if it is further in the future, so that its age is unknown.
pub(super) fn age_since(noted: Duration) -> Option<Duration> {
    let now = clock::since_epoch();
    (noted <= now.saturating_add(CLOCKS_DIFFER)).then(|| now.saturating_sub(noted))
}

impl Moment {
    pub(super) fn now() -> Self {
        let since_epoch = clock::since_epoch();
        Self { monotonic: Instant::now(), since_epoch, before: Duration::ZERO }
    }

    /// The longer of the two durations: setting the system clock back makes nothing younger.
    pub(super) fn elapsed(&self) -> Duration {
        let by_system = clock::since_epoch().saturating_sub(self.since_epoch);
        self.monotonic.elapsed().saturating_add(self.before).max(by_system)
    }
}

#[cfg(test)]
impl Held {
    /// Simulates that the machine was suspended for this long.
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
    fn time_a_minute_in_the_future_has_the_age_zero_and_a_later_one_has_none() {
        let now = clock::since_epoch();
        assert_eq!(age_since(now + secs(55)), Some(Duration::ZERO));
        assert_eq!(age_since(now + secs(90)), None);
        assert!(
            age_since(now - secs(100)).is_some_and(|age| (secs(100)..secs(130)).contains(&age))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn remembered_keys_age_by_both_clocks_and_setting_one_back_makes_them_no_younger() {
        let remembered = |back: Duration| {
            let (set, age, lifetime) = (held().set, secs(3000), Lifetime::default());
            let at = clock::since_epoch() - age + back;
            Held::remembered(set, Bytes::new(), lifetime, at, age)
        };
        for back in [Duration::ZERO, secs(9999)] {
            let held = remembered(back);
            assert!((secs(3000)..secs(3060)).contains(&held.age()), "{:?}", held.age());
            assert!(matches!(find(&held, "here"), Found::Stale(_)));
            held.outlive(Duration::ZERO);
            assert!(matches!(find(&held, "here"), Found::Known(_)));
            tokio::time::advance(secs(1201)).await;
            assert!(matches!(find(&held, "here"), Found::Nothing));
        }
        let suspended = remembered(Duration::ZERO).suspended(secs(1201));
        assert!(matches!(find(&suspended, "here"), Found::Nothing));
    }

    #[test]
    fn unconfirmed_keys_are_stale_from_the_start_and_have_no_time_of_confirmation() {
        let initial = Held::initial(held().set);
        assert!(matches!(find(&initial, "here"), Found::Stale(_)));
        assert!(matches!(find(&initial, "other"), Found::Unknown));
        assert_eq!((initial.confirmed_at(), initial.changes), (None, 0));
        assert!(!initial.is_confirmed() && !initial.has_been_tried());
        initial.outlive(Duration::ZERO);
        assert!(matches!(find(&initial, "here"), Found::Known(_)));
        assert!(initial.has_been_tried());
        let ended = Held::initial(held().set).suspended(secs(3601));
        assert!(matches!(find(&ended, "here"), Found::Nothing));
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
