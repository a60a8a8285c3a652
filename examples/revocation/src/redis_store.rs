//! The stores of the crate, in Redis.
//!
//! Redis must not forget: set `maxmemory-policy noeviction`, and keep the data across restarts (`appendonly yes`).

use std::error::Error;
use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisResult};
use tokio::time::timeout;
use tower_jwt_auth::{
    NumericDate, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore, Revocation,
    RevocationLookup, RevocationQuery, RevocationStore, Revoked,
};

type BoxError = Box<dyn Error + Send + Sync>;

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

    /// Adds an entry to the deny-list, for all instances.
    pub async fn revoke(&self, revocation: &Revocation, lasts: Duration) -> Result<(), BoxError> {
        let value = match revocation.effect() {
            Revoked::Yes => "all".to_owned(),
            Revoked::IfIssuedBefore(time) => time.unix_seconds().to_string(),
            other => return Err(format!("{other:?} cannot be stored").into()),
        };
        let mut set = redis::cmd("SET");
        set.arg(format!("revoked:{}", revocation.key())).arg(value);
        self.run(set.arg("EX").arg(lasts.as_secs().max(1)).clone()).await
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
        let (store, mut set) = (self.clone(), redis::cmd("SET"));
        set.arg([b"used:".as_slice(), entry.digest()].concat()).arg(1);
        set.arg("NX").arg("EXAT").arg(round_up(entry.expires_at()));
        ReplayCheck::pending(async move {
            let first: Option<String> = store.run(set).await?;
            Ok(match first {
                Some(_) => ReplayOutcome::FirstUse,
                None => ReplayOutcome::SeenBefore,
            })
        })
    }
}

/// Whole seconds, and not too early.
fn round_up(time: NumericDate) -> i64 {
    time.unix_seconds().saturating_add(1)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
