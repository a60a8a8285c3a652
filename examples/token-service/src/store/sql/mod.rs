//! The store in a database, with SQL that SQLite and PostgreSQL share.
//!
//! A transaction begins with the write that locks the row it is about: a user, a grant or a code. So it waits for another
//! one about the same row, and then sees what that one did. SQLite locks the whole database at this point, and PostgreSQL
//! the row; where there are several, it is in the order user, session, code, grant. A statement about many rows
//! of a user comes after the user is locked. Only the purge may lock such rows in another order; then the database ends
//! one of the two, which is tried again.

mod client_documents;
mod clients;
mod database_clock;
mod deadlock;
mod grants;
mod key_rows;
mod keys;
mod limits;
mod migrations;
mod open;
mod pool;
mod purge;
mod refresh_tokens;
mod rows;
mod sessions;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth::Clock;

use self::database_clock::DatabaseClock;
pub use self::key_rows::{StoredText, Target};
use self::keys::Others;
use self::pool::Pool;

use super::{
    Client, ClientDocument, Code, Exchange, Grant, KeyEncryption, NewRefreshToken, RefreshToken,
    Rotation, Seconds, Session, Store, StoreError, StoredKey, User, deadline,
};

/// The store in a database. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pool: Pool,
    clock: DatabaseClock,
    encryption: KeyEncryption,
    purge_most: u32,
}

impl SqlStore {
    /// Replaces the batches of one kind of row that one purge deletes; [`PURGE_MOST`](super::PURGE_MOST) by default.
    #[must_use]
    pub fn with_purge_most(mut self, batches: u32) -> Self {
        self.purge_most = batches;
        self
    }

    /// Replaces the clock of this process, which is compared with that of the database; `SystemClock` by default.
    #[must_use]
    pub fn with_process_clock(mut self, clock: impl Clock) -> Self {
        self.clock = self.clock.with_process(clock);
        self
    }

    /// Replaces the clock of the database, which all instances share. By default it is that of PostgreSQL, or of this
    /// process with SQLite.
    #[must_use]
    pub fn with_database_clock(mut self, clock: impl Clock) -> Self {
        self.clock = self.clock.with_database(clock);
        self
    }

    /// Replaces the keys that encrypt the signing keys and the secrets in the database; by default there are none.
    ///
    /// A database without keys is encrypted from the beginning. One with keys stays as it is until
    /// [`store_keys_as`](Self::store_keys_as) encrypts them: other instances may not have this key yet.
    #[must_use]
    pub fn with_key_encryption(mut self, encryption: KeyEncryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// The keys that encrypt the signing keys and the secrets.
    pub const fn key_encryption(&self) -> &KeyEncryption {
        &self.encryption
    }

    /// The connections to the database: open, idle, and the most that may be open.
    pub(crate) fn connections(&self) -> (usize, usize, usize) {
        self.pool.connections()
    }

    /// One operation, by the deadline of the request.
    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let result = deadline::within(operation).await;
        if let Err(error) = &result {
            self.pool.note(error);
        }
        result
    }

    /// This time of the caller, in seconds, by the database's clock.
    async fn corrected(&self, now: Seconds) -> Result<Seconds, StoreError> {
        Ok(now.saturating_add(self.within(self.clock.ahead(&self.pool)).await?))
    }

    /// The same, in milliseconds.
    async fn corrected_ms(&self, now_ms: i64) -> Result<i64, StoreError> {
        let ahead = self.within(self.clock.ahead(&self.pool)).await?;
        Ok(now_ms.saturating_add(ahead.saturating_mul(1000)))
    }
}

/// Whether a text cannot be that of a row: PostgreSQL has no text with a NUL character, and fails if one is looked for.
fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

#[async_trait]
impl Store for SqlStore {
    async fn add_user(&self, user: &User) -> Result<bool, StoreError> {
        self.within(users::add(&self.pool, user)).await
    }

