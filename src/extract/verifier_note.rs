use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What the verifier of a token records on the way, for observers. Clones share the value.
#[derive(Clone, Default)]
pub(crate) struct VerifierNote {
    /// As configured.
    issuer: Arc<Mutex<Option<Arc<str>>>>,
}

impl VerifierNote {
    /// Records the issuer. A further call replaces it: if several verifiers verify a token, the
    /// last one counts.
    pub(super) fn set_issuer(&self, issuer: Option<&Arc<str>>) {
        *self.issuer.lock().unwrap_or_else(PoisonError::into_inner) = issuer.cloned();
    }

    pub(crate) fn issuer(&self) -> Option<Arc<str>> {
        self.issuer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for VerifierNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierNote").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}
