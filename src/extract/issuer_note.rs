use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The issuer of a token, which the verifier of the token records for observers, as configured.
/// Clones share the value.
#[derive(Clone, Default)]
pub(crate) struct IssuerNote(Arc<Mutex<Option<Arc<str>>>>);

impl IssuerNote {
    /// Records the issuer. A further call replaces it: if several verifiers verify a token, the
    /// last one counts.
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
