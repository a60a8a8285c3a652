//! What the service keeps: users, clients, grants and their tokens, keys, limits.
//!
//! All of it is behind [`Store`], so that the endpoints know no database. Everything short-lived is in the store too, so
//! any instance of the service can serve any request. An operation is atomic: it happens whole or not at all, also when
//! the process is killed, and two instances do not undo each other's work.

pub(crate) mod deadline;
mod key_encryption;
mod measured;
mod operations;
mod records;
mod sql;
mod store_error;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use self::key_encryption::{
    KeyEncryption, KeyEncryptionError, KeyEncryptionKey, KeyRow, Protection,
};
pub(crate) use self::measured::Measured;
pub use self::records::{
    Client, ClientAuthentication, ClientDocument, Code, Exchange, Grant, GrantType,
    NewRefreshToken, RefreshToken, Rotation, Session, StoredKey, User,
};
pub use self::sql::{SqlStore, StoredText, Target};
pub use self::store_error::StoreError;

/// Seconds since 1970-01-01 UTC.
pub type Seconds = i64;

/// The whole seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> Seconds {
    Seconds::try_from(duration.as_secs()).unwrap_or(Seconds::MAX)
}

/// How far the clocks of two instances may differ.
pub const CLOCK_SKEW: Seconds = 60;

/// How long an expired row is kept, for instances whose clocks are behind.
pub const PURGE_MARGIN: Seconds = 600;

/// How long a document of a client is kept after its last use; longer while a grant that came of it is in force.
pub const DOCUMENTS_KEPT: Seconds = 30 * 86_400;

/// The grants of one user to one client.
pub const MAX_GRANTS: u32 = 100;

/// The sessions of one user.
pub const MAX_SESSIONS: u32 = 100;

/// The unused codes of one session.
pub const MAX_CODES: u32 = 20;

/// The used refresh tokens of one grant that are kept.
pub const MAX_USED_TOKENS: i64 = 1000;

/// How long each of them is kept, at least: a grant whose tokens are used faster is revoked.
pub const USED_TOKENS_KEPT: Seconds = 86_400;

/// The batches of one kind of row that one [`purge`](Store::purge) deletes.
pub const PURGE_MOST: u32 = 200;

