use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::verify::deny_list::revocation::{RevocationQuery, Revoked};

type BoxError = Box<dyn Error + Send + Sync>;

/// A store of revoked tokens, which [`DenyList`](crate::DenyList) asks once for each request with a valid token.
///
/// [`MemoryRevocationStore`](crate::MemoryRevocationStore) is one, for a single process. Implement the trait for a
/// store that several processes share. The example `revocation` of the repository does it for Redis.
///
/// A write must not weaken what is in the store. If there is an entry with the key, the
/// [strictest](Revoked::strictest) effect applies (for "issued before", the later time) and the later
/// [end](crate::Revocation::end), whatever the order in which the writes arrive. A store without fractions of seconds
/// [rounds both up](crate::NumericDate::unix_seconds_rounded_up).
///
/// A store that fails causes a 503, never a pass. There is no time limit for a pending look-up, since the crate needs
/// no runtime. Set one in the client of the store, so that a store that hangs fails too.
///
/// # Example: entries in a database
///
/// ```
/// use std::sync::Arc;
/// use tower_jwt_auth::{NumericDate, RevocationLookup, RevocationQuery, RevocationStore, Revoked};
///
/// # #[derive(Debug)] struct Database;
/// # impl Database {
/// #     async fn find_all(&self, _: &[String]) -> Result<Vec<Option<i64>>, std::io::Error> { Ok(vec![]) }
/// # }
/// #[derive(Debug)]
/// struct InDatabase(Arc<Database>);
///
/// impl RevocationStore for InDatabase {
///     fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
///         let (database, keys) = (Arc::clone(&self.0), Vec::from_iter(query.keys()));
///         RevocationLookup::pending(async move {
///             // The database client has a time limit.
///             let found = database.find_all(&keys).await?;
///             let effect = |issued_before: Option<i64>| match issued_before {
///                 Some(time) => Revoked::IfIssuedBefore(NumericDate::from_unix_seconds(time)),
///                 None => Revoked::Yes,
///             };
///             Ok(found.into_iter().map(effect).collect())
///         })
///     }
/// }
/// ```
pub trait RevocationStore: fmt::Debug + Send + Sync + 'static {
    /// Finds out whether this token is revoked. It must not block.
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup;
}

impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
        (**self).find(query)
    }
}

/// The result of [`RevocationStore::find`], now or later.
///
/// An error means that the store cannot tell whether the token is revoked: the client gets 503. The error is the cause of
/// the rejection, for the operator's log, and is never sent to the client.
pub struct RevocationLookup(pub(super) LookupState);

pub(super) enum LookupState {
    Ready(Found),
    Pending(Pin<Box<dyn Future<Output = Found> + Send>>),
}

pub(super) type Found = Result<Revoked, BoxError>;

impl RevocationLookup {
    /// Creates a look-up whose result is known now. It costs no allocation.
    pub fn ready(found: Result<Revoked, BoxError>) -> Self {
        Self(LookupState::Ready(found))
    }

    /// Creates a look-up whose result comes later, from a future.
    ///
    /// The request waits for the future, so limit its time. The future is dropped if the client disconnects.
    pub fn pending(
        found: impl Future<Output = Result<Revoked, BoxError>> + Send + 'static,
    ) -> Self {
        Self(LookupState::Pending(Box::pin(found)))
    }

    /// Waits for the result if it is not known yet, and returns it. A store that wraps another store uses it.
    ///
    /// # Errors
    ///
    /// When the store cannot tell.
    pub async fn wait(self) -> Result<Revoked, BoxError> {
        match self.0 {
            LookupState::Ready(found) => found,
            LookupState::Pending(found) => found.await,
        }
    }

    /// Whether the result is known now.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, LookupState::Ready(_))
    }
}

impl fmt::Debug for RevocationLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            LookupState::Ready(found) => f.debug_tuple("Ready").field(found).finish(),
            LookupState::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
