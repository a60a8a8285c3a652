//! The stores of the crate, in Redis.
//!
//! Redis must not forget: set `maxmemory-policy noeviction`, and keep the data across restarts (`appendonly yes`).
//!
//! Lifetimes are sent as milliseconds from now, by the clock of this process. With an absolute end, a Redis whose clock
//! is ahead would forget an entry too early.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisResult};
use tokio::time::timeout;
use tower_jwt_auth::{
    Clock, NumericDate, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore, Revocation,
    RevocationLookup, RevocationQuery, RevocationStore, Revoked, SystemClock,
};

type BoxError = Box<dyn Error + Send + Sync>;

/// Adds an entry to the deny-list. If there is one, the later time of "issued before" and the later end apply, whatever
/// the order in which the commands arrive.
const REVOKE: &str = r"
local old, value = redis.call('GET', KEYS[1]), ARGV[1]
if old and value ~= 'all' and tonumber(old) > tonumber(value) then value = old end
local left = redis.call('PTTL', KEYS[1])
if left == -1 then return redis.call('SET', KEYS[1], value) end
return redis.call('SET', KEYS[1], value, 'PX', math.max(left, tonumber(ARGV[2])))
";

/// A deny-list and a replay store. Clones share one connection.
#[derive(Clone)]
pub struct RedisStore(ConnectionManager);

impl RedisStore {
    /// A request waits no longer for Redis. Then it gets 503.
    const TIME_LIMIT: Duration = Duration::from_secs(1);

    /// Connects with the first command, and again after an outage.
    pub fn new(url: &str) -> RedisResult<Self> {
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Self::TIME_LIMIT))
            .set_response_timeout(Some(Self::TIME_LIMIT))
            .set_number_of_retries(1);
        ConnectionManager::new_lazy_with_config(Client::open(url)?, settings).map(Self)
    }

    /// Adds an entry to the deny-list, for all instances: see [`Revocation::end`].
    pub async fn revoke(&self, revocation: &Revocation, lasts: Duration) -> Result<(), BoxError> {
        let value = match revocation.effect() {
            Revoked::Yes => "all".to_owned(),
            Revoked::IfIssuedBefore(time) => time.unix_seconds_rounded_up().to_string(),
            other => return Err(format!("{other:?} cannot be stored").into()),
        };
        let now = SystemClock.now();
        let mut revoke = redis::cmd("EVAL");
        revoke.arg(REVOKE).arg(1).arg(format!("revoked:{}", revocation.key())).arg(value);
        self.run(revoke.arg(lifetime(revocation.end(now, lasts), now)?).clone()).await
    }

    async fn run<T: FromRedisValue>(&self, command: Cmd) -> Result<T, BoxError> {
        let mut connection = self.0.clone();
        Ok(timeout(Self::TIME_LIMIT, command.query_async(&mut connection)).await??)
    }
}

impl RevocationStore for RedisStore {
    /// All entries that concern the token, in one command.
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
        let (store, mut get) = (self.clone(), redis::cmd("MGET"));
        for key in query.keys() {
            get.arg(format!("revoked:{key}"));
        }
        RevocationLookup::pending(async move {
            let values: Vec<Option<String>> = store.run(get).await?;
            values.into_iter().flatten().map(|value| effect(&value)).collect()
        })
    }
}

/// What an entry says. A value that nobody here has written is an error, and so a 503.
fn effect(value: &str) -> Result<Revoked, BoxError> {
    Ok(match value {
        "all" => Revoked::Yes,
        time => Revoked::IfIssuedBefore(NumericDate::from_unix_seconds(time.parse()?)),
    })
}

impl ReplayStore for RedisStore {
    /// In one command: of several requests with the same token, whichever instance they reach, one is the first.
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
        let lifetime = match lifetime(entry.expires_at(), SystemClock.now()) {
            Ok(lifetime) => lifetime,
            Err(error) => return ReplayCheck::ready(Err(error)),
        };
        let (store, mut set) = (self.clone(), redis::cmd("SET"));
        set.arg([b"used:".as_slice(), entry.digest()].concat()).arg(1);
        set.arg("NX").arg("PX").arg(lifetime);
        ReplayCheck::pending(async move {
            let first: Option<String> = store.run(set).await?;
            Ok(match first {
                Some(_) => ReplayOutcome::FirstUse,
                None => ReplayOutcome::SeenBefore,
            })
        })
    }
}

/// How many milliseconds Redis keeps an entry, with a margin. One that has ended is an error, and so a 503: Redis would
/// accept it, and forget it at once.
fn lifetime(end: NumericDate, now: NumericDate) -> Result<u64, BoxError> {
    const MARGIN: u64 = 60;
    /// About a hundred years: Redis refuses what overflows.
    const LONGEST: u64 = 3_200_000_000;
    let left = end.unix_seconds_rounded_up().saturating_sub(now.unix_seconds());
    match u64::try_from(left) {
        Ok(left) if end > now => Ok(left.saturating_add(MARGIN).min(LONGEST) * 1000),
        _ => Err("the entry has ended by the clock of this process".into()),
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> NumericDate {
        NumericDate::from_unix_seconds(seconds)
    }

    #[test]
    fn entry_is_kept_a_minute_longer_than_it_must() {
        assert_eq!(lifetime(at(110), at(100)).unwrap(), 70_000);
        assert_eq!(lifetime(at(i64::MAX), at(100)).unwrap(), 3_200_000_000_000);
    }

    #[test]
    fn entry_that_has_ended_is_an_error() {
        for end in [0, 99, 100] {
            assert!(lifetime(at(end), at(100)).is_err(), "{end}");
        }
    }
}
