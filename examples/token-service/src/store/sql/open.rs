//! Opens a database, and brings its tables to the version of this program.

use std::error::Error;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, Connection};

use super::SqlStore;
use super::database_clock::DatabaseClock;
use super::migrations;
use crate::store::{KeyEncryption, StoreError};

/// How long a caller waits for a free connection. Then the answer is 503.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of each new connection to SQLite. `FULL`: what was acknowledged is on the disk. `FAST`: what was deleted, such as a key,
/// is overwritten where this costs nothing.
const SQLITE_SETTINGS: &str = "\
    PRAGMA busy_timeout = 5000; \
    PRAGMA journal_mode = WAL; \
    PRAGMA synchronous = FULL; \
    PRAGMA secure_delete = FAST; \
    PRAGMA foreign_keys = ON;";

/// Of each new connection to PostgreSQL. A statement that takes longer fails, as does one that waits for a lock.
const POSTGRES_SETTINGS: &str = "\
    SET statement_timeout = '5s'; \
    SET lock_timeout = '4s'; \
    SET idle_in_transaction_session_timeout = '10s'; \
    SET default_transaction_isolation = 'read committed';";

impl SqlStore {
    /// Opens the database at this URL, and brings its tables to the version of this program.
    ///
    /// - `sqlite:FILE`: the file is made if it is missing, for its owner alone.
    /// - `postgres://USER:PASSWORD@HOST/DATABASE`: the database must exist. `?sslmode=verify-full` asks for TLS.
    ///
    /// # Errors
    ///
    /// If the database cannot be opened, or a newer version of this program has changed it so that this one cannot use it.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            // A migration may take longer than a statement may, so it has a connection of its own.
            let options = AnyPoolOptions::new().max_connections(1);
            let migration = Self::connect(url, options, "").await?;
            migrations::run(&migration.pool).await?;
            migration.pool.close().await;
            let options = AnyPoolOptions::new().max_connections(10);
            return Self::connect(url, options, POSTGRES_SETTINGS).await;
        }
        let Some(file) = url.strip_prefix("sqlite:") else {
            return Err(StoreError::new(
                "the URL of the database must begin with sqlite: or postgres://",
            ));
        };
        let file = file.strip_prefix("//").unwrap_or(file);
        if file.is_empty() || file.starts_with(':') || file.contains(['?', '#', '%']) {
            return Err(StoreError::new("the URL of the database must name a file"));
        }
        make_file(Path::new(file))?;
        let options = AnyPoolOptions::new().max_connections(4);
        let store = Self::connect(&format!("sqlite:{file}"), options, SQLITE_SETTINGS).await?;
        migrations::run(&store.pool).await?;
        Ok(store)
    }

    /// A database in memory, which ends with the last clone.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub async fn in_memory() -> Result<Self, StoreError> {
        // One connection, kept for ever: each has a database of its own.
        let options = AnyPoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // A request that is cancelled during the test would close the connection.
            .test_before_acquire(false);
        let store = Self::connect("sqlite::memory:", options, SQLITE_SETTINGS).await?;
        migrations::run(&store.pool).await?;
        Ok(store)
    }

    async fn connect(
        url: &str,
        options: AnyPoolOptions,
        settings: &'static str,
    ) -> Result<Self, StoreError> {
        install_drivers();
        try_connection(url, settings).await.map_err(not_opened)?;
        let pool = options
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(settings).execute(connection).await?;
                    Ok(())
                })
            })
            .connect(url)
            .await
            .map_err(not_opened)?;
        Ok(Self { pool, clock: DatabaseClock::of(url), encryption: KeyEncryption::default() })
    }
}

/// The database contains private keys, so a new file is for its owner alone.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(path);
    made.map(drop).map_err(not_opened)
}

/// Opens it once. The pool would try it again and again, and say only that it has failed for too long.
async fn try_connection(url: &str, settings: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    sqlx::raw_sql(settings).execute(&mut connection).await?;
    connection.close().await
}

fn install_drivers() {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
}

fn not_opened(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::new("the database cannot be opened").with_source(error)
}
