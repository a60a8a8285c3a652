//! Codes, grants, and access tokens that were revoked.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyExecutor};

use super::pool::Pool;
use super::rows::{get, list, text};
use super::{has_nul, refresh_tokens, sessions, users};
use crate::store::{
    Code, Exchange, Grant, MAX_CODES, MAX_GRANTS, NewRefreshToken, Seconds, StoreError,
};

/// `expires_at` is by the clock of the database.
pub(super) async fn add_code(
    pool: &Pool,
    code: &Code,
    expires_at: Seconds,
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let is_alive = match &code.session_id {
        Some(session) => sessions::lock(&mut transaction, session).await?,
        None => users::lock(&mut transaction, &code.user).await?,
    };
    if !is_alive {
        transaction.rollback().await?;
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO codes (code_hash, client_id, user_name, session_id, redirect_uri, \
         code_challenge, scope, resources, nonce, authenticated_at, expires_at, grant_id, client_document) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(&code.code_hash)
    .bind(&code.client_id)
    .bind(&code.user)
    .bind(code.session_id.as_deref())
    .bind(&code.redirect_uri)
    .bind(&code.code_challenge)
    .bind(text(&code.scopes))
    .bind(text(&code.resources))
    .bind(code.nonce.as_deref())
    .bind(code.authenticated_at)
    .bind(expires_at)
    .bind(code.grant_id.as_deref())
    .bind(code.client_document.as_deref())
    .execute(&mut *transaction)
    .await?;
    // A code that is used in the meantime must stay. PostgreSQL does not select again after it has waited for the row, but
    // looks at the outer condition again.
    sqlx::query(
        "DELETE FROM codes WHERE code_hash IN (SELECT code_hash FROM codes \
         WHERE session_id = $1 AND grant_id IS NULL AND code_hash <> $2 \
         ORDER BY expires_at DESC, code_hash LIMIT 100 OFFSET $3) AND grant_id IS NULL",
    )
    .bind(code.session_id.as_deref())
    .bind(&code.code_hash)
    .bind(i64::from(MAX_CODES) - 1)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn find_code(pool: &Pool, hash: &str) -> Result<Option<Code>, StoreError> {
    let row = sqlx::query(
        "SELECT code_hash, client_id, user_name, session_id, redirect_uri, code_challenge, scope, \
         resources, nonce, authenticated_at, expires_at, grant_id, client_document FROM codes WHERE code_hash = $1",
    )
    .bind(hash)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Code {
        code_hash: get(&row, "code_hash")?,
        client_id: get(&row, "client_id")?,
        user: get(&row, "user_name")?,
        session_id: get(&row, "session_id")?,
        redirect_uri: get(&row, "redirect_uri")?,
        code_challenge: get(&row, "code_challenge")?,
        scopes: list(&row, "scope")?,
        resources: list(&row, "resources")?,
        nonce: get(&row, "nonce")?,
        authenticated_at: get(&row, "authenticated_at")?,
        expires_at: get(&row, "expires_at")?,
        grant_id: get(&row, "grant_id")?,
        client_document: get(&row, "client_document")?,
    }))
}

/// A used code expires with its grant. `now` is by the clock of the database.
pub(super) async fn exchange_code(
    pool: &Pool,
    hash: &str,
    grant: &Grant,
    refresh: Option<&NewRefreshToken>,
    now: Seconds,
) -> Result<Exchange, StoreError> {
    let mut transaction = pool.begin().await?;
    let is_user_alive = users::lock(&mut transaction, &grant.user).await?;
    let taken = sqlx::query(
        "UPDATE codes SET grant_id = $2, expires_at = $4 \
         WHERE code_hash = $1 AND grant_id IS NULL AND expires_at > $3",
    )
    .bind(hash)
    .bind(&grant.id)
    .bind(now)
    .bind(grant.expires_at)
    .execute(&mut *transaction)
    .await?;
    if taken.rows_affected() == 1 {
        if !is_user_alive {
            transaction.rollback().await?;
            return Ok(Exchange::Invalid);
        }
        add(&mut transaction, grant, refresh).await?;
        transaction.commit().await?;
        return Ok(Exchange::Granted);
    }
    let row = sqlx::query("SELECT grant_id FROM codes WHERE code_hash = $1")
        .bind(hash)
        .fetch_optional(&mut *transaction)
        .await?;
    let earlier: Option<String> = match row {
        Some(row) => get(&row, "grant_id")?,
        None => None,
    };
    let Some(earlier) = earlier else {
        transaction.rollback().await?;
        return Ok(Exchange::Invalid);
    };
    revoke(&mut *transaction, &earlier, now).await?;
    transaction.commit().await?;
    Ok(Exchange::Reused)
}

