use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the verifier of a token notes its issuer, as configured. Clones share the note.
#[derive(Clone, Default)]
pub(crate) struct IssuerNote(Arc<Mutex<Option<Arc<str>>>>);

impl IssuerNote {
    /// A further call replaces the issuer: of several verifiers, the last one counts.
    pub(super) fn set(&self, issuer: Option<&Arc<str>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = issuer.cloned();
    }

    pub(crate) fn issuer(&self) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for IssuerNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IssuerNote").field(&self.issuer()).finish()
    }
}
