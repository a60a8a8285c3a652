//! The answers that are kept for a short time: one cache of accepted tokens, and another one of refused tokens, so that
//! refusals evict no accepted token.

use std::hash::BuildHasher;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::SeedableRandomState;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use tokio::time::Instant;

use crate::claims::NumericDate;
use crate::clock::Clock;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::{PresentedToken, RawBearer};
use crate::hash_seed::random_state;
use crate::rejection::{Rejection, RejectionKind};
use crate::token::Limits;
use crate::verify::by_name::Input;
use crate::verify::introspection::answer::Active;
use crate::verify::introspection::flights::Outcome;
use crate::verify::token_cache::{Bound, Current, Settings, Sought, TokenCache, Validity};
use crate::verify::verified_token::VerifiedToken;

/// The limits of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheSettings {
    /// Zero without a cache.
    age: Duration,
    tokens: Settings,
}

impl CacheSettings {
    const DEFAULT_AGE: Duration = Duration::from_secs(30);
    const LONGEST_AGE: Duration = Duration::from_secs(60 * 60);
    const DEFAULT_CAPACITY: usize = 4096;

    pub(super) fn new() -> Result<Self, ConfigError> {
        let tokens = Settings::default().with_max_length(Limits::DEFAULT.token)?;
        Ok(Self { age: Self::DEFAULT_AGE, tokens: tokens.with_capacity(Self::DEFAULT_CAPACITY)? })
    }

    pub(super) fn with_age(self, age: Duration) -> Result<Self, ConfigError> {
        match age <= Self::LONGEST_AGE {
            true => Ok(Self { age, ..self }),
            false => Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "an answer of an introspection endpoint is kept for at most an hour",
            )),
        }
    }

    pub(super) fn with_capacity(self, capacity: usize) -> Result<Self, ConfigError> {
        Ok(Self { tokens: self.tokens.with_capacity(capacity)?, ..self })
    }

    pub(super) fn age(&self) -> Duration {
        self.age
    }
}

/// By the whole text of the token.
type Refusals =
    Cache<Bytes, Refusal, UnitWeighter, SeedableRandomState, DefaultLifecycle<Bytes, Refusal>>;

/// The hashes of tokens that were accepted lately. They decide who waits first, and nothing else.
struct Lately {
    hasher: SeedableRandomState,
    hashes: Cache<u64, (), UnitWeighter, SeedableRandomState, DefaultLifecycle<u64, ()>>,
}

impl Lately {
    const CAPACITY: usize = 4096;

    fn new() -> Self {
        let (hasher, lifecycle) = (random_state(), DefaultLifecycle::default());
        let capacity = u64::try_from(Self::CAPACITY).unwrap_or(u64::MAX);
        let hashes = Cache::with(Self::CAPACITY, capacity, UnitWeighter, random_state(), lifecycle);
        Self { hasher, hashes }
    }

    fn note(&self, token: &PresentedToken, is_accepted: bool) {
        let hash = self.hasher.hash_one(token.as_bytes());
        match is_accepted {
            true => self.hashes.insert(hash, ()),
            false => drop(self.hashes.remove(&hash)),
        }
    }

    fn contains(&self, token: &PresentedToken) -> bool {
        self.hashes.get(&self.hasher.hash_one(token.as_bytes())).is_some()
    }
}

#[derive(Clone)]
struct Refusal {
    rejection: Rejection,
    until: Instant,
}

/// To what an accepted token is bound.
#[derive(Clone)]
struct Answered {
    until: Instant,
    /// Of the answer, in bytes.
    length: usize,
}

impl Bound for Answered {
    /// An opaque token may have any end.
    const OF_SIGNED: bool = false;

    fn length(&self) -> usize {
        self.length
    }
}

pub(super) struct Remembered<C> {
    age: Duration,
    /// Bound to the time by which an entry is too old, whatever the clock of the verifier shows.
    accepted: TokenCache<C, Answered>,
    refused: Option<Refusals>,
    lately: Lately,
}

