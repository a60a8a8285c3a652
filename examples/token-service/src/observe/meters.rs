//! The metrics. Each label has values of a fixed list, or of the configuration, and never text of a request.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use tower_jwt_auth::{Clock, SystemClock};

const REQUESTS: &str = "token_service_http_requests_total";
pub(crate) const REQUEST_DURATION: &str = "token_service_http_request_duration_seconds";
const REQUESTS_RUNNING: &str = "token_service_http_requests_running";
const REFUSALS: &str = "token_service_refusals_total";
const TOKENS: &str = "token_service_tokens_issued_total";
const LOGINS: &str = "token_service_logins_total";
const ROTATIONS: &str = "token_service_refresh_rotations_total";
const REUSES: &str = "token_service_reuses_detected_total";
const REVOCATIONS: &str = "token_service_revocations_total";
pub(crate) const STORE_DURATION: &str = "token_service_store_operation_duration_seconds";
const STORE_RUNNING: &str = "token_service_store_operations_running";
const STORE_FAILURES: &str = "token_service_store_failures_total";
const STORE_CONNECTIONS: &str = "token_service_store_connections";
const STORE_CONNECTIONS_MAX: &str = "token_service_store_connections_max";
const STORE_WAITING: &str = "token_service_store_operations_waiting";
const PURGED: &str = "token_service_purged_rows_total";
const PURGE_SUCCESS: &str = "token_service_purge_success_timestamp_seconds";
const KEYS: &str = "token_service_signing_keys";
const KEY_AGE: &str = "token_service_signing_key_age_seconds";
const KEY_NEXT: &str = "token_service_signing_key_next_seconds";
const KEYS_SUCCESS: &str = "token_service_signing_keys_read_timestamp_seconds";
const BUILD: &str = "token_service_build_info";

/// The upper ends of the buckets of all durations, in seconds.
pub(crate) const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Gives the recorder a description of each metric, and begins the counters whose labels are known with zero: so the
/// first event shows as an increase.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests, by the route and the class of the status");
    describe_histogram!(
        REQUEST_DURATION,
        Unit::Seconds,
        "Time from a request's header to its response"
    );
    describe_gauge!(REQUESTS_RUNNING, Unit::Count, "Requests that are handled at the moment");
    describe_counter!(REFUSALS, Unit::Count, "Refused requests, by the OAuth error code");
    describe_counter!(TOKENS, Unit::Count, "Access tokens issued, by the grant");
    describe_counter!(LOGINS, Unit::Count, "Passwords of users, by the result of the check");
    describe_counter!(
        ROTATIONS,
        Unit::Count,
        "Refresh tokens used for a successor, also for the same one again"
    );
    describe_counter!(
        REUSES,
        Unit::Count,
        "Codes and refresh tokens used again, which revoked their grant"
    );
    describe_counter!(
        REVOCATIONS,
        Unit::Count,
        "Access tokens, grants and sessions ended by a client or a user"
    );
    describe_histogram!(
        STORE_DURATION,
        Unit::Seconds,
        "Time of an operation of the store, with the wait for a connection"
    );
    describe_gauge!(
        STORE_RUNNING,
        Unit::Count,
        "Operations of the store that run or wait at the moment"
    );
    describe_counter!(
        STORE_FAILURES,
        Unit::Count,
        "Operations of the store that failed, or that nobody waited for any more"
    );
    describe_gauge!(STORE_CONNECTIONS, Unit::Count, "Open connections to the database");
    describe_gauge!(
        STORE_CONNECTIONS_MAX,
        Unit::Count,
        "Most connections to the database that may be open"
    );
    describe_gauge!(
        STORE_WAITING,
        Unit::Count,
        "Operations of the store that wait for a connection"
    );
    describe_counter!(PURGED, Unit::Count, "Expired rows deleted");
    describe_gauge!(
        PURGE_SUCCESS,
        Unit::Seconds,
        "When expired rows were last deleted without a failure, since 1970"
    );
    describe_gauge!(KEYS, Unit::Count, "Published signing keys");
    describe_gauge!(KEY_AGE, Unit::Seconds, "How long the current key has been signing");
    describe_gauge!(
        KEY_NEXT,
        Unit::Seconds,
        "Time until the next key signs; negative if it is overdue"
    );
    describe_gauge!(
        KEYS_SUCCESS,
        Unit::Seconds,
        "When the keys were last read from the database, since 1970"
    );
    describe_gauge!(BUILD, Unit::Count, "Always 1; the label is the version");

    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
    gauge!(REQUESTS_RUNNING).set(0);
    for grant in crate::store::GrantType::ALL {
        counter!(TOKENS, "grant" => grant.as_str()).absolute(0);
    }
    for result in [Login::Right, Login::Wrong, Login::Limited, Login::Busy, Login::Failed] {
        counter!(LOGINS, "result" => result.as_str()).absolute(0);
    }
    counter!(ROTATIONS).absolute(0);
    for kind in [Reuse::Code, Reuse::RefreshToken] {
        counter!(REUSES, "kind" => kind.as_str()).absolute(0);
    }
    for kind in [Revoked::AccessToken, Revoked::Grant, Revoked::Session] {
        counter!(REVOCATIONS, "kind" => kind.as_str()).absolute(0);
    }
    counter!(PURGED).absolute(0);
    // Without a first success, the age is that of the process: an alert on it sees a database that never worked.
    let now = SystemClock.now().unix_seconds() as f64;
    gauge!(PURGE_SUCCESS).set(now);
    gauge!(KEYS_SUCCESS).set(now);
}

