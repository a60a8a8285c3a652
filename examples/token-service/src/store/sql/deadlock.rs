//! Transactions that the database ended because each of two waited for the other.

use crate::store::StoreError;

/// PostgreSQL's `deadlock_detected`. SQLite has none: it locks the whole database.
const DEADLOCK: &str = "40P01";

/// Whether the transaction was ended so. Nothing of it happened.
pub(super) fn is_deadlock(error: &StoreError) -> bool {
    error.code().as_deref() == Some(DEADLOCK)
}

/// The result of a transaction, which is tried up to three times if it ends in a deadlock.
macro_rules! retried {
    ($transaction:expr) => {{
        let mut result = $transaction.await;
        for _ in 0..2 {
            match &result {
                Err(error) if $crate::store::sql::deadlock::is_deadlock(error) => {
                    result = $transaction.await;
                }
                _ => break,
            }
        }
        result
    }};
}

pub(super) use retried;

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::cell::Cell;
    use std::error::Error;
    use std::fmt;

    use sqlx::error::{DatabaseError, ErrorKind};

    use crate::store::StoreError;

    /// An error with this code.
    #[derive(Debug)]
    struct Failure(&'static str);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failure {}

    impl DatabaseError for Failure {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }
    }

    #[tokio::test]
    async fn a_transaction_is_tried_again_after_a_deadlock_and_no_other_failure() {
        for (failures, code, is_ok, expected) in [
            (0, "40P01", true, 1),
            (2, "40P01", true, 3),
            (3, "40P01", false, 3),
            (1, "40001", false, 1),
        ] {
            let attempts = Cell::new(0);
            let transaction = async || {
                attempts.set(attempts.get() + 1);
                match attempts.get() > failures {
                    true => Ok(()),
                    false => Err(StoreError::from(sqlx::Error::Database(Box::new(Failure(code))))),
                }
            };
            let result = retried!(transaction());
            assert_eq!((result.is_ok(), attempts.get()), (is_ok, expected), "{failures} {code}");
        }
    }
}
