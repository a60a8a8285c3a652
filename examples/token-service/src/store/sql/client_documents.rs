use super::pool::Pool;
use super::rows::get;
use crate::store::{ClientDocument, Seconds, StoreError};

/// How many documents beyond the maximum are deleted with a new one.
const SURPLUS: i64 = 100;

pub(super) async fn find(pool: &Pool, url: &str) -> Result<Option<ClientDocument>, StoreError> {
    let row = sqlx::query(
        "SELECT url, document, jwk_set, changed_at, fetched_at, fresh_until, expires_at \
         FROM client_documents WHERE url = $1",
    )
    .bind(url)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(ClientDocument {
        url: get(&row, "url")?,
        document: get(&row, "document")?,
        jwk_set: get(&row, "jwk_set")?,
        changed_at: get(&row, "changed_at")?,
        fetched_at: get(&row, "fetched_at")?,
        fresh_until: get(&row, "fresh_until")?,
        expires_at: get(&row, "expires_at")?,
    }))
}

pub(super) async fn put(
    pool: &Pool,
    new: &ClientDocument,
    max: u32,
) -> Result<Seconds, StoreError> {
    let row = sqlx::query(
        "INSERT INTO client_documents \
         (url, document, jwk_set, changed_at, fetched_at, fresh_until, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (url) DO UPDATE SET \
         changed_at = CASE WHEN client_documents.document = excluded.document \
         THEN client_documents.changed_at ELSE excluded.changed_at END, \
         document = excluded.document, jwk_set = excluded.jwk_set, \
         fetched_at = excluded.fetched_at, fresh_until = excluded.fresh_until, \
         expires_at = excluded.expires_at RETURNING changed_at",
    )
    .bind(&new.url)
    .bind(&new.document)
    .bind(new.jwk_set.as_deref())
    .bind(new.changed_at)
    .bind(new.fetched_at)
    .bind(new.fresh_until)
    .bind(new.expires_at)
    .fetch_one(pool)
    .await?;
    sqlx::query(
        "DELETE FROM client_documents WHERE url IN (SELECT url FROM client_documents \
         ORDER BY fetched_at DESC, url DESC LIMIT $1 OFFSET $2)",
    )
    .bind(SURPLUS)
    .bind(i64::from(max))
    .execute(pool)
    .await?;
    get(&row, "changed_at")
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
