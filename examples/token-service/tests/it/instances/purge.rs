//! The deletion of expired rows, also of very many.

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe, Row};
use token_service::store::{PURGE_MARGIN, SqlStore, Store};
use tokio::time::Instant;

use super::{Database, number_from, stores};
use crate::support::NOW;

/// As in the program.
const BATCH: u32 = 500;

/// What is inserted, with `i` as a number from 1 to `rows`. All of it expires at `NOW`, save the last two: grants in force,
/// each with the code that it came of.
const ROWS: [(&str, &str, &str); 8] = [
    (
        "codes",
        "code_hash, client_id, user_name, redirect_uri, code_challenge, scope, resources, authenticated_at, expires_at",
        "'c' || i, 'app', 'alice', '', '', '', '', 0, {now}",
    ),
    (
        "grants",
        "id, client_id, user_name, scope, resources, authenticated_at, created_at, expires_at",
        "'g' || i, 'app', 'alice', '', '', 0, 0, {now}",
    ),
    (
        "refresh_tokens",
        "token_hash, grant_id, expires_at, number, used_at",
        "'r' || i, 'g' || i, {now}, 0, CASE WHEN i % 2 = 0 THEN 1 END",
    ),
    (
        "sessions",
        "cookie_hash, id, user_name, authenticated_at, expires_at",
        "'s' || i, 's' || i, 'alice', 0, {now}",
    ),
    ("revoked_tokens", "token_id, expires_at", "'t' || i, {now}"),
    ("used_once", "id, expires_at", "'u' || i, {now}"),
    (
        "grants",
        "id, client_id, user_name, scope, resources, authenticated_at, created_at, expires_at",
        "'live' || i, 'app', 'alice', '', '', 0, 0, {now} + 2592000",
    ),
    (
        "codes",
        "code_hash, client_id, user_name, redirect_uri, code_challenge, scope, resources, authenticated_at, expires_at, grant_id",
        "'used' || i, 'app', 'alice', '', '', '', '', 0, {now} + 2592000, 'live' || i",
    ),
];

/// A database with so many rows of each kind.
struct Filled {
    database: Database,
    pool: AnyPool,
    stores: Vec<SqlStore>,
    rows: u64,
}

impl Filled {
    async fn new(rows: u64) -> Self {
        let database = Database::new().await;
        let url = &database.url;
        let stores = stores(url).await;
        let pool = AnyPoolOptions::new().max_connections(1).connect(url).await.unwrap();
        let user = "INSERT INTO users (name, password_hash, scope, created_at) VALUES ('alice', '', '', 0)";
        sqlx::query(user).execute(&pool).await.unwrap();
        for (table, columns, values) in ROWS {
            let values = values.replace("{now}", &NOW.to_string());
            let statement = format!(
                "WITH RECURSIVE numbers(i) AS \
                 (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {rows}) \
                 INSERT INTO {table} ({columns}) SELECT {values} FROM numbers"
            );
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.unwrap();
        }
        Self { database, pool, stores, rows }
    }

    async fn count(&self, table: &str) -> u64 {
        let statement = AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM {table}"));
        let row = sqlx::query(statement).fetch_one(&self.pool).await.unwrap();
        u64::try_from(row.get::<i64, _>("n")).unwrap()
    }
}

const AT: i64 = NOW + PURGE_MARGIN;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pass_is_bounded_and_the_next_ones_delete_the_rest() {
    let (rows, most) = (6, 4);
    let filled = &Filled::new(rows).await;
    let store = filled.stores[0].clone().with_purge_most(4);
    // Half of the refresh tokens is used. Of the other five kinds, there are more than a pass deletes.
    assert_eq!(store.purge(1, AT).await.unwrap(), rows + 5 * most);
    assert_eq!(store.purge(1, AT).await.unwrap(), 5 * (rows - most));
    assert_eq!(store.purge(1, AT).await.unwrap(), 0);
    // Codes that were used stay as long as their grants.
    assert_eq!(filled.count("codes").await, rows);
    assert_eq!(filled.count("grants").await, rows);
    assert_eq!(store.purge(BATCH, AT + 2_592_000).await.unwrap(), 2 * rows);
}

/// With `PURGE_ROWS=1000000` it prints how long that takes; see OPERATING.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn instances_that_purge_at_once_do_not_hold_up_each_other_or_requests() {
    let rows = number_from("PURGE_ROWS", 3000);
    let filled = &Filled::new(rows).await;
    let start = Instant::now();
    let purges = filled.stores.iter().take(2).cloned().map(|store| {
        tokio::spawn(async move {
            let mut deleted = 0;
            let mut passes = 0;
            loop {
                match store.purge(BATCH, AT).await.unwrap() {
                    0 => return (deleted, passes),
                    rows => deleted += rows,
                }
                passes += 1;
            }
        })
    });
    let purges: Vec<_> = purges.collect();
    // What a request does in the meantime.
    let requests = filled.stores[2].clone();
    let mut slowest = Duration::ZERO;
    let mut number = 0;
    while purges.iter().any(|purge| !purge.is_finished()) {
        let start = Instant::now();
        number += 1;
        assert!(requests.use_once(&format!("request {number}"), AT + 9).await.unwrap());
        slowest = slowest.max(start.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut total = 0;
    for purge in purges {
        total += purge.await.unwrap().0;
    }
    let took = start.elapsed();
    assert_eq!(total, 6 * filled.rows);
    assert_eq!(filled.count("codes").await, filled.rows);
    let name = filled.database.url.split(':').next().unwrap();
    println!(
        "{name}: {total} rows in {took:.1?}, {number} requests meanwhile, the slowest took {slowest:.0?}"
    );
    // Generous: it is the time of the wall, and other programs may be busy.
    assert!(slowest < Duration::from_secs(30), "{slowest:?}");
    // With nothing to delete, although the used codes are there.
    let start = Instant::now();
    assert_eq!(filled.stores[0].purge(BATCH, AT).await.unwrap(), 0);
    println!("{name}: {:.1?} with {} used codes of grants in force", start.elapsed(), filled.rows);
}
