//! The list of the operations of a store.

/// Calls a macro with all operations of a [`Store`](crate::store::Store), save `close`: for stores around another one, which
/// do the same with each operation.
#[doc(hidden)]
#[macro_export]
macro_rules! store_operations {
    ($with:ident) => {
        $with! {
            add_user(user: &$crate::store::User) -> bool;
            user(name: &str) -> Option<$crate::store::User>;
            users() -> Vec<$crate::store::User>;
            set_password(name: &str, hash: &str, now: $crate::store::Seconds) -> bool;
            disable_user(name: &str, now: $crate::store::Seconds) -> bool;
            add_client(client: &$crate::store::Client) -> bool;
            client(id: &str) -> Option<$crate::store::Client>;
            clients() -> Vec<$crate::store::Client>;
            set_client_secret(id: &str, hash: &str) -> bool;
            client_document(url: &str) -> Option<$crate::store::ClientDocument>;
            put_client_document(document: &$crate::store::ClientDocument, max: u32, now: $crate::store::Seconds) -> ();
            use_client_document(url: &str, now: $crate::store::Seconds) -> ();
            has_grant_by_document(client: &str, now: $crate::store::Seconds) -> bool;
            keep_client_document(url: &str, until: $crate::store::Seconds) -> ();
            remove_client_document(url: &str) -> ();
            add_session(session: &$crate::store::Session, password_hash: &str) -> bool;
            session(cookie: &str, now: $crate::store::Seconds) -> Option<$crate::store::Session>;
            revoke_grants_in(session: &str, client: &str, now: $crate::store::Seconds) -> ();
            end_session(id: &str, now: $crate::store::Seconds) -> ();
            leave_session(id: &str) -> ();
            add_code(code: &$crate::store::Code) -> bool;
            code(hash: &str) -> Option<$crate::store::Code>;
            exchange_code(hash: &str, grant: &$crate::store::Grant, refresh: Option<&$crate::store::NewRefreshToken>, now: $crate::store::Seconds) -> $crate::store::Exchange;
            add_grant(grant: &$crate::store::Grant, refresh: Option<&$crate::store::NewRefreshToken>, password_hash: &str) -> bool;
            grant(id: &str) -> Option<$crate::store::Grant>;
            grant_of_token(id: &str, jti: &str) -> Option<$crate::store::Grant>;
            grants_to(user: &str, client: &str, now: $crate::store::Seconds) -> Vec<$crate::store::Grant>;
            revoke_grant(id: &str, now: $crate::store::Seconds) -> ();
            refresh_token(hash: &str) -> Option<$crate::store::RefreshToken>;
            refresh_token_and_grant(hash: &str) -> Option<($crate::store::RefreshToken, $crate::store::Grant)>;
            rotate(hash: &str, successor: &$crate::store::NewRefreshToken, grace: ::std::time::Duration, now: $crate::store::Seconds) -> $crate::store::Rotation;
            revoke_token(jti: &str, expires_at: $crate::store::Seconds) -> ();
            is_revoked(jti: &str) -> bool;
            use_once(id: &str, expires_at: $crate::store::Seconds) -> bool;
            signing_keys() -> Vec<$crate::store::StoredKey>;
            signing_key_ids() -> Vec<String>;
            add_signing_key(key: &$crate::store::StoredKey, seen: &[String]) -> bool;
            replace_signing_keys(key: &$crate::store::StoredKey, seen: &[String]) -> bool;
            raise_token_lifetime(seconds: $crate::store::Seconds) -> ();
            remove_signing_key(kid: &str) -> ();
            secret(name: &str, value: &str) -> String;
            take(id: &str, burst: u32, period: ::std::time::Duration, now_ms: i64) -> Result<(), ::std::time::Duration>;
            left(id: &str, burst: u32, period: ::std::time::Duration, now_ms: i64) -> Result<u32, ::std::time::Duration>;
            give_back(id: &str, period: ::std::time::Duration, now_ms: i64) -> ();
            purge(batch: u32, now: $crate::store::Seconds) -> u64;
            ping() -> ();
        }
    };
}