    async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        if has_nul(name) {
            return Ok(None);
        }
        self.within(users::find(&self.pool, name)).await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.within(users::all(&self.pool)).await
    }

    async fn set_password(&self, name: &str, hash: &str, now: Seconds) -> Result<bool, StoreError> {
        self.within(users::set_password(&self.pool, name, hash, now)).await
    }

    async fn disable_user(&self, name: &str, now: Seconds) -> Result<bool, StoreError> {
        self.within(users::disable(&self.pool, name, now)).await
    }

    async fn add_client(&self, client: &Client) -> Result<bool, StoreError> {
        self.within(clients::add(&self.pool, client)).await
    }

    async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        if has_nul(id) {
            return Ok(None);
        }
        self.within(clients::find(&self.pool, id)).await
    }

    async fn clients(&self) -> Result<Vec<Client>, StoreError> {
        self.within(clients::all(&self.pool)).await
    }

    async fn set_client_secret(&self, id: &str, hash: &str) -> Result<bool, StoreError> {
        self.within(clients::set_secret(&self.pool, id, hash)).await
    }

    async fn client_document(&self, url: &str) -> Result<Option<ClientDocument>, StoreError> {
        if has_nul(url) {
            return Ok(None);
        }
        let ahead = self.within(self.clock.ahead(&self.pool)).await?;
        self.within(client_documents::find(&self.pool, url, ahead)).await
    }

    async fn put_client_document(
        &self,
        document: &ClientDocument,
        max: u32,
        now: Seconds,
    ) -> Result<(), StoreError> {
        let ahead = self.within(self.clock.ahead(&self.pool)).await?;
        self.within(client_documents::put(&self.pool, document, ahead)).await?;
        let deletion = client_documents::delete_surplus(&self.pool, &document.url, max, now);
        client_documents::log_failure(self.within(deletion).await);
        Ok(())
    }

    async fn use_client_document(&self, url: &str, now: Seconds) -> Result<(), StoreError> {
        let now = self.corrected(now).await?;
        self.within(client_documents::note_use(&self.pool, url, now)).await
    }

    async fn has_grant_by_document(&self, client: &str, now: Seconds) -> Result<bool, StoreError> {
        self.within(grants::has_one_by_document(&self.pool, client, now)).await
    }

    async fn keep_client_document(&self, url: &str, until: Seconds) -> Result<(), StoreError> {
        let until = self.corrected(until).await?;
        self.within(client_documents::keep(&self.pool, url, until)).await
    }

    async fn remove_client_document(&self, url: &str) -> Result<(), StoreError> {
        self.within(client_documents::remove(&self.pool, url)).await
    }

    async fn add_session(
        &self,
        session: &Session,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        self.within(sessions::add(&self.pool, session, password_hash)).await
    }

    async fn session(&self, cookie: &str, now: Seconds) -> Result<Option<Session>, StoreError> {
        if has_nul(cookie) {
            return Ok(None);
        }
        self.within(sessions::find(&self.pool, cookie, now)).await
    }

    async fn revoke_grants_in(
        &self,
        session: &str,
        client: &str,
        now: Seconds,
    ) -> Result<(), StoreError> {
        self.within(sessions::revoke_grants_in(&self.pool, session, client, now)).await
    }

    async fn end_session(&self, id: &str, now: Seconds) -> Result<(), StoreError> {
        self.within(sessions::end(&self.pool, id, now)).await
    }

    async fn leave_session(&self, id: &str) -> Result<(), StoreError> {
        self.within(sessions::leave(&self.pool, id)).await
    }

    async fn add_code(&self, code: &Code) -> Result<bool, StoreError> {
        let expires_at = self.corrected(code.expires_at).await?;
        self.within(grants::add_code(&self.pool, code, expires_at)).await
    }

    async fn code(&self, hash: &str) -> Result<Option<Code>, StoreError> {
        if has_nul(hash) {
            return Ok(None);
        }
        self.within(grants::find_code(&self.pool, hash)).await
    }

    async fn exchange_code(
        &self,
        hash: &str,
        grant: &Grant,
        refresh: Option<&NewRefreshToken>,
        now: Seconds,
    ) -> Result<Exchange, StoreError> {
        let now = self.corrected(now).await?;
        self.within(grants::exchange_code(&self.pool, hash, grant, refresh, now)).await
    }

    async fn add_grant(
        &self,
        grant: &Grant,
        refresh: Option<&NewRefreshToken>,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        self.within(grants::add_after_login(&self.pool, grant, refresh, password_hash)).await
    }

    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        if has_nul(id) {
            return Ok(None);
        }
        self.within(grants::find(&self.pool, id)).await
    }

    async fn grant_of_token(&self, id: &str, jti: &str) -> Result<Option<Grant>, StoreError> {
        if has_nul(id) || has_nul(jti) {
            return Ok(None);
        }
        self.within(grants::find_of_token(&self.pool, id, jti)).await
    }

    async fn grants_to(
        &self,
        user: &str,
        client: &str,
        now: Seconds,
    ) -> Result<Vec<Grant>, StoreError> {
        self.within(grants::to_client(&self.pool, user, client, now)).await
    }

    async fn revoke_grant(&self, id: &str, now: Seconds) -> Result<(), StoreError> {
        self.within(grants::revoke(&self.pool, id, now)).await
    }

    async fn refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>, StoreError> {
        if has_nul(hash) {
            return Ok(None);
        }
        self.within(refresh_tokens::find(&self.pool, hash)).await
    }

    async fn refresh_token_and_grant(
        &self,
        hash: &str,
    ) -> Result<Option<(RefreshToken, Grant)>, StoreError> {
        if has_nul(hash) {
            return Ok(None);
        }
        self.within(refresh_tokens::find_with_grant(&self.pool, hash)).await
    }

    async fn rotate(
        &self,
        hash: &str,
        successor: &NewRefreshToken,
        grace: Duration,
        now: Seconds,
    ) -> Result<Rotation, StoreError> {
        let now = self.corrected(now).await?;
        self.within(refresh_tokens::rotate(&self.pool, hash, successor, grace, now)).await
    }

    async fn revoke_token(&self, jti: &str, expires_at: Seconds) -> Result<(), StoreError> {
        self.within(grants::revoke_token(&self.pool, jti, expires_at)).await
    }

    async fn is_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        if has_nul(jti) {
            return Ok(false);
        }
        self.within(grants::is_revoked(&self.pool, jti)).await
    }

    async fn use_once(&self, id: &str, expires_at: Seconds) -> Result<bool, StoreError> {
        self.within(limits::use_once(&self.pool, id, expires_at)).await
    }

    async fn signing_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.within(keys::all(&self.pool, &self.encryption)).await
    }

    async fn signing_key_ids(&self) -> Result<Vec<String>, StoreError> {
        self.within(keys::ids(&self.pool)).await
    }

    async fn add_signing_key(&self, key: &StoredKey, seen: &[String]) -> Result<bool, StoreError> {
        self.within(keys::add(&self.pool, &self.encryption, key, seen, Others::Stay)).await
    }

    async fn replace_signing_keys(
        &self,
        key: &StoredKey,
        seen: &[String],
    ) -> Result<bool, StoreError> {
        self.within(keys::add(&self.pool, &self.encryption, key, seen, Others::Go)).await
    }

    async fn raise_token_lifetime(&self, seconds: Seconds) -> Result<(), StoreError> {
        self.within(keys::raise_token_lifetime(&self.pool, seconds)).await
    }

    async fn remove_signing_key(&self, kid: &str) -> Result<(), StoreError> {
        self.within(keys::remove(&self.pool, kid)).await
    }

    async fn secret(&self, name: &str, value: &str) -> Result<String, StoreError> {
        self.within(keys::secret(&self.pool, &self.encryption, name, value)).await
    }

    async fn take(
        &self,
        id: &str,
        burst: u32,
        period: Duration,
        now_ms: i64,
    ) -> Result<Result<(), Duration>, StoreError> {
        let now_ms = self.corrected_ms(now_ms).await?;
        self.within(limits::take(&self.pool, id, burst, period, now_ms)).await
    }

    async fn left(
        &self,
        id: &str,
        burst: u32,
        period: Duration,
        now_ms: i64,
    ) -> Result<Result<u32, Duration>, StoreError> {
        let now_ms = self.corrected_ms(now_ms).await?;
        self.within(limits::left(&self.pool, id, burst, period, now_ms)).await
    }

    async fn give_back(&self, id: &str, period: Duration, now_ms: i64) -> Result<(), StoreError> {
        let now_ms = self.corrected_ms(now_ms).await?;
        self.within(limits::give_back(&self.pool, id, period, now_ms)).await
    }

    async fn purge(&self, batch: u32, now: Seconds) -> Result<u64, StoreError> {
        let limits = self.corrected(now).await?;
        let batches = (batch, self.purge_most);
        purge::purge(&self.pool, self.clock.is_remote(), batches, now, limits).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