pub(super) async fn add_after_login(
    pool: &Pool,
    grant: &Grant,
    refresh: Option<&NewRefreshToken>,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    if !users::lock_after_login(&mut transaction, &grant.user, password_hash).await? {
        transaction.rollback().await?;
        return Ok(false);
    }
    add(&mut transaction, grant, refresh).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Adds a grant with its first refresh token, in a transaction that has locked the user. Deletes the oldest beyond the
/// limit.
async fn add(
    connection: &mut AnyConnection,
    grant: &Grant,
    refresh: Option<&NewRefreshToken>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO grants (id, client_id, user_name, session_id, scope, resources, \
         authenticated_at, created_at, expires_at, revoked_at, client_document) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&grant.id)
    .bind(&grant.client_id)
    .bind(&grant.user)
    .bind(grant.session_id.as_deref())
    .bind(text(&grant.scopes))
    .bind(text(&grant.resources))
    .bind(grant.authenticated_at)
    .bind(grant.created_at)
    .bind(grant.expires_at)
    .bind(grant.revoked_at)
    .bind(grant.client_document.as_deref())
    .execute(&mut *connection)
    .await?;
    if let Some(refresh) = refresh {
        refresh_tokens::add(&mut *connection, &grant.id, refresh, 0).await?;
    }
    sqlx::query(
        "DELETE FROM grants WHERE id IN (SELECT id FROM grants \
         WHERE user_name = $1 AND client_id = $2 AND id <> $3 \
         ORDER BY created_at DESC, id LIMIT 100 OFFSET $4)",
    )
    .bind(&grant.user)
    .bind(&grant.client_id)
    .bind(&grant.id)
    .bind(i64::from(MAX_GRANTS) - 1)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn find(pool: &Pool, id: &str) -> Result<Option<Grant>, StoreError> {
    let row = sqlx::query(
        "SELECT id, client_id, user_name, session_id, scope, resources, authenticated_at, created_at, \
         expires_at, revoked_at, client_document \
         FROM grants WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// One statement, since each request with a token asks for it.
pub(super) async fn find_of_token(
    pool: &Pool,
    id: &str,
    jti: &str,
) -> Result<Option<Grant>, StoreError> {
    let row = sqlx::query(
        "SELECT id, client_id, user_name, session_id, scope, resources, authenticated_at, created_at, \
         expires_at, revoked_at, client_document \
         FROM grants WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE token_id = $2)",
    )
    .bind(id)
    .bind(jti)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn to_client(
    pool: &Pool,
    user: &str,
    client: &str,
    now: Seconds,
) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, client_id, user_name, session_id, scope, resources, authenticated_at, created_at, \
         expires_at, revoked_at, client_document \
         FROM grants WHERE user_name = $1 AND client_id = $2 AND revoked_at IS NULL \
         AND expires_at > $3 ORDER BY created_at DESC",
    )
    .bind(user)
    .bind(client)
    .bind(now)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn has_one_by_document(
    pool: &Pool,
    client: &str,
    now: Seconds,
) -> Result<bool, StoreError> {
    if has_nul(client) {
        return Ok(false);
    }
    let row = sqlx::query(
        "SELECT id FROM grants WHERE client_id = $1 AND client_document IS NOT NULL \
         AND revoked_at IS NULL AND expires_at > $2 LIMIT 1",
    )
    .bind(client)
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.is_some())
}

/// Also a repeated one writes: a synchronous standby may not have the first one, and only a write waits for it.
pub(super) async fn revoke<'c>(
    executor: impl AnyExecutor<'c>,
    id: &str,
    now: Seconds,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE grants SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(executor)
        .await?;
    Ok(())
}

/// Writes always, as [`revoke`].
pub(super) async fn revoke_token(
    pool: &Pool,
    jti: &str,
    expires_at: Seconds,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO revoked_tokens (token_id, expires_at) VALUES ($1, $2) \
         ON CONFLICT (token_id) DO UPDATE SET expires_at = revoked_tokens.expires_at",
    )
    .bind(jti)
    .bind(expires_at)
    .execute(pool)
    .await?;
    Ok(())
}

pub(super) async fn is_revoked(pool: &Pool, jti: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT token_id FROM revoked_tokens WHERE token_id = $1")
        .bind(jti)
        .fetch_optional(pool)
        .await?;
    Ok(row.is_some())
}

pub(super) fn read(row: &AnyRow) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: get(row, "id")?,
        client_id: get(row, "client_id")?,
        user: get(row, "user_name")?,
        session_id: get(row, "session_id")?,
        scopes: list(row, "scope")?,
        resources: list(row, "resources")?,
        authenticated_at: get(row, "authenticated_at")?,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
        revoked_at: get(row, "revoked_at")?,
        client_document: get(row, "client_document")?,
    })
}
