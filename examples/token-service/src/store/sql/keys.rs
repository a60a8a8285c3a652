//! Signing keys, and the service's other secrets.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::key_rows;
use super::pool::Pool;
use super::rows::get;
use crate::store::{KeyEncryption, KeyRow, Seconds, StoreError, StoredKey};

/// The row of `secrets` that a rotation locks.
const ROTATION: &str = "rotation";

/// In the order of the ring: the database may compare texts in another one.
pub(super) async fn all(
    pool: &Pool,
    encryption: &KeyEncryption,
) -> Result<Vec<StoredKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT kid, algorithm, private_key, created_at, signs_from, token_lifetime \
         FROM signing_keys",
    )
    .fetch_all(pool)
    .await?;
    let mut keys =
        rows.iter().map(|row| read(row, encryption)).collect::<Result<Vec<_>, StoreError>>()?;
    keys.sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
    Ok(keys)
}

pub(super) async fn ids(pool: &Pool) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query("SELECT kid FROM signing_keys ORDER BY signs_from, kid")
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| get(row, "kid")).collect()
}

/// What becomes of the other keys when one is added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Stay,
    Go,
}

pub(super) async fn add(
    pool: &Pool,
    encryption: &KeyEncryption,
    key: &StoredKey,
    seen: &[String],
    others: Others,
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    lock(&mut transaction).await?;
    let rows = sqlx::query("SELECT kid FROM signing_keys").fetch_all(&mut *transaction).await?;
    let stored = rows.iter().map(|row| get(row, "kid")).collect::<Result<Vec<String>, _>>()?;
    // Another one may have removed keys that have ended.
    let is_added =
        stored.is_empty() == seen.is_empty() && stored.iter().all(|kid| seen.contains(kid));
    if is_added {
        // What is removed does not decide how the new key is stored.
        if others == Others::Go {
            sqlx::query("DELETE FROM signing_keys").execute(&mut *transaction).await?;
        }
        let row = KeyRow::SigningKey(&key.kid);
        let private_key =
            key_rows::encrypt(&mut transaction, encryption, row, &key.private_key).await?;
        sqlx::query(
            "INSERT INTO signing_keys (kid, algorithm, private_key, created_at, signs_from, \
             token_lifetime) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&key.kid)
        .bind(&key.algorithm)
        .bind(private_key)
        .bind(key.created_at)
        .bind(key.signs_from)
        .bind(key.token_lifetime)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(is_added)
}

/// Instances that add keys at once follow each other.
pub(super) async fn lock(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO secrets (name, value) VALUES ($1, '') \
         ON CONFLICT (name) DO UPDATE SET value = secrets.value",
    )
    .bind(ROTATION)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn raise_token_lifetime(pool: &Pool, seconds: Seconds) -> Result<(), StoreError> {
    sqlx::query("UPDATE signing_keys SET token_lifetime = $1 WHERE token_lifetime < $1")
        .bind(seconds)
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn remove(pool: &Pool, kid: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM signing_keys WHERE kid = $1").bind(kid).execute(pool).await?;
    Ok(())
}

pub(super) async fn secret(
    pool: &Pool,
    encryption: &KeyEncryption,
    name: &str,
    value: &str,
) -> Result<String, StoreError> {
    let row = KeyRow::Secret(name);
    let mut connection = pool.acquire().await?;
    let stored = find_secret(&mut connection, name).await?;
    connection.release();
    let text = match stored {
        Some(text) => text,
        None => {
            let mut transaction = pool.begin().await?;
            lock(&mut transaction).await?;
            let value = key_rows::encrypt(&mut transaction, encryption, row, value).await?;
            sqlx::query(
                "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            )
            .bind(name)
            .bind(value)
            .execute(&mut *transaction)
            .await?;
            let text = find_secret(&mut transaction, name).await?;
            transaction.commit().await?;
            text.ok_or(sqlx::Error::RowNotFound)?
        }
    };
    Ok(encryption.decrypt(row, &text)?.as_str().to_owned())
}

async fn find_secret(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<Option<Zeroizing<String>>, StoreError> {
    let row = sqlx::query("SELECT value FROM secrets WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(|row| get(row, "value").map(Zeroizing::new)).transpose()
}

fn read(row: &AnyRow, encryption: &KeyEncryption) -> Result<StoredKey, StoreError> {
    let kid: String = get(row, "kid")?;
    let text = Zeroizing::new(get::<String>(row, "private_key")?);
    Ok(StoredKey {
        private_key: encryption.decrypt(KeyRow::SigningKey(&kid), &text)?,
        kid,
        algorithm: get(row, "algorithm")?,
        created_at: get(row, "created_at")?,
        signs_from: get(row, "signs_from")?,
        token_lifetime: get(row, "token_lifetime")?,
    })
}