/// The storage of the service.
///
/// Every method fails only if the database does; those about keys and secrets also if one cannot be decrypted.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Adds a user. `false` if the name is taken, also by a client: the `sub` of a token names one or the other.
    async fn add_user(&self, user: &User) -> Result<bool, StoreError>;
    /// The user with this name, also if it is disabled.
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError>;
    /// All users, by name.
    async fn users(&self) -> Result<Vec<User>, StoreError>;
    /// Replaces the password, ends every session of the user and revokes every grant. `false` if there is no such user.
    async fn set_password(&self, name: &str, hash: &str, now: Seconds) -> Result<bool, StoreError>;
    /// Disables the user, ends every session and revokes every grant. `false` if there is no such user.
    async fn disable_user(&self, name: &str, now: Seconds) -> Result<bool, StoreError>;

    /// Adds a client. `false` if the ID is taken, also by a user.
    async fn add_client(&self, client: &Client) -> Result<bool, StoreError>;
    /// The client with this ID.
    async fn client(&self, id: &str) -> Result<Option<Client>, StoreError>;
    /// All clients, by ID.
    async fn clients(&self) -> Result<Vec<Client>, StoreError>;
    /// Replaces the hash of the secret. `false` if there is no such client, or it has no secret.
    async fn set_client_secret(&self, id: &str, hash: &str) -> Result<bool, StoreError>;

    /// The stored document of a client at this URL, also if it has expired.
    async fn client_document(&self, url: &str) -> Result<Option<ClientDocument>, StoreError>;
    /// Stores a document in place of an earlier one of this URL.
    ///
    /// There are at most about `max`: others are deleted with each new one, first those of clients without a grant in force,
    /// and of them those that were not used for longest. A failure of that is only logged.
    async fn put_client_document(
        &self,
        document: &ClientDocument,
        max: u32,
        now: Seconds,
    ) -> Result<(), StoreError>;
    /// Notes that a document was used.
    async fn use_client_document(&self, url: &str, now: Seconds) -> Result<(), StoreError>;
    /// Whether a grant to this client that is in force came of its document.
    async fn has_grant_by_document(&self, client: &str, now: Seconds) -> Result<bool, StoreError>;
    /// Lets a document be used until this time without another fetch, and not longer than until it expires.
    async fn keep_client_document(&self, url: &str, until: Seconds) -> Result<(), StoreError>;
    /// Removes a document.
    async fn remove_client_document(&self, url: &str) -> Result<(), StoreError>;

    /// Adds a session. `false` if the user is gone or disabled, or no longer has the password that was checked, whose hash
    /// this is.
    ///
    /// If there is a session with this ID of the same user, it gets the new cookie and times instead, and its earlier
    /// cookie is not valid after that. The session of another user stays as it is.
    ///
    /// A user has at most [`MAX_SESSIONS`]: the oldest is deleted.
    async fn add_session(&self, session: &Session, password_hash: &str)
    -> Result<bool, StoreError>;
    /// The session of this cookie, if it has not expired and its user is not disabled.
    async fn session(&self, cookie: &str, now: Seconds) -> Result<Option<Session>, StoreError>;
    /// Revokes every grant to this client that was made in this session.
    async fn revoke_grants_in(
        &self,
        session: &str,
        client: &str,
        now: Seconds,
    ) -> Result<(), StoreError>;
    /// Ends the session with this ID, and revokes every grant that was made in it.
    async fn end_session(&self, id: &str, now: Seconds) -> Result<(), StoreError>;
    /// Deletes the session with this ID and its unused codes. What was granted in it stays.
    async fn leave_session(&self, id: &str) -> Result<(), StoreError>;

    /// Adds an authorization code. `false` if its session has ended.
    ///
    /// If the database has a clock of its own, it expires by that one: its lifetime is as short as the clocks of two
    /// instances may differ.
    ///
    /// A session has at most [`MAX_CODES`] that are not used: the oldest is deleted.
    async fn add_code(&self, code: &Code) -> Result<bool, StoreError>;
    /// The code with this hash, also if it was exchanged or has expired.
    async fn code(&self, hash: &str) -> Result<Option<Code>, StoreError>;
    /// Exchanges a code for a grant, and adds the grant with its first refresh token. If the code was exchanged before,
    /// revokes that grant instead.
    async fn exchange_code(
        &self,
        hash: &str,
        grant: &Grant,
        refresh: Option<&NewRefreshToken>,
        now: Seconds,
    ) -> Result<Exchange, StoreError>;

    /// Adds a grant with its first refresh token. `false` if the user is gone or disabled, or no longer has the password
    /// that was checked, whose hash this is.
    ///
    /// A user has at most [`MAX_GRANTS`] grants to one client: the oldest is deleted.
    async fn add_grant(
        &self,
        grant: &Grant,
        refresh: Option<&NewRefreshToken>,
        password_hash: &str,
    ) -> Result<bool, StoreError>;
    /// The grant with this ID, also if it is revoked.
    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError>;
    /// The grant with this ID, also if it is revoked; `None` if the access token with this `jti`, which came of it, was revoked
    /// by itself.
    async fn grant_of_token(&self, id: &str, jti: &str) -> Result<Option<Grant>, StoreError>;
    /// The grants of this user to this client that are in force.
    async fn grants_to(
        &self,
        user: &str,
        client: &str,
        now: Seconds,
    ) -> Result<Vec<Grant>, StoreError>;
    /// Revokes a grant. Nothing happens if it is revoked already or unknown.
    async fn revoke_grant(&self, id: &str, now: Seconds) -> Result<(), StoreError>;

    /// The refresh token with this hash, also if it was used.
    async fn refresh_token(&self, hash: &str) -> Result<Option<RefreshToken>, StoreError>;
    /// The same with its grant, also if that is revoked.
    async fn refresh_token_and_grant(
        &self,
        hash: &str,
    ) -> Result<Option<(RefreshToken, Grant)>, StoreError>;
    /// Uses a refresh token: its successor takes its place.
    ///
    /// If the token was used before, it was at most `grace` ago and the successor was not used, the same successor
    /// stays. A use that seems to be in the future, by at most [`CLOCK_SKEW`], counts as just now. If the database has a clock of
    /// its own, the times are by it, so the clocks of the instances neither shorten nor lengthen the grace. Any other reuse revokes the grant.
    ///
    /// Of a grant, the last [`MAX_USED_TOKENS`] used tokens are kept. The reuse of an older one is only refused, as an unknown
    /// token is.
    async fn rotate(
        &self,
        hash: &str,
        successor: &NewRefreshToken,
        grace: Duration,
        now: Seconds,
    ) -> Result<Rotation, StoreError>;

    /// Revokes an access token by its `jti`, until it expires.
    async fn revoke_token(&self, jti: &str, expires_at: Seconds) -> Result<(), StoreError>;
    /// Whether the access token with this `jti` was revoked by itself.
    async fn is_revoked(&self, jti: &str) -> Result<bool, StoreError>;

    /// Whether this is the first use of the ID. It is remembered until it has expired and is purged.
    async fn use_once(&self, id: &str, expires_at: Seconds) -> Result<bool, StoreError>;

    /// All signing keys, by the time from which they sign.
    async fn signing_keys(&self) -> Result<Vec<StoredKey>, StoreError>;
    /// The IDs of all signing keys, in the same order, also of those that cannot be decrypted.
    async fn signing_key_ids(&self) -> Result<Vec<String>, StoreError>;
    /// Adds a signing key, if the caller has seen every stored one: `seen` are their IDs. So of several instances that
    /// rotate at once, one does. Returns whether it was added. It is not if the keys that the caller has seen are gone.
    async fn add_signing_key(&self, key: &StoredKey, seen: &[String]) -> Result<bool, StoreError>;
    /// The same, and removes all other keys.
    async fn replace_signing_keys(
        &self,
        key: &StoredKey,
        seen: &[String],
    ) -> Result<bool, StoreError>;
    /// Notes that tokens with this lifetime, in seconds, may be signed with any of the keys.
    async fn raise_token_lifetime(&self, seconds: Seconds) -> Result<(), StoreError>;
    /// Removes a signing key.
    async fn remove_signing_key(&self, kid: &str) -> Result<(), StoreError>;

    /// A secret of the service. The first caller's `value` is stored, and everyone gets the stored one.
    async fn secret(&self, name: &str, value: &str) -> Result<String, StoreError>;

    /// Takes one out of the budget `id`, which has room for `burst` and gets one back in each `period`. `Err` is the time
    /// until the next one can be taken. Nothing is taken then.
    async fn take(
        &self,
        id: &str,
        burst: u32,
        period: Duration,
        now_ms: i64,
    ) -> Result<Result<(), Duration>, StoreError>;
    /// How many can be taken out of the budget `id`, at least one. `Err` is the time until the next one can be taken.
    async fn left(
        &self,
        id: &str,
        burst: u32,
        period: Duration,
        now_ms: i64,
    ) -> Result<Result<u32, Duration>, StoreError>;
    /// Gives one back that [`take`](Self::take) took.
    async fn give_back(&self, id: &str, period: Duration, now_ms: i64) -> Result<(), StoreError>;

    /// Deletes rows that expired more than [`PURGE_MARGIN`] ago, `batch` of them at a time, so that it holds no lock for
    /// long, and at most [`PURGE_MOST`] times: the next call deletes the rest. What shows that a code or a refresh token
    /// was used stays as long as its grant, and a document of a client for [`DOCUMENTS_KEPT`]. Returns the number of deleted rows. A failure for one table does not stop it
    /// for the others.
    async fn purge(&self, batch: u32, now: Seconds) -> Result<u64, StoreError>;
    /// Succeeds if the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Closes the connections.
    async fn close(&self);
}
