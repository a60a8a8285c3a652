//! The documents of clients that are not registered. Their times are by the clock of the database.

use super::pool::Pool;
use super::rows::get;
use crate::store::{ClientDocument, Seconds, StoreError};

/// How many documents beyond the maximum are deleted with a new one.
const SURPLUS: i64 = 100;

/// `ahead` is how far the database's clock is ahead.
pub(super) async fn find(
    pool: &Pool,
    url: &str,
    ahead: Seconds,
) -> Result<Option<ClientDocument>, StoreError> {
    let row = sqlx::query(
        "SELECT url, document, jwk_set, fetched_at, fresh_until, expires_at, used_at \
         FROM client_documents WHERE url = $1",
    )
    .bind(url)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let found = ClientDocument {
        url: get(&row, "url")?,
        document: get(&row, "document")?,
        jwk_set: get(&row, "jwk_set")?,
        fetched_at: get(&row, "fetched_at")?,
        fresh_until: get(&row, "fresh_until")?,
        expires_at: get(&row, "expires_at")?,
        used_at: get(&row, "used_at")?,
    };
    Ok(Some(later(found, ahead.saturating_neg())))
}

/// The document with all its times moved by so much.
fn later(document: ClientDocument, by: Seconds) -> ClientDocument {
    ClientDocument {
        fetched_at: document.fetched_at.saturating_add(by),
        fresh_until: document.fresh_until.saturating_add(by),
        expires_at: document.expires_at.saturating_add(by),
        used_at: document.used_at.saturating_add(by),
        ..document
    }
}

pub(super) async fn put(
    pool: &Pool,
    new: &ClientDocument,
    ahead: Seconds,
) -> Result<(), StoreError> {
    let new = later(new.clone(), ahead);
    sqlx::query(
        "INSERT INTO client_documents \
         (url, document, jwk_set, fetched_at, fresh_until, expires_at, used_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (url) DO UPDATE SET \
         document = excluded.document, jwk_set = excluded.jwk_set, \
         fetched_at = excluded.fetched_at, fresh_until = excluded.fresh_until, \
         expires_at = excluded.expires_at, used_at = excluded.used_at",
    )
    .bind(&new.url)
    .bind(&new.document)
    .bind(new.jwk_set.as_deref())
    .bind(new.fetched_at)
    .bind(new.fresh_until)
    .bind(new.expires_at)
    .bind(new.used_at)
    .execute(pool)
    .await?;
    Ok(())
}

/// A document was stored, so its request does not fail if others cannot be deleted: the next one tries again.
pub(super) fn log_failure(deletion: Result<(), StoreError>) {
    if let Err(error) = deletion {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "documents of clients beyond the maximum could not be deleted");
    }
}

/// Deletes what is beyond the maximum.
///
/// Each is deleted by a statement of its own, so that no two instances wait for each other, and only if it is as it was
/// when it was chosen.
pub(super) async fn delete_surplus(
    pool: &Pool,
    new: &str,
    max: u32,
    now: Seconds,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS documents FROM client_documents");
    let documents: i64 = get(&row.fetch_one(pool).await?, "documents")?;
    let surplus = documents.saturating_sub(i64::from(max));
    if surplus <= 0 {
        return Ok(());
    }
    let chosen = sqlx::query(
        "SELECT url, used_at, CAST(CASE WHEN EXISTS (SELECT 1 FROM grants \
         WHERE grants.client_id = client_documents.url AND client_document IS NOT NULL \
         AND revoked_at IS NULL AND grants.expires_at > $2) THEN 1 ELSE 0 END AS BIGINT) AS granted \
         FROM client_documents WHERE url <> $1 ORDER BY granted, used_at, url LIMIT $3",
    )
    .bind(new)
    .bind(now)
    .bind(surplus.min(SURPLUS))
    .fetch_all(pool)
    .await?;
    for row in &chosen {
        let (url, used_at): (String, Seconds) = (get(row, "url")?, get(row, "used_at")?);
        let granted: i64 = get(row, "granted")?;
        sqlx::query(
            "DELETE FROM client_documents WHERE url = $1 AND used_at = $3 AND (CAST($4 AS BIGINT) = 1 OR NOT EXISTS \
             (SELECT 1 FROM grants WHERE grants.client_id = client_documents.url \
             AND client_document IS NOT NULL AND revoked_at IS NULL AND grants.expires_at > $2))",
        )
        .bind(&url)
        .bind(now)
        .bind(used_at)
        .bind(granted)
        .execute(pool)
        .await?;
    }
    Ok(())
}

pub(super) async fn note_use(pool: &Pool, url: &str, now: Seconds) -> Result<(), StoreError> {
    sqlx::query("UPDATE client_documents SET used_at = $2 WHERE url = $1 AND used_at < $2")
        .bind(url)
        .bind(now)
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn keep(pool: &Pool, url: &str, until: Seconds) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE client_documents SET fresh_until = CASE WHEN expires_at < $2 THEN expires_at \
         ELSE $2 END WHERE url = $1 AND fresh_until < $2",
    )
    .bind(url)
    .bind(until)
    .execute(pool)
    .await?;
    Ok(())
}

pub(super) async fn remove(pool: &Pool, url: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM client_documents WHERE url = $1").bind(url).execute(pool).await?;
    Ok(())
}
