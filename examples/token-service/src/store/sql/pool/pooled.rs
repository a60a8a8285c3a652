//! A connection that goes back to the pool.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use deadpool::managed::Object;
use sqlx::{AnyConnection, Connection as _};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::connect::{ALIVE, State};
use super::{Place, PooledObject};

/// A connection in use.
///
/// [`release`](Self::release) gives it back. If it is dropped without that, its last statement has failed or was
/// abandoned in the middle: it goes back once it has answered again, or it is closed.
#[derive(Debug)]
pub(in crate::store::sql) struct Pooled {
    /// `None` once it was given back.
    object: Option<PooledObject>,
    state: Arc<State>,
    /// Whether a transaction may have begun that must not stay.
    pub(super) is_in_transaction: bool,
    /// With the first operation of a request.
    _door: Option<OwnedSemaphorePermit>,
}

impl Pooled {
    pub(super) fn new(
        object: PooledObject,
        state: Arc<State>,
        door: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { object: Some(object), state, is_in_transaction: false, _door: door }
    }

    /// Gives it back after a success.
    pub(in crate::store::sql) fn release(mut self) {
        if let Some(mut object) = self.object.take() {
            object.touch();
        }
    }
}

impl Deref for Pooled {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match &self.object {
            Some(object) => &object.raw,
            None => unreachable!("only `release` and `drop` take it"),
        }
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.object {
            Some(object) => &mut object.raw,
            None => unreachable!("only `release` and `drop` take it"),
        }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let state = Arc::clone(&self.state);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(recover(object, state, self.is_in_transaction))),
            Err(_) => drop(Object::take(object)),
        }
    }
}

/// Ends what runs on the connection. One that does not answer in time is closed, with all that were opened before.
async fn recover(mut object: PooledObject, state: Arc<State>, is_in_transaction: bool) {
    let answered = answers(&mut object.raw, is_in_transaction);
    let is_usable = match state.place {
        Place::Server => matches!(timeout(ALIVE, answered).await, Ok(Ok(()))),
        Place::File => answered.await.is_ok(),
        Place::Memory => {
            let _ = answered.await;
            true
        }
    };
    if is_usable {
        object.touch();
        return;
    }
    drop(Object::take(object));
    state.replace_all();
}

async fn answers(
    connection: &mut AnyConnection,
    is_in_transaction: bool,
) -> Result<(), sqlx::Error> {
    if is_in_transaction {
        match sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await {
            // SQLite: there is none.
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    connection.ping().await
}
