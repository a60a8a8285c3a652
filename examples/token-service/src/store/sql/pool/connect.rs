//! How connections are opened and checked: without a storm of attempts while the database is gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _};
use tokio::time::{Instant, timeout};

use super::Place;
use crate::store::StoreError;

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a connection may take to show that it is alive.
pub(super) const ALIVE: Duration = Duration::from_secs(1);

/// A connection that was not used for this long is checked first.
const FRESH: Duration = Duration::from_secs(1);

/// A connection is replaced at this age, so that instances and servers do not stay together for ever.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// The first pause after a failed attempt to connect. Each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection of the pool.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) raw: AnyConnection,
    opened: Instant,
    used: Instant,
}

impl Connection {
    /// It was used just now.
    pub(super) fn touch(&mut self) {
        self.used = Instant::now();
    }
}

/// Opens the connections.
#[derive(Debug)]
pub(super) struct Connector {
    options: AnyConnectOptions,
    settings: &'static str,
    state: Arc<State>,
}

impl Connector {
    pub(super) fn new(
        options: AnyConnectOptions,
        settings: &'static str,
        state: Arc<State>,
    ) -> Self {
        Self { options, settings, state }
    }

    async fn open(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        sqlx::raw_sql(self.settings).execute(&mut connection).await?;
        Ok(connection)
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Connection, sqlx::Error> {
        let attempt = self.state.attempt()?;
        let raw = match self.state.place {
            Place::Server => {
                timeout(CONNECT, self.open()).await.unwrap_or_else(|_| Err(no_answer()))
            }
            Place::File | Place::Memory => self.open().await,
        }?;
        attempt.has_succeeded();
        Ok(Connection { raw, opened: Instant::now(), used: Instant::now() })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if self.state.place != Place::Server {
            return Ok(());
        }
        if connection.opened <= self.state.lock().replaced_at
            || connection.opened.elapsed() > MAX_AGE
        {
            return Err(RecycleError::message("it is replaced"));
        }
        if connection.used.elapsed() > FRESH {
            match timeout(ALIVE, connection.raw.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.state.dead(error)),
                Err(_) => return Err(self.state.dead(no_answer())),
            }
        }
        Ok(())
    }
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "the database server does not answer",
    ))
}

/// What is known about the server.
#[derive(Debug)]
pub(super) struct State {
    pub(super) place: Place,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// Connections that were opened before are not used again.
    replaced_at: Instant,
    /// After a failed attempt: the pause, and its end.
    pause: Option<(Duration, Instant)>,
    /// The attempts that run.
    attempts: u32,
}

impl State {
    pub(super) fn new(place: Place) -> Self {
        // So the first connections are opened later.
        let replaced_at = Instant::now();
        let known = Known { replaced_at, pause: None, attempts: 0 };
        Self { place, known: Mutex::new(known) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while the lock is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces all connections that are open now, when each is used next; at most once a second.
    pub(super) fn replace_all(&self) {
        let mut known = self.lock();
        if known.replaced_at.elapsed() > FRESH {
            known.replaced_at = Instant::now();
        }
    }

    fn dead(&self, error: sqlx::Error) -> RecycleError<sqlx::Error> {
        self.replace_all();
        RecycleError::Backend(error)
    }

    /// Begins an attempt to connect. While the server is gone there is one at a time, with a pause in between, and all
    /// other callers are refused at once.
    fn attempt(&self) -> Result<Attempt<'_>, sqlx::Error> {
        let now = Instant::now();
        let mut known = self.lock();
        if let Some((_, end)) = known.pause
            && (now < end || known.attempts > 0)
        {
            return Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::NotConnected,
                "the database server could not be reached just now",
            )));
        }
        known.attempts = known.attempts.saturating_add(1);
        Ok(Attempt { state: self, began: now, has_succeeded: false })
    }
}

struct Attempt<'a> {
    state: &'a State,
    began: Instant,
    has_succeeded: bool,
}

impl Attempt<'_> {
    fn has_succeeded(mut self) {
        self.has_succeeded = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut known = self.state.lock();
        known.attempts = known.attempts.saturating_sub(1);
        if self.has_succeeded {
            known.pause = None;
            return;
        }
        let pause = known.pause.map_or(FIRST_PAUSE, |(pause, end)| {
            // Attempts that ran at the same time count once.
            if self.began < end { pause } else { pause.saturating_mul(2).min(LONGEST_PAUSE) }
        });
        known.pause = Some((pause, Instant::now() + pause));
    }
}

/// Whether a failure says that the connections lead to a server that is going away, to one that only reads, such as the
/// old one after a failover, or to one whose tables have changed under the prepared statements.
pub(super) fn asks_for_new_connections(error: &StoreError) -> bool {
    let codes = ["25006", "57P01", "57P02", "57P03", "57P05", "0A000"];
    error.code().is_some_and(|code| codes.contains(&&*code))
}
