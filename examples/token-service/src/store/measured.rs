//! Measures the operations of a store.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Client, ClientDocument, Code, Exchange, Grant, NewRefreshToken, RefreshToken, Rotation,
    Seconds, Session, Store, StoreError, StoredKey, User,
};
use crate::observe::meters;

/// A store whose operations are measured.
pub(crate) struct Measured {
    store: Arc<dyn Store>,
    running: Arc<AtomicUsize>,
}

impl Measured {
    /// Around this store. Also returns the number of operations that run or wait.
    pub(crate) fn new(store: Arc<dyn Store>) -> (Self, Arc<AtomicUsize>) {
        for operation in OPERATIONS {
            meters::store_operation(operation);
        }
        let running = Arc::new(AtomicUsize::new(0));
        (Self { store, running: Arc::clone(&running) }, running)
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _running = Running::new(&self.running);
        let began = Instant::now();
        let result = future.await;
        meters::stored(operation, result.is_ok(), began.elapsed());
        result
    }
}

/// One operation, also if it is cancelled.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn new(number: &'a AtomicUsize) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Measured").field(&self.store).finish()
    }
}

macro_rules! measured {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        /// The operations, as the metrics name them.
        const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        #[async_trait]
        impl Store for Measured {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                self.measure(stringify!($name), self.store.$name($($argument),*)).await
            })*

            async fn close(&self) {
                self.store.close().await;
            }
        }
    };
}

measured! {
    add_user(user: &User) -> bool;
    user(name: &str) -> Option<User>;
    users() -> Vec<User>;
    set_password(name: &str, hash: &str, now: Seconds) -> bool;
    disable_user(name: &str, now: Seconds) -> bool;
    add_client(client: &Client) -> bool;
    client(id: &str) -> Option<Client>;
    clients() -> Vec<Client>;
    set_client_secret(id: &str, hash: &str) -> bool;
    client_document(url: &str) -> Option<ClientDocument>;
    put_client_document(document: &ClientDocument, max: u32) -> Seconds;
    keep_client_document(url: &str, until: Seconds) -> ();
    remove_client_document(url: &str) -> ();
    add_session(session: &Session, password_hash: &str) -> bool;
    session(cookie: &str, now: Seconds) -> Option<Session>;
    revoke_grants_in(session: &str, client: &str, now: Seconds) -> ();
    end_session(id: &str, now: Seconds) -> ();
    leave_session(id: &str) -> ();
    add_code(code: &Code) -> bool;
    code(hash: &str) -> Option<Code>;
    exchange_code(hash: &str, grant: &Grant, refresh: Option<&NewRefreshToken>, now: Seconds) -> Exchange;
    add_grant(grant: &Grant, refresh: Option<&NewRefreshToken>, password_hash: &str) -> bool;
    grant(id: &str) -> Option<Grant>;
    grant_of_token(id: &str, jti: &str) -> Option<Grant>;
    grants_to(user: &str, client: &str, now: Seconds) -> Vec<Grant>;
    revoke_grant(id: &str, now: Seconds) -> ();
    refresh_token(hash: &str) -> Option<RefreshToken>;
    refresh_token_and_grant(hash: &str) -> Option<(RefreshToken, Grant)>;
    rotate(hash: &str, successor: &NewRefreshToken, grace: Duration, now: Seconds) -> Rotation;
    revoke_token(jti: &str, expires_at: Seconds) -> ();
    is_revoked(jti: &str) -> bool;
    use_once(id: &str, expires_at: Seconds) -> bool;
    signing_keys() -> Vec<StoredKey>;
    add_signing_key(key: &StoredKey, seen: &[String]) -> bool;
    replace_signing_keys(key: &StoredKey, seen: &[String]) -> bool;
    raise_token_lifetime(seconds: Seconds) -> ();
    remove_signing_key(kid: &str) -> ();
    secret(name: &str, value: &str) -> String;
    take(id: &str, burst: u32, period: Duration, now_ms: i64) -> Result<(), Duration>;
    left(id: &str, burst: u32, period: Duration, now_ms: i64) -> Result<u32, Duration>;
    give_back(id: &str, period: Duration, now_ms: i64) -> ();
    purge(batch: u32, now: Seconds) -> u64;
    ping() -> ();
}
