//! How long keys sign and are published.

use std::time::Duration;

use crate::claims::NumericDate;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::issuer::key_ring::due_key::DueKey;
use crate::issuer::key_ring::state::State;
use crate::issuer::lifetime::{HUNDRED_YEARS, whole_seconds};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much longer than its tokens live a retired key is published: the most leeway that a verifier of this crate has (5
/// minutes), and as much for clocks that differ.
const MARGIN: Duration = Duration::from_secs(10 * 60);
/// A fetched set is fresh for at least a minute to `JwksUrl`, so a new key needs more than that.
const SHORTEST_PUBLICATION: Duration = Duration::from_secs(2 * 60);
/// How many whole times a key may be replaced while a token and the margin last. Then at most 61 keys are retired. With the
/// current and the next one these are 63 of the 64 of a ring, so one more can be added by hand.
const MOST_RETIRED: u64 = 60;
/// The longest time for which a client may cache the set: so long may a key that was revoked still be accepted.
const LONGEST_MAX_AGE: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// In whole seconds, as all of these.
    pub(super) max_token_lifetime: Duration,
    age: Duration,
    published_before: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_token_lifetime: DAY,
            age: DAY.saturating_mul(90),
            published_before: DAY.saturating_mul(7),
        }
    }
}

impl Settings {
    pub(super) fn with_max_token_lifetime(self, lifetime: Duration) -> Result<Self, ConfigError> {
        let max_token_lifetime = whole_seconds(lifetime).map_err(bad)?;
        Self { max_token_lifetime, ..self }.checked()
    }

    /// For a key that is not replaced.
    pub(super) fn of_single_key() -> Self {
        Self { max_token_lifetime: HUNDRED_YEARS, ..Self::default() }
    }

    pub(super) fn with_rotation(
        self,
        age: Duration,
        published_before: Duration,
    ) -> Result<Self, ConfigError> {
        if published_before < SHORTEST_PUBLICATION {
            return Err(bad("a key is published for at least 2 minutes before it signs"));
        }
        if age <= published_before {
            return Err(bad("a key signs for longer than its successor is published before"));
        }
        if age > HUNDRED_YEARS {
            return Err(bad("a key signs for at most a hundred years"));
        }
        let whole = |duration: Duration| Duration::from_secs(duration.as_secs());
        Self { age: whole(age), published_before: whole(published_before), ..self }.checked()
    }

    /// Refuses so frequent a rotation that a ring has too many keys.
    fn checked(self) -> Result<Self, ConfigError> {
        let most = self.age.as_secs().saturating_mul(MOST_RETIRED.saturating_add(1));
        match self.retired_for().as_secs() < most {
            true => Ok(self),
            false => Err(bad(
                "keys that rotate so often, with tokens that live so long, would be more than the \
                 64 keys of a ring: a key signs for at least a sixtieth of the longest lifetime of a token",
            )),
        }
    }

    /// How long a key stays after it has signed.
    fn retired_for(&self) -> Duration {
        self.max_token_lifetime.saturating_add(MARGIN)
    }

    /// When a key is gone whose successor signs from this time on.
    pub(super) fn gone_at(&self, successor_signs_from: NumericDate) -> NumericDate {
        successor_signs_from.saturating_add(self.retired_for().as_secs())
    }

    /// Until when keys begin to sign that are to be published now.
    pub(super) fn published_until(&self, now: NumericDate) -> NumericDate {
        now.saturating_add(self.published_before.as_secs())
    }

    pub(super) fn due_key(&self, state: &State, now: NumericDate) -> Option<DueKey> {
        // A key in a more distant future was added while the clock was wrong.
        let newest = state.started(now.saturating_add(self.age.as_secs()));
        let replaced_at = newest.signs_from.saturating_add(self.age.as_secs());
        let signs_from = self.published_until(now);
        (signs_from >= replaced_at)
            .then(|| DueKey { follows: newest.key.kid().to_owned(), signs_from })
    }

    /// Checks the start of a key that is added to others.
    pub(super) fn check_start(
        &self,
        signs_from: NumericDate,
        state: &State,
        now: NumericDate,
    ) -> Result<(), ConfigError> {
        if signs_from.saturating_add(MARGIN.as_secs()) < now {
            return Err(bad("a key that is added signs from a time that is not in the past"));
        }
        match signs_from < state.started(now).signs_from {
            true => Err(bad("a key that is added signs from a time after that of the current key")),
            false => Ok(()),
        }
    }

    /// How long a client may cache the public keys: at most half of the time for which a key is published before it signs,
    /// since a cache between the two may also keep them.
    pub(super) fn max_age(&self) -> Duration {
        let half = Duration::from_secs(self.published_before.as_secs().div_euclid(2));
        half.clamp(MINUTE, LONGEST_MAX_AGE)
    }
}

fn bad(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Duration, message)
}
