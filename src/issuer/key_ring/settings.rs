//! How long keys sign and are published.

use std::time::Duration;

use crate::claims::NumericDate;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::issuer::key_ring::state::State;
use crate::issuer::lifetime::{HUNDRED_YEARS, whole_seconds};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much longer than its tokens live a retired key is published: the most leeway that a verifier of this crate has (5
/// minutes), and as much for clocks that differ.
const MARGIN: Duration = Duration::from_secs(10 * 60);
/// A fetched set is fresh for at least a minute to `JwksUrl`, so a new key needs more than that.
const SHORTEST_PUBLICATION: Duration = Duration::from_secs(2 * 60);
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
        Ok(Self { max_token_lifetime, ..self })
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
        Ok(Self { age: whole(age), published_before: whole(published_before), ..self })
    }

    /// When a key is gone whose successor signs from this time on.
    pub(super) fn gone_at(&self, successor_signs_from: NumericDate) -> NumericDate {
        let after = self.max_token_lifetime.saturating_add(MARGIN);
        successor_signs_from.saturating_add(after.as_secs())
    }

    pub(super) fn rotation_due(&self, state: &State, now: NumericDate) -> Option<NumericDate> {
        // A key in a more distant future was added while the clock was wrong.
        let newest = state.start_by(now.saturating_add(self.age.as_secs()));
        let replaced_at = newest.saturating_add(self.age.as_secs());
        let published_at = now.saturating_add(self.published_before.as_secs());
        (published_at >= replaced_at).then_some(published_at)
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
        match signs_from < state.start_by(now) {
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
