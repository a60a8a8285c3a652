use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the verifier of a token records on the way. Clones share the values.
#[derive(Clone, Default)]
pub(crate) struct VerifierNote(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// As configured, for observers.
    issuer: Mutex<Option<Arc<str>>>,
    /// Whether a bound token was accepted, whose binding the caller checks.
    is_bound: AtomicBool,
    /// The note of a layer outside, which gets the issuer too.
    outer: Option<VerifierNote>,
}

impl VerifierNote {
    /// A new note inside of another one.
    pub(super) fn inside(outer: Option<Self>) -> Self {
        Self(Arc::new(Inner { outer, ..Inner::default() }))
    }

    /// Records the issuer. A further call replaces it: if several verifiers verify a token, the
    /// last one counts.
    pub(super) fn set_issuer(&self, issuer: Option<&Arc<str>>) {
        *self.0.issuer.lock().unwrap_or_else(PoisonError::into_inner) = issuer.cloned();
        if let Some(outer) = &self.0.outer {
            outer.set_issuer(issuer);
        }
    }

    pub(crate) fn issuer(&self) -> Option<Arc<str>> {
        self.0.issuer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_bound(&self) {
        self.0.is_bound.store(true, Ordering::Relaxed);
        if let Some(outer) = &self.0.outer {
            outer.set_bound();
        }
    }

    pub(super) fn is_bound(&self) -> bool {
        self.0.is_bound.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for VerifierNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierNote").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}
