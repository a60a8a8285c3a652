//! Opens a database, and brings its tables to the version of this program.

use std::error::Error;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::SqlStore;
use super::database_clock::DatabaseClock;
use super::migrations;
use super::pool::{Place, Pool};
use crate::store::{KeyEncryption, PURGE_MOST, StoreError};

/// How long the database may take to answer at the start.
const START: Duration = Duration::from_secs(10);

/// Of each new connection to SQLite. `FULL`: what was acknowledged is on the disk. `FAST`: what was deleted, such as a key,
/// is overwritten where this costs nothing.
const SQLITE_SETTINGS: &str = "\
    PRAGMA busy_timeout = 5000; \
    PRAGMA journal_mode = WAL; \
    PRAGMA synchronous = FULL; \
    PRAGMA secure_delete = FAST; \
    PRAGMA foreign_keys = ON;";

/// Of each new connection to PostgreSQL. A statement that takes longer fails, as does one that waits for a lock: before the
/// service gives up waiting, so that the connection can be used again. The server lets go of what an instance that is gone
/// has locked after 10 s, and of its connection after a minute.
const POSTGRES_SETTINGS: &str = "\
    SET statement_timeout = '3s'; \
    SET lock_timeout = '2s'; \
    SET idle_in_transaction_session_timeout = '10s'; \
    SET tcp_keepalives_idle = 30; \
    SET tcp_keepalives_interval = 10; \
    SET tcp_keepalives_count = 3; \
    SET default_transaction_isolation = 'read committed';";

/// Of the connection to PostgreSQL that migrates. A statement has no time limit; it waits for a lock for 10 s at most, as
/// the start does for the database.
const MIGRATION_SETTINGS: &str = "\
    SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '10s'; \
    SET tcp_keepalives_idle = 30; \
    SET tcp_keepalives_interval = 10; \
    SET tcp_keepalives_count = 3;";

/// The connections of an instance to PostgreSQL.
const POSTGRES_CONNECTIONS: usize = 10;
/// The connections to a file: one writes, and the others read.
const FILE_CONNECTIONS: usize = 4;

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
            let url = Url::parse(url)
                .map_err(|_| StoreError::new("the URL of the database cannot be read"))?;
            check_parameters(&url)?;
            return Self::connect(&url, Place::Server, POSTGRES_SETTINGS, POSTGRES_CONNECTIONS)
                .await;
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
        let url = Url::parse(&format!("sqlite:{file}")).map_err(not_opened)?;
        Self::connect(&url, Place::File, SQLITE_SETTINGS, FILE_CONNECTIONS).await
    }

    /// A database in memory, which ends with the last clone.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub async fn in_memory() -> Result<Self, StoreError> {
        // One connection, kept for ever: each has a database of its own.
        let url = Url::parse("sqlite::memory:").map_err(not_opened)?;
        Self::connect(&url, Place::Memory, SQLITE_SETTINGS, 1).await
    }

    async fn connect(
        url: &Url,
        place: Place,
        settings: &'static str,
        connections: usize,
    ) -> Result<Self, StoreError> {
        install_drivers();
        // No statements in the log, also if they are slow: each request would write some.
        let options =
            AnyConnectOptions::from_url(url).map_err(not_opened)?.disable_statement_logging();
        let pool = Pool::new(options.clone(), settings, place, connections)?;
        match place {
            // A migration may take longer than a statement may, so it has a connection of its own.
            Place::Server => {
                let begun = timeout(START, begin(&options)).await;
                let (mut connection, is_complete) =
                    begun.map_err(|_| not_opened(StoreError::new("it does not answer")))??;
                if !is_complete {
                    migrations::run(&mut connection).await?;
                }
                let _ = timeout(START, connection.close()).await;
                pool.acquire().await.map_err(not_opened)?.release();
            }
            Place::File | Place::Memory => {
                if place == Place::File {
                    prepare_file(&options, settings).await?;
                }
                let mut connection = pool.acquire().await.map_err(not_opened)?;
                migrations::run_on_file(&mut connection).await?;
                connection.release();
            }
        }
        let clock = DatabaseClock::of(url.as_str());
        Ok(Self { pool, clock, encryption: KeyEncryption::default(), purge_most: PURGE_MOST })
    }
}

/// Changes a new file to the write-ahead log. SQLite does not wait by itself for that while another process uses the file,
/// and the pool does not try again at once.
async fn prepare_file(
    options: &AnyConnectOptions,
    settings: &'static str,
) -> Result<(), StoreError> {
    let end = Instant::now() + START;
    loop {
        let prepared = async {
            let mut connection = options.connect().await?;
            sqlx::raw_sql(settings).execute(&mut connection).await?;
            connection.close().await
        };
        match prepared.await {
            Err(error) if is_busy(&error) && Instant::now() < end => {
                sleep(Duration::from_millis(50)).await;
            }
            result => return result.map_err(not_opened),
        }
    }
}

/// Whether this is SQLite's `SQLITE_BUSY`, in one of its extended forms.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// A new connection to PostgreSQL, and whether nothing is missing in the database.
async fn begin(options: &AnyConnectOptions) -> Result<(AnyConnection, bool), StoreError> {
    let mut connection = options.connect().await.map_err(not_opened)?;
    let is_complete = migrations::check(&mut connection).await?;
    if !is_complete {
        sqlx::raw_sql(MIGRATION_SETTINGS).execute(&mut connection).await.map_err(not_opened)?;
    }
    Ok((connection, is_complete))
}

/// The parameters of a PostgreSQL URL, beside `options[NAME]`.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Refuses a parameter that would only be ignored: with its value in the log, at each connection.
fn check_parameters(url: &Url) -> Result<(), StoreError> {
    let is_known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
    if url.query_pairs().all(|(name, _)| is_known(&name)) {
        return Ok(());
    }
    Err(StoreError::new("the URL of the database has an unknown parameter after the ?"))
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

fn install_drivers() {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
}

fn not_opened(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::new("the database cannot be opened").with_source(error)
}