impl<C> Remembered<C> {
    /// An inactive token stays inactive, as a rule. The time is short for those that become active: a server that has
    /// several instances may not have heard of a new token yet.
    const AGE_OF_REFUSALS: Duration = Duration::from_secs(5);
    /// Of the refusals.
    const CAPACITY: usize = 1024;
    /// The longest token whose refusal is kept, so that all of them take 4 MiB at most.
    const MAX_LENGTH: usize = 4096;
    /// There are no keys whose generation could change.
    const GENERATION: Option<u64> = Some(1);

    pub(super) fn new(settings: CacheSettings) -> Self {
        let is_on = !settings.age.is_zero();
        Self {
            age: settings.age,
            accepted: if is_on { TokenCache::new(settings.tokens) } else { TokenCache::default() },
            refused: is_on.then(|| {
                let lifecycle = DefaultLifecycle::default();
                let capacity = u64::try_from(Self::CAPACITY).unwrap_or(u64::MAX);
                Cache::with(Self::CAPACITY, capacity, UnitWeighter, random_state(), lifecycle)
            }),
            lately: Lately::new(),
        }
    }

    /// Whether the last answer for this token accepted it, also when that is too old to be used.
    pub(super) fn was_accepted(&self, token: &PresentedToken) -> bool {
        self.lately.contains(token)
    }

    pub(super) fn is_on(&self) -> bool {
        self.accepted.is_on()
    }

    /// What is known of a token.
    pub(super) fn find(&self, token: &PresentedToken, clock: &dyn Clock) -> Option<Outcome<C>> {
        let accepted = self.find_accepted(Input::Presented(token).into(), clock);
        accepted.map(Ok).or_else(|| self.find_refused(token.as_bytes()).map(Err))
    }

    /// The token of a request that was not extracted yet, if it is accepted.
    pub(super) fn find_raw(
        &self,
        token: &mut RawBearer<'_>,
        clock: &dyn Clock,
    ) -> Option<VerifiedToken<C>> {
        self.find_accepted(self.accepted.sought(token)?, clock)
    }

    fn find_accepted(&self, sought: Sought<'_>, clock: &dyn Clock) -> Option<VerifiedToken<C>> {
        self.accepted.find(sought, |answered, validity| {
            let is_young = Instant::now() < answered.until;
            let position = || validity.position(clock);
            is_young.then(|| Current { generation: Self::GENERATION, position: position() })
        })
    }

    fn find_refused(&self, text: &[u8]) -> Option<Rejection> {
        let refused = self.refused.as_ref()?;
        let refusal = refused.get(text)?;
        if Instant::now() < refusal.until {
            return Some(refusal.rejection);
        }
        refused.remove(text);
        None
    }

    /// Keeps the answer for a token, counted from the time at which the endpoint was asked.
    pub(super) fn keep(
        &self,
        token: &PresentedToken,
        asked_at: Instant,
        outcome: &Result<Active<C>, Rejection>,
    ) {
        match outcome {
            Ok(active) => {
                self.lately.note(token, true);
                let Some(until) = asked_at.checked_add(self.age) else { return };
                let from = active.read_at;
                let too_old = from.saturating_add(whole_seconds(self.age));
                let validity = Validity {
                    generation: Self::GENERATION,
                    from,
                    until: active.expires_at.map_or(too_old, |exp: NumericDate| exp.min(too_old)),
                };
                let mut note = self.accepted.note();
                // The answer contains the claims, so the token keeps no text.
                let _text = note.keep(Input::Presented(token), false, validity);
                let length = active.length;
                self.accepted.store(note, &active.token, || Answered { until, length });
            }
            // Not an answer.
            Err(rejection) if rejection.kind() == RejectionKind::Unavailable => {}
            Err(rejection) => {
                self.lately.note(token, false);
                self.accepted.remove(token.as_bytes());
                let age = self.age.min(Self::AGE_OF_REFUSALS);
                let (Some(refused), Some(until)) = (&self.refused, asked_at.checked_add(age))
                else {
                    return;
                };
                let text = token.as_bytes();
                if text.len() <= Self::MAX_LENGTH {
                    let rejection = rejection.clone();
                    refused.insert(Bytes::copy_from_slice(text), Refusal { rejection, until });
                }
            }
        }
    }
}

/// Rounded up.
fn whole_seconds(age: Duration) -> u64 {
    age.as_secs().saturating_add(u64::from(age.subsec_nanos() > 0))
}
