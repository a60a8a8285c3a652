use sqlx::AnyConnection;

use super::deadlock::retried;
use super::pool::Pool;
use super::rows::get;
use super::users;
use crate::store::{MAX_SESSIONS, Seconds, Session, StoreError};

pub(super) async fn add(
    pool: &Pool,
    session: &Session,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    if !users::lock_after_login(&mut transaction, &session.user, password_hash).await? {
        transaction.rollback().await?;
        return Ok(false);
    }
    let result = sqlx::query(
        "INSERT INTO sessions (cookie_hash, id, user_name, authenticated_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET cookie_hash = excluded.cookie_hash, \
         authenticated_at = excluded.authenticated_at, expires_at = excluded.expires_at \
         WHERE sessions.user_name = excluded.user_name",
    )
    .bind(&session.cookie_hash)
    .bind(&session.id)
    .bind(&session.user)
    .bind(session.authenticated_at)
    .bind(session.expires_at)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
         WHERE user_name = $1 AND id <> $2 \
         ORDER BY authenticated_at DESC, id LIMIT 100 OFFSET $3)",
    )
    .bind(&session.user)
    .bind(&session.id)
    .bind(i64::from(MAX_SESSIONS) - 1)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(result.rows_affected() == 1)
}

/// Locks the session until the transaction ends. `false` if it has ended.
pub(super) async fn lock(connection: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    let result = sqlx::query("UPDATE sessions SET expires_at = expires_at WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

pub(super) async fn find(
    pool: &Pool,
    cookie: &str,
    now: Seconds,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query(
        "SELECT cookie_hash, id, user_name, authenticated_at, expires_at FROM sessions \
         WHERE cookie_hash = $1 AND expires_at > $2",
    )
    .bind(cookie)
    .bind(now)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Session {
        cookie_hash: get(&row, "cookie_hash")?,
        id: get(&row, "id")?,
        user: get(&row, "user_name")?,
        authenticated_at: get(&row, "authenticated_at")?,
        expires_at: get(&row, "expires_at")?,
    }))
}

pub(super) async fn revoke_grants_in(
    pool: &Pool,
    session: &str,
    client: &str,
    now: Seconds,
) -> Result<(), StoreError> {
    retried!(try_revoke_grants_in(pool, session, client, now))
}

async fn try_revoke_grants_in(
    pool: &Pool,
    session: &str,
    client: &str,
    now: Seconds,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    lock_user_of(&mut transaction, session).await?;
    sqlx::query(
        "UPDATE grants SET revoked_at = $3 \
         WHERE session_id = $1 AND client_id = $2 AND revoked_at IS NULL",
    )
    .bind(session)
    .bind(client)
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn end(pool: &Pool, id: &str, now: Seconds) -> Result<(), StoreError> {
    retried!(try_end(pool, id, now))
}

async fn try_end(pool: &Pool, id: &str, now: Seconds) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    lock_user_of(&mut transaction, id).await?;
    delete(&mut transaction, id).await?;
    sqlx::query("UPDATE grants SET revoked_at = $2 WHERE session_id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn leave(pool: &Pool, id: &str) -> Result<(), StoreError> {
    retried!(try_leave(pool, id))
}

async fn try_leave(pool: &Pool, id: &str) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    lock_user_of(&mut transaction, id).await?;
    delete(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Locks the user of a session until the transaction ends, also if the session has ended. So statements about many rows of
/// the user follow each other.
async fn lock_user_of(connection: &mut AnyConnection, session: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE users SET created_at = created_at WHERE name IN \
         (SELECT user_name FROM sessions WHERE id = $1 \
         UNION SELECT user_name FROM grants WHERE session_id = $1)",
    )
    .bind(session)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the session and its unused codes.
async fn delete(connection: &mut AnyConnection, id: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM codes WHERE session_id = $1 AND grant_id IS NULL")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
