use std::time::Duration;

use sqlx::AnyPool;

use crate::store::{PURGE_MARGIN, Seconds, StoreError};

/// Between two batches, so that requests come between.
const PAUSE: Duration = Duration::from_millis(10);

/// The statements, with the number of their time units in a second. Each deletes at most so many rows, so that it holds its
/// locks for a short time only. Refresh tokens go before their grant, which may have many.
const STATEMENTS: [(&str, i64); 8] = [
    (
        "DELETE FROM codes WHERE code_hash IN \
         (SELECT code_hash FROM codes WHERE expires_at <= $1 AND (grant_id IS NULL OR \
         NOT EXISTS (SELECT 1 FROM grants WHERE grants.id = codes.grant_id)) LIMIT $2)",
        1,
    ),
    (
        "DELETE FROM refresh_tokens WHERE token_hash IN \
         (SELECT token_hash FROM refresh_tokens WHERE expires_at <= $1 AND used_at IS NULL LIMIT $2)",
        1,
    ),
    (
        "DELETE FROM refresh_tokens WHERE token_hash IN \
         (SELECT token_hash FROM refresh_tokens JOIN grants ON grants.id = refresh_tokens.grant_id \
         WHERE grants.expires_at <= $1 LIMIT $2)",
        1,
    ),
    (
        "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= $1 AND \
         NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE refresh_tokens.grant_id = grants.id) LIMIT $2)",
        1,
    ),
    (
        "DELETE FROM sessions WHERE cookie_hash IN \
         (SELECT cookie_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
        1,
    ),
    (
        "DELETE FROM revoked_tokens WHERE token_id IN \
         (SELECT token_id FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2)",
        1,
    ),
    (
        "DELETE FROM used_once WHERE id IN \
         (SELECT id FROM used_once WHERE expires_at <= $1 LIMIT $2)",
        1,
    ),
    ("DELETE FROM limits WHERE id IN (SELECT id FROM limits WHERE full_at <= $1 LIMIT $2)", 1000),
];

/// `limits` is the time of the budgets, which are by the clock of the database.
pub(super) async fn purge(
    pool: &AnyPool,
    batch: u32,
    now: Seconds,
    limits: Seconds,
) -> Result<u64, StoreError> {
    let (mut deleted, mut failure) = (0_u64, None);
    for (statement, units) in STATEMENTS {
        let now = if units == 1 { now } else { limits };
        let before = now.saturating_sub(PURGE_MARGIN).saturating_mul(units);
        match delete(pool, statement, before, batch).await {
            Ok(rows) => deleted = deleted.saturating_add(rows),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(deleted), Err)
}

/// Goes on until a batch is not full.
async fn delete(
    pool: &AnyPool,
    statement: &'static str,
    before: i64,
    batch: u32,
) -> Result<u64, StoreError> {
    let mut deleted = 0_u64;
    loop {
        let result =
            sqlx::query(statement).bind(before).bind(i64::from(batch)).execute(pool).await?;
        deleted = deleted.saturating_add(result.rows_affected());
        if result.rows_affected() < u64::from(batch) {
            return Ok(deleted);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
