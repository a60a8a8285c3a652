use sqlx::AnyPool;

use crate::store::{PURGE_MARGIN, Seconds, StoreError};

/// Each deletes at most so many rows, so that it holds its locks for a short time only. Used refresh tokens go with their
/// grant.
const STATEMENTS: [&str; 6] = [
    "DELETE FROM codes WHERE code_hash IN \
     (SELECT code_hash FROM codes WHERE expires_at <= $1 AND (grant_id IS NULL OR \
     NOT EXISTS (SELECT 1 FROM grants WHERE grants.id = codes.grant_id)) LIMIT $2)",
    "DELETE FROM refresh_tokens WHERE token_hash IN \
     (SELECT token_hash FROM refresh_tokens WHERE expires_at <= $1 AND used_at IS NULL LIMIT $2)",
    "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM sessions WHERE cookie_hash IN \
     (SELECT cookie_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM revoked_tokens WHERE token_id IN \
     (SELECT token_id FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM used_once WHERE id IN \
     (SELECT id FROM used_once WHERE expires_at <= $1 LIMIT $2)",
];

pub(super) async fn purge(pool: &AnyPool, limit: u32, now: Seconds) -> Result<u64, StoreError> {
    let limit = i64::from(limit);
    let now = now.saturating_sub(PURGE_MARGIN);
    let mut deleted = 0;
    for statement in STATEMENTS {
        let result = sqlx::query(statement).bind(now).bind(limit).execute(pool).await?;
        deleted += result.rows_affected();
    }
    let full = sqlx::query(
        "DELETE FROM limits WHERE id IN (SELECT id FROM limits WHERE full_at <= $1 LIMIT $2)",
    )
    .bind(now.saturating_mul(1000))
    .bind(limit)
    .execute(pool)
    .await?;
    Ok(deleted + full.rows_affected())
}
