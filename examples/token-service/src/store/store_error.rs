use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use super::KeyEncryptionError;

/// The database failed: it is gone, locked, full, or does not have the expected tables.
#[derive(Debug)]
pub struct StoreError {
    message: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    pub(crate) fn new(message: &'static str) -> Self {
        Self { message, source: None }
    }

    /// The code of the database's own error (SQLSTATE), if it has made one.
    pub(crate) fn code(&self) -> Option<Cow<'_, str>> {
        let source = self.source.as_deref()?.downcast_ref::<sqlx::Error>()?;
        source.as_database_error()?.code()
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<KeyEncryptionError> for StoreError {
    fn from(error: KeyEncryptionError) -> Self {
        Self::new("the keys in the database cannot be used").with_source(error)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::new("the database failed").with_source(error)
    }
}
