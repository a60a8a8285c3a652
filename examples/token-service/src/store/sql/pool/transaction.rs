use std::ops::{Deref, DerefMut};

use sqlx::AnyConnection;

use super::Pooled;

/// A transaction. It is rolled back if it is dropped.
#[derive(Debug)]
pub(in crate::store::sql) struct Transaction(Pooled);

impl Transaction {
    pub(super) async fn begin(mut connection: Pooled) -> Result<Self, sqlx::Error> {
        connection.is_in_transaction = true;
        sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
        Ok(Self(connection))
    }

    /// Keeps what was done. If that fails, it may be kept or not.
    pub(in crate::store::sql) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Undoes what was done.
    pub(in crate::store::sql) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(statement).execute(&mut *self.0).await?;
        self.0.is_in_transaction = false;
        self.0.release();
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}