/// A request has begun. It ends when the result is dropped.
pub(crate) fn request() -> Running {
    Running::new(gauge!(REQUESTS_RUNNING))
}

/// A request has ended.
pub(crate) fn requested(
    method: &'static str,
    route: &str,
    status: &'static str,
    error: Option<&'static str>,
    duration: Duration,
) {
    let route = metrics::SharedString::from(route.to_owned());
    counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    if let Some(error) = error {
        counter!(REFUSALS, "route" => route.clone(), "error" => error).increment(1);
    }
    histogram!(REQUEST_DURATION, "method" => method, "route" => route).record(duration);
}

/// An access token was issued.
pub(crate) fn issued(grant: &'static str) {
    counter!(TOKENS, "grant" => grant).increment(1);
}

/// The result of a login.
#[derive(Clone, Copy)]
pub(crate) enum Login {
    Right,
    Wrong,
    Limited,
    Busy,
    Failed,
}

impl Login {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Limited => "limited",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// A password was checked, or refused before that.
pub(crate) fn login(result: Login) {
    counter!(LOGINS, "result" => result.as_str()).increment(1);
}

/// A refresh token gave its successor.
pub(crate) fn rotated() {
    counter!(ROTATIONS).increment(1);
}

/// What was used again.
#[derive(Clone, Copy)]
pub(crate) enum Reuse {
    Code,
    RefreshToken,
}

impl Reuse {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// A reuse was detected.
pub(crate) fn reused(what: Reuse) {
    counter!(REUSES, "kind" => what.as_str()).increment(1);
}

/// What a client or a user has ended.
#[derive(Clone, Copy)]
pub(crate) enum Revoked {
    AccessToken,
    Grant,
    Session,
}

impl Revoked {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::Grant => "grant",
            Self::Session => "session",
        }
    }
}

/// A client has revoked something, or a user has logged out.
pub(crate) fn revoked(what: Revoked) {
    counter!(REVOCATIONS, "kind" => what.as_str()).increment(1);
}

/// How an operation of the store has ended.
#[derive(Clone, Copy)]
pub(crate) enum Stored {
    Done,
    Failed,
    /// Nobody waits for it any more: it took too long, or the client went away.
    Cancelled,
}

impl Stored {
    /// The kind of a failure.
    const fn failure(self) -> Option<&'static str> {
        match self {
            Self::Done => None,
            Self::Failed => Some("error"),
            Self::Cancelled => Some("cancelled"),
        }
    }
}

/// Begins the counters of failures of an operation of the store.
pub(crate) fn store_operation(operation: &'static str) {
    for kind in [Stored::Failed, Stored::Cancelled].into_iter().filter_map(Stored::failure) {
        counter!(STORE_FAILURES, "operation" => operation, "kind" => kind).absolute(0);
    }
}

/// An operation of the store has ended.
pub(crate) fn stored(operation: &'static str, outcome: Stored, duration: Duration) {
    histogram!(STORE_DURATION, "operation" => operation).record(duration);
    if let Some(kind) = outcome.failure() {
        counter!(STORE_FAILURES, "operation" => operation, "kind" => kind).increment(1);
    }
}

/// The connections to the database. `running` is the number of operations of the store, each of which needs one.
pub(crate) fn connections(open: usize, idle: usize, max: usize, running: usize) {
    let busy = open.saturating_sub(idle);
    gauge!(STORE_RUNNING).set(running as f64);
    gauge!(STORE_CONNECTIONS, "state" => "busy").set(busy as f64);
    gauge!(STORE_CONNECTIONS, "state" => "idle").set(idle as f64);
    gauge!(STORE_CONNECTIONS_MAX).set(max as f64);
    gauge!(STORE_WAITING).set(running.saturating_sub(busy) as f64);
}

/// Expired rows were deleted at this time, since 1970.
pub(crate) fn purged(rows: u64, now: i64) {
    counter!(PURGED).increment(rows);
    gauge!(PURGE_SUCCESS).set(now as f64);
}

/// The keys were read from the store at this time, since 1970.
pub(crate) fn keys_read(now: i64) {
    gauge!(KEYS_SUCCESS).set(now as f64);
}

/// The number of keys in each state.
pub(crate) fn keys(next: usize, current: usize, retired: usize) {
    for (state, number) in [("next", next), ("current", current), ("retired", retired)] {
        gauge!(KEYS, "state" => state).set(number as f64);
    }
}

/// How long the current key has been signing, and the time until the next one does, in seconds.
pub(crate) fn key_times(age: i64, next: i64) {
    gauge!(KEY_AGE).set(age as f64);
    gauge!(KEY_NEXT).set(next as f64);
}

/// Counts in a gauge as long as it lives.
pub(crate) struct Running(metrics::Gauge);

impl Running {
    fn new(gauge: metrics::Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn times_of_success_begin_with_the_process() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, describe);
        let text = recorder.handle().render();
        let now = SystemClock.now().unix_seconds() as f64;
        for name in [PURGE_SUCCESS, KEYS_SUCCESS] {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let value: f64 = value.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap();
            assert!((now - 60.0..=now).contains(&value), "{name} {value}");
        }
    }
}
