//! The metrics of feature `metrics`, recorded with the `metrics` facade. Their names and the values of their
//! labels are part of the API: the guide on logging lists them. The values of a label come from a fixed set or
//! from the configuration, never from a token.

#[cfg(feature = "jwks-url")]
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
#[cfg(feature = "jwks-url")]
use metrics::{describe_gauge, gauge};

use crate::observe::Outcome;
use crate::rejection::RejectionKind;

const OUTCOMES: &str = "tower_jwt_auth_outcomes_total";
const DURATION: &str = "tower_jwt_auth_authentication_duration_seconds";
#[cfg(feature = "jwks-url")]
const FETCHES: &str = "tower_jwt_auth_key_fetches_total";
#[cfg(feature = "jwks-url")]
const AGE: &str = "tower_jwt_auth_key_age_seconds";
#[cfg(feature = "jwks-url")]
const CONFIRMED: &str = "tower_jwt_auth_keys_confirmed_timestamp_seconds";

/// Gives the recorder a description of each metric.
pub(super) fn describe() {
    describe_counter!(OUTCOMES, Unit::Count, "Requests, by the outcome of their authentication");
    describe_histogram!(DURATION, Unit::Seconds, "The time that a layer took to decide");
    #[cfg(feature = "jwks-url")]
    {
        describe_counter!(FETCHES, Unit::Count, "Fetches of keys");
        describe_gauge!(AGE, Unit::Seconds, "How long ago the keys were confirmed by their issuer");
        describe_gauge!(CONFIRMED, Unit::Seconds, "When the keys were confirmed by their issuer");
    }
}

pub(super) fn count(outcome: &Outcome) {
    let kind = outcome.kind().map_or("none", RejectionKind::as_str);
    counter!(OUTCOMES, "outcome" => outcome.as_str(), "kind" => kind).increment(1);
    if let Some(duration) = outcome.duration() {
        histogram!(DURATION, "outcome" => outcome.as_str()).record(duration);
    }
}

/// Counts a fetch of keys. `source` is the name of the source; `None` if a client may have invented it: such
/// sources share one name.
#[cfg(feature = "jwks-url")]
pub(crate) fn fetched(source: Option<&str>, is_ok: bool) {
    let source = source.unwrap_or("template").to_owned();
    let result = if is_ok { "ok" } else { "failed" };
    counter!(FETCHES, "source" => source, "result" => result).increment(1);
}

/// Records the age of a source's keys, and the time of their last fetch as a duration since 1970.
#[cfg(feature = "jwks-url")]
pub(crate) fn age(source: &str, age: Duration, confirmed_at: Duration) {
    gauge!(AGE, "source" => source.to_owned()).set(age);
    gauge!(CONFIRMED, "source" => source.to_owned()).set(confirmed_at);
}
