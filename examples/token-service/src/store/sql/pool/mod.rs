//! The connections to the database. Each wait for one, and each use of one, has a limit.

mod connect;
mod executor;
mod pooled;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Object, PoolError, QueueMode};
use sqlx::Connection as _;
use sqlx::any::AnyConnectOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout, timeout_at};

use self::connect::Connector;
use self::pooled::Pooled;
use self::transaction::Transaction;
use crate::store::StoreError;
use crate::store::deadline;

/// The requests that may wait for their first connection at the same time. Further ones are refused.
const MAX_WAITING: usize = 256;

/// How soon it is tried again to get a connection that is open.
const AGAIN: Duration = Duration::from_millis(20);

/// How long a connection may take to close.
const CLOSING: Duration = Duration::from_millis(500);

/// What kind of database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A server, which can be gone, frozen, or another one than before.
    Server,
    /// A file of this machine.
    File,
    /// The memory of its one connection, which must stay.
    Memory,
}

/// The connections. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    connections: managed::Pool<Connector>,
    connector: Arc<connect::State>,
    entrance: Arc<Entrance>,
}

/// What a request passes with its first operation. The later ones go ahead of those that wait here: otherwise many
/// requests at once, on a slow database, would all begin and none would end in time.
#[derive(Debug)]
struct Entrance {
    places: Semaphore,
    /// Half of the connections are for requests that have begun.
    doors: Arc<Semaphore>,
}

impl Pool {
    /// A pool of at most `size` connections, each of which gets these settings. It opens none yet.
    pub(super) fn new(
        options: AnyConnectOptions,
        settings: &'static str,
        place: Place,
        size: usize,
    ) -> Result<Self, StoreError> {
        let state = Arc::new(connect::State::new(place));
        let connector = Connector::new(options, settings, Arc::clone(&state));
        let connections = managed::Pool::builder(connector)
            .max_size(size)
            // The same few connections are used, which have prepared the statements.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| StoreError::new("there is no pool").with_source(error))?;
        let entrance = Arc::new(Entrance {
            places: Semaphore::new(MAX_WAITING),
            doors: Arc::new(Semaphore::new(size.div_ceil(2))),
        });
        Ok(Self { connections, connector: state, entrance })
    }

    /// How many are open, idle, and open at most.
    pub(super) fn connections(&self) -> (usize, usize, usize) {
        let status = self.connections.status();
        (status.size, status.available, status.max_size)
    }

    /// A connection, by the deadline of the request.
    pub(super) async fn acquire(&self) -> Result<Pooled, sqlx::Error> {
        let got = timeout_at(deadline::deadline(), async {
            let door = if deadline::is_first() { Some(self.enter().await?) } else { None };
            Ok(Pooled::new(self.get().await?, Arc::clone(&self.connector), door))
        });
        got.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn enter(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let _place = self.entrance.places.try_acquire().map_err(|_| sqlx::Error::PoolTimedOut)?;
        let door = Arc::clone(&self.entrance.doors).acquire_owned().await;
        door.map_err(|_| sqlx::Error::PoolClosed)
    }

    async fn get(&self) -> Result<PooledObject, sqlx::Error> {
        loop {
            match self.connections.get().await {
                Ok(object) => return Ok(object),
                // The server may have no room for another one. Those that are open go on, and are used.
                Err(PoolError::Backend(_)) if self.connections.status().size > 0 => {
                    sleep(AGAIN).await;
                }
                Err(PoolError::Backend(error)) => return Err(error),
                Err(PoolError::Closed) => return Err(sqlx::Error::PoolClosed),
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
            }
        }
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(self.acquire().await?).await
    }

    /// Takes note of a failure: some say that this is no longer the database that it was.
    pub(super) fn note(&self, error: &StoreError) {
        if connect::asks_for_new_connections(error) {
            self.connector.replace_all();
        }
    }

    /// Closes the connections that are not used, and opens none any more.
    pub(super) async fn close(&self) {
        let idle = self.connections.retain(|_, _| false).removed;
        self.connections.close();
        for connection in idle {
            let _ = timeout(CLOSING, connection.raw.close()).await;
        }
    }
}

type PooledObject = Object<Connector>;
