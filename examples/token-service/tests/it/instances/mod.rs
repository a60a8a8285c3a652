//! Several instances on one database: each has its own connections and its own clock, which differs from the others.
//!
//! All of it runs over a SQLite file, or over PostgreSQL if `POSTGRES_URL` names a server, as `scripts/postgres` does.

mod at_once;
mod case;
mod keys;
mod limits;
mod model;
mod purge;
mod random;
mod world;

use std::time::Duration;

use token_service::store::SqlStore;

use crate::store::new_database;

/// How far the clocks of the instances are from the right time. No two differ by more than `CLOCK_SKEW`, and none differs
/// from that of a verifier by more than its leeway.
const OFFSETS: [i64; 3] = [-30, 0, 30];

const DAY: Duration = Duration::from_secs(86_400);

/// A new database: in a SQLite file, or on the PostgreSQL of `POSTGRES_URL`.
struct Database {
    url: String,
    _folder: tempfile::TempDir,
}

impl Database {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match std::env::var("POSTGRES_URL") {
            Ok(server) => new_database(&server).await,
            Err(_) => format!("sqlite:{}", folder.path().join("service.db").display()),
        };
        Self { url, _folder: folder }
    }
}

/// A store for each instance: another pool on the same database.
async fn stores(url: &str) -> Vec<SqlStore> {
    let mut stores = Vec::new();
    for _ in OFFSETS {
        stores.push(SqlStore::open(url).await.unwrap());
    }
    stores
}

/// A number from the environment, or the default.
fn number_from(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")),
        Err(_) => default,
    }
}
