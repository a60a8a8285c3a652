//! How the signing keys and the secrets are encrypted, and their change from one key to another.

use sqlx::AnyConnection;
use zeroize::Zeroizing;

use super::SqlStore;
use super::keys;
use super::rows::get;
use crate::store::{KeyEncryption, KeyRow, Protection, StoreError};

/// Every row with a key. The row `rotation` of `secrets` is a lock, and has no text.
const ALL: &str = "\
    SELECT CAST(1 AS BIGINT) AS of_signing_key, kid AS name, private_key AS value FROM signing_keys \
    UNION ALL SELECT CAST(0 AS BIGINT), name, value FROM secrets WHERE value <> '' ORDER BY 1 DESC, 2";

/// A signing key or a secret as it is stored.
#[derive(Clone)]
pub struct StoredText {
    is_signing_key: bool,
    name: String,
    text: Zeroizing<String>,
}

impl StoredText {
    /// The row.
    pub fn row(&self) -> KeyRow<'_> {
        match self.is_signing_key {
            true => KeyRow::SigningKey(&self.name),
            false => KeyRow::Secret(&self.name),
        }
    }

    /// How it is stored.
    pub fn protection(&self) -> Protection<'_> {
        Protection::of(&self.text)
    }
}

impl std::fmt::Debug for StoredText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredText").field("row", &self.row()).finish_non_exhaustive()
    }
}

/// How the keys in the database are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Encrypted with the first key.
    FirstKey,
    /// Not encrypted.
    Plaintext,
}

impl SqlStore {
    /// Every signing key and secret, as it is stored.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn key_rows(&self) -> Result<Vec<StoredText>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows = all(&mut connection).await?;
        connection.release();
        Ok(rows)
    }

    /// The rows that [`store_keys_as`](Self::store_keys_as) would change. Each of them can be decrypted.
    ///
    /// # Errors
    ///
    /// If the database fails, or one of them cannot be decrypted.
    pub async fn key_rows_to_change(&self, target: Target) -> Result<Vec<StoredText>, StoreError> {
        let first = self.encryption.keys().first().map(|key| key.id());
        let is_done = |row: &StoredText| match (target, row.protection()) {
            (Target::FirstKey, Protection::Encrypted { key_id }) => Some(key_id) == first,
            (Target::Plaintext, protection) => protection == Protection::Plaintext,
            _ => false,
        };
        let mut rows = self.key_rows().await?;
        rows.retain(|row| !is_done(row));
        for row in &rows {
            self.encryption.decrypt(row.row(), &row.text)?;
        }
        Ok(rows)
    }

    /// Stores every signing key and secret like this, one after the other, also beside instances that use them. If it is
    /// interrupted, the next call does the rest. `each` is told of every row that has changed.
    ///
    /// # Errors
    ///
    /// If the database fails, there is no key, or a row cannot be decrypted; then no row has changed.
    pub async fn store_keys_as(
        &self,
        target: Target,
        mut each: impl FnMut(&StoredText),
    ) -> Result<(), StoreError> {
        // Rows that are added or changed meanwhile are done in the next round.
        for _ in 0..10 {
            // A key that is being added is there after this. One that is added later is stored as the others are by then.
            let mut transaction = self.pool.begin().await?;
            keys::lock(&mut transaction).await?;
            transaction.commit().await?;
            let rows = self.key_rows_to_change(target).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let text = self.encryption.decrypt(row.row(), &row.text)?;
                let text = match target {
                    Target::Plaintext => text,
                    Target::FirstKey => Zeroizing::new(self.encryption.encrypt(row.row(), &text)?),
                };
                if self.replace(&row, &text).await? {
                    each(&row);
                }
            }
        }
        self.clear_log().await
    }

    /// Replaces the text of a row, unless it has changed meanwhile.
    async fn replace(&self, row: &StoredText, text: &str) -> Result<bool, StoreError> {
        let statement = match row.is_signing_key {
            true => "UPDATE signing_keys SET private_key = $1 WHERE kid = $2 AND private_key = $3",
            false => "UPDATE secrets SET value = $1 WHERE name = $2 AND value = $3",
        };
        let query = sqlx::query(statement).bind(text).bind(&row.name).bind(row.text.as_str());
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Removes what was replaced from the log of SQLite, unless another process is reading.
    async fn clear_log(&self) -> Result<(), StoreError> {
        if !self.clock.is_remote() {
            sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        }
        Ok(())
    }
}

/// The text of a new row, stored as the others are.
pub(super) async fn encrypt(
    connection: &mut AnyConnection,
    encryption: &KeyEncryption,
    row: KeyRow<'_>,
    text: &str,
) -> Result<String, StoreError> {
    let stored = all(connection).await?;
    let beside: Vec<&str> = stored.iter().map(|row| row.text.as_str()).collect();
    Ok(encryption.encrypt_as(&beside, row, text)?)
}

async fn all(connection: &mut AnyConnection) -> Result<Vec<StoredText>, StoreError> {
    let rows = sqlx::query(ALL).fetch_all(connection).await?;
    let read = |row| {
        Ok(StoredText {
            is_signing_key: get::<i64>(row, "of_signing_key")? != 0,
            name: get(row, "name")?,
            text: Zeroizing::new(get(row, "value")?),
        })
    };
    rows.iter().map(read).collect()
}
