//! Why there is no document.

use std::borrow::Cow;
use std::error::Error;

use crate::opaque_error::opaque_error;

/// The kind of a [`DocumentError`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentErrorKind {
    /// The URL may not be fetched, or its host has no address that may be connected to. No connection was made.
    Forbidden,
    /// Too many fetches run at the same time. Nothing was sent.
    Busy,
    /// There was no complete response in time, or the server reports a problem of its own (408, 425, 429 and 5xx). An earlier
    /// document may be used for some more time.
    Unreachable,
    /// The response is not a document that may be used: a redirect or another status, another type, or one that is too long.
    Unusable,
}

/// Why there is no document. It is for the operator's log, not for the client that sent the URL.
///
/// # Example: what may be tried again
///
/// ```
/// use tower_jwt_auth::{DocumentError, DocumentErrorKind};
///
/// fn is_temporary(error: &DocumentError) -> bool {
///     matches!(error.kind(), DocumentErrorKind::Busy | DocumentErrorKind::Unreachable)
/// }
/// ```
pub struct DocumentError {
    kind: DocumentErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DocumentError {
    /// The kind of the error.
    pub fn kind(&self) -> DocumentErrorKind {
        self.kind
    }
}

opaque_error!(DocumentError, kind: DocumentErrorKind);

pub(super) fn busy() -> DocumentError {
    DocumentError::new(DocumentErrorKind::Busy, "too many documents are fetched at the same time")
}
