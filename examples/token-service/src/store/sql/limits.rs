//! Budgets, and what may be used once. Clients choose parts of the IDs, so the store has their hashes.

use std::time::Duration;

use super::pool::Pool;
use super::rows::get;
use crate::secret;
use crate::store::{Seconds, StoreError};

pub(super) async fn take(
    pool: &Pool,
    id: &str,
    burst: u32,
    period: Duration,
    now_ms: i64,
) -> Result<Result<(), Duration>, StoreError> {
    let id = secret::hash(id);
    let period = millis(period);
    let capacity = period.saturating_mul(burst.max(1).into());
    // One statement, so no other instance comes between.
    let taken = sqlx::query(
        "INSERT INTO limits (id, full_at) VALUES ($1, $2 + $3) ON CONFLICT (id) DO UPDATE \
         SET full_at = CASE WHEN limits.full_at > $2 THEN limits.full_at ELSE $2 END + $3 \
         WHERE CASE WHEN limits.full_at > $2 THEN limits.full_at ELSE $2 END + $3 <= $2 + $4",
    )
    .bind(&id)
    .bind(now_ms)
    .bind(period)
    .bind(capacity)
    .execute(pool)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    never_beyond(pool, &id, now_ms.saturating_add(capacity)).await?;
    let row = sqlx::query("SELECT full_at FROM limits WHERE id = $1")
        .bind(&id)
        .fetch_optional(pool)
        .await?;
    let full_at: i64 = match row {
        Some(row) => get(&row, "full_at")?,
        // Another instance has deleted it just now, since it is full.
        None => return Ok(Err(Duration::ZERO)),
    };
    let wait = full_at.saturating_add(period).saturating_sub(now_ms).saturating_sub(capacity);
    Ok(Err(Duration::from_millis(u64::try_from(wait).unwrap_or(0))))
}

/// After a clock was set back, a budget must not stay empty until the old time comes.
async fn never_beyond(pool: &Pool, id: &str, latest: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE limits SET full_at = $2 WHERE id = $1 AND full_at > $2")
        .bind(id)
        .bind(latest)
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn left(
    pool: &Pool,
    id: &str,
    burst: u32,
    period: Duration,
    now_ms: i64,
) -> Result<Result<u32, Duration>, StoreError> {
    let id = secret::hash(id);
    let row = sqlx::query("SELECT full_at FROM limits WHERE id = $1")
        .bind(&id)
        .fetch_optional(pool)
        .await?;
    let full_at = row.as_ref().map(|row| get::<i64>(row, "full_at")).transpose()?;
    let period = millis(period).max(1);
    let capacity = period.saturating_mul(burst.max(1).into());
    let used = full_at.unwrap_or(now_ms).saturating_sub(now_ms).max(0);
    let left = capacity.saturating_sub(used).div_euclid(period);
    if left > 0 {
        return Ok(Ok(u32::try_from(left).unwrap_or(u32::MAX)));
    }
    if used > capacity {
        never_beyond(pool, &id, now_ms.saturating_add(capacity)).await?;
    }
    let wait = used.min(capacity).saturating_add(period).saturating_sub(capacity);
    Ok(Err(Duration::from_millis(u64::try_from(wait).unwrap_or(0))))
}

pub(super) async fn give_back(
    pool: &Pool,
    id: &str,
    period: Duration,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE limits SET full_at = full_at - $2 WHERE id = $1 AND full_at > $3")
        .bind(secret::hash(id))
        .bind(millis(period))
        .bind(now_ms)
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn use_once(
    pool: &Pool,
    id: &str,
    expires_at: Seconds,
) -> Result<bool, StoreError> {
    let first = sqlx::query(
        "INSERT INTO used_once (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    )
    .bind(secret::hash(id))
    .bind(expires_at)
    .execute(pool)
    .await?;
    Ok(first.rows_affected() == 1)
}

fn millis(period: Duration) -> i64 {
    i64::try_from(period.as_millis()).unwrap_or(i64::MAX)
}
