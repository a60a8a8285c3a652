use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::deadlock::retried;
use super::pool::Pool;
use super::rows::{get, list, text};
use crate::access_tokens;
use crate::store::{Seconds, StoreError, User};

pub(super) async fn add(pool: &Pool, user: &User) -> Result<bool, StoreError> {
    if access_tokens::is_reserved(&user.name) {
        return Ok(false);
    }
    let result = sqlx::query(
        "INSERT INTO users (name, password_hash, scope, created_at, disabled_at) \
         SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM clients WHERE id = $1) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(&user.name)
    .bind(&user.password_hash)
    .bind(text(&user.scopes))
    .bind(user.created_at)
    .bind(user.disabled_at)
    .execute(pool)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub(super) async fn find(pool: &Pool, name: &str) -> Result<Option<User>, StoreError> {
    let row = sqlx::query(
        "SELECT name, password_hash, scope, created_at, disabled_at FROM users WHERE name = $1",
    )
    .bind(name)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn all(pool: &Pool) -> Result<Vec<User>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, password_hash, scope, created_at, disabled_at FROM users ORDER BY name",
    )
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn set_password(
    pool: &Pool,
    name: &str,
    hash: &str,
    now: Seconds,
) -> Result<bool, StoreError> {
    retried!(try_set_password(pool, name, hash, now))
}

async fn try_set_password(
    pool: &Pool,
    name: &str,
    hash: &str,
    now: Seconds,
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let result = sqlx::query("UPDATE users SET password_hash = $2 WHERE name = $1")
        .bind(name)
        .bind(hash)
        .execute(&mut *transaction)
        .await?;
    end_all(&mut transaction, name, now).await?;
    transaction.commit().await?;
    Ok(result.rows_affected() == 1)
}

pub(super) async fn disable(pool: &Pool, name: &str, now: Seconds) -> Result<bool, StoreError> {
    retried!(try_disable(pool, name, now))
}

async fn try_disable(pool: &Pool, name: &str, now: Seconds) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let result =
        sqlx::query("UPDATE users SET disabled_at = COALESCE(disabled_at, $2) WHERE name = $1")
            .bind(name)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
    end_all(&mut transaction, name, now).await?;
    transaction.commit().await?;
    Ok(result.rows_affected() == 1)
}

/// Locks the user until the transaction ends. `false` if it is gone or disabled.
pub(super) async fn lock(connection: &mut AnyConnection, name: &str) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE users SET created_at = created_at WHERE name = $1 AND disabled_at IS NULL",
    )
    .bind(name)
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The same, and `false` too if the user has another password than the one that was checked.
pub(super) async fn lock_after_login(
    connection: &mut AnyConnection,
    name: &str,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE users SET created_at = created_at \
         WHERE name = $1 AND disabled_at IS NULL AND password_hash = $2",
    )
    .bind(name)
    .bind(password_hash)
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends every session of the user, voids its codes and revokes its grants.
async fn end_all(
    connection: &mut AnyConnection,
    name: &str,
    now: Seconds,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE user_name = $1")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM codes WHERE user_name = $1")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE grants SET revoked_at = $2 WHERE user_name = $1 AND revoked_at IS NULL")
        .bind(name)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<User, StoreError> {
    Ok(User {
        name: get(row, "name")?,
        password_hash: get(row, "password_hash")?,
        scopes: list(row, "scope")?,
        created_at: get(row, "created_at")?,
        disabled_at: get(row, "disabled_at")?,
    })
}
