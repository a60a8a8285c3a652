use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::grants;
use super::pool::Pool;
use super::rows::get;
use crate::store::{
    CLOCK_SKEW, Grant, MAX_USED_TOKENS, NewRefreshToken, RefreshToken, Rotation, Seconds,
    StoreError, USED_TOKENS_KEPT, seconds,
};

/// Adds a refresh token with this place in its family, in a transaction.
pub(super) async fn add(
    connection: &mut AnyConnection,
    grant: &str,
    token: &NewRefreshToken,
    number: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO refresh_tokens (token_hash, grant_id, expires_at, number) VALUES ($1, $2, $3, $4)",
    )
    .bind(&token.token_hash)
    .bind(grant)
    .bind(token.expires_at)
    .bind(number)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn find(pool: &Pool, hash: &str) -> Result<Option<RefreshToken>, StoreError> {
    let mut connection = pool.acquire().await?;
    let found = find_in(&mut connection, hash).await?;
    connection.release();
    Ok(found)
}

async fn find_in(
    connection: &mut AnyConnection,
    hash: &str,
) -> Result<Option<RefreshToken>, StoreError> {
    let row = sqlx::query(
        "SELECT token_hash, grant_id, expires_at, used_at, successor_hash, number \
         FROM refresh_tokens WHERE token_hash = $1",
    )
    .bind(hash)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(|row| read(row, "expires_at")).transpose()
}

/// One statement, since each refresh asks for both.
pub(super) async fn find_with_grant(
    pool: &Pool,
    hash: &str,
) -> Result<Option<(RefreshToken, Grant)>, StoreError> {
    let row = sqlx::query(
        "SELECT token_hash, grant_id, refresh_tokens.expires_at AS token_expires_at, used_at, \
         successor_hash, number, id, client_id, user_name, session_id, scope, resources, \
         authenticated_at, created_at, grants.expires_at AS expires_at, revoked_at, client_document \
         FROM refresh_tokens JOIN grants ON grants.id = refresh_tokens.grant_id \
         WHERE token_hash = $1",
    )
    .bind(hash)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((read(&row, "token_expires_at")?, grants::read(&row)?)))
}

pub(super) async fn rotate(
    pool: &Pool,
    hash: &str,
    successor: &NewRefreshToken,
    grace: Duration,
    now: Seconds,
) -> Result<Rotation, StoreError> {
    let mut transaction = pool.begin().await?;
    // Locks the grant, so uses of its tokens follow each other.
    let locked = sqlx::query(
        "UPDATE grants SET revoked_at = revoked_at WHERE revoked_at IS NULL AND expires_at > $2 \
         AND id = (SELECT grant_id FROM refresh_tokens WHERE token_hash = $1)",
    )
    .bind(hash)
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    let token = find_in(&mut transaction, hash).await?;
    let (1, Some(token)) = (locked.rows_affected(), token) else {
        transaction.rollback().await?;
        return Ok(Rotation::Invalid);
    };

    let rotation = match token.used_at {
        None if token.expires_at <= now => Rotation::Invalid,
        None => {
            let number = token.number.saturating_add(1);
            let kept = number.saturating_sub(MAX_USED_TOKENS);
            // Most families are short, and have nothing to forget.
            if kept > 0 && !forget(&mut transaction, &token.grant_id, kept, now).await? {
                grants::revoke(&mut *transaction, &token.grant_id, now).await?;
                transaction.commit().await?;
                return Ok(Rotation::Reused);
            }
            add(&mut transaction, &token.grant_id, successor, number).await?;
            sqlx::query(
                "UPDATE refresh_tokens SET used_at = $2, successor_hash = $3 WHERE token_hash = $1",
            )
            .bind(hash)
            .bind(now)
            .bind(&successor.token_hash)
            .execute(&mut *transaction)
            .await?;
            Rotation::Successor
        }
        Some(used_at) => {
            let grace = seconds(grace);
            let since = now.saturating_sub(used_at);
            let is_within_grace = grace > 0 && (-CLOCK_SKEW..=grace).contains(&since);
            let is_unused = match &token.successor_hash {
                Some(stored) if *stored == successor.token_hash => {
                    find_in(&mut transaction, stored)
                        .await?
                        .is_some_and(|successor| successor.used_at.is_none())
                }
                _ => false,
            };
            if is_within_grace && is_unused {
                Rotation::Successor
            } else {
                grants::revoke(&mut *transaction, &token.grant_id, now).await?;
                Rotation::Reused
            }
        }
    };
    transaction.commit().await?;
    Ok(rotation)
}

/// Deletes the tokens of a family before this number: one row, save after a change of the limit. `false` if one of them was
/// used recently: a thief who rotates as fast as possible wants the owner's token to be forgotten.
async fn forget(
    connection: &mut AnyConnection,
    grant: &str,
    kept: i64,
    now: Seconds,
) -> Result<bool, StoreError> {
    let recent = sqlx::query(
        "SELECT token_hash FROM refresh_tokens \
         WHERE grant_id = $1 AND number < $2 AND used_at > $3 LIMIT 1",
    )
    .bind(grant)
    .bind(kept)
    .bind(now.saturating_sub(USED_TOKENS_KEPT))
    .fetch_optional(&mut *connection)
    .await?;
    if recent.is_some() {
        return Ok(false);
    }
    sqlx::query("DELETE FROM refresh_tokens WHERE grant_id = $1 AND number < $2")
        .bind(grant)
        .bind(kept)
        .execute(connection)
        .await?;
    Ok(true)
}

fn read(row: &AnyRow, expires_at: &'static str) -> Result<RefreshToken, StoreError> {
    Ok(RefreshToken {
        token_hash: get(row, "token_hash")?,
        grant_id: get(row, "grant_id")?,
        expires_at: get(row, expires_at)?,
        used_at: get(row, "used_at")?,
        successor_hash: get(row, "successor_hash")?,
        number: get(row, "number")?,
    })
}
