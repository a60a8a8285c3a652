use sqlx::AnyPool;

use super::rows::get;
use super::users;
use crate::store::{Seconds, Session, StoreError};

pub(super) async fn add(pool: &AnyPool, session: &Session) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    // A user who was disabled meanwhile gets no session; the page finds none and asks to log in.
    if users::lock(&mut transaction, &session.user).await? {
        sqlx::query(
            "INSERT INTO sessions (cookie_hash, id, user_name, authenticated_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&session.cookie_hash)
        .bind(&session.id)
        .bind(&session.user)
        .bind(session.authenticated_at)
        .bind(session.expires_at)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn find(
    pool: &AnyPool,
    cookie: &str,
    now: Seconds,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query("SELECT * FROM sessions WHERE cookie_hash = $1 AND expires_at > $2")
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

pub(super) async fn end(pool: &AnyPool, id: &str, now: Seconds) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM codes WHERE session_id = $1 AND grant_id IS NULL")
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("UPDATE grants SET revoked_at = $2 WHERE session_id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}
