use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Extensions;

use crate::clock::monotonic;
use crate::extract::{PresentedToken, TokenSource, VerifierNote};
use crate::scheme::TokenScheme;

/// The data about an observed request. It is in the request's extensions as soon as the layer has found a
/// token, or refuses the request without one. It is one pointer in size, since a response future may contain
/// it.
#[derive(Clone)]
pub(crate) struct Observation(Arc<Observed>);

struct Observed {
    began_at: Instant,
    token: Option<ObservedToken>,
    is_decided: AtomicBool,
}

pub(super) struct ObservedToken {
    scheme: TokenScheme,
    source: TokenSource,
    issuer: VerifierNote,
}

/// The observation of a request whose token was not extracted yet.
pub(crate) struct Begun(Instant);

impl Begun {
    pub(super) fn now() -> Self {
        Self(monotonic())
    }

    /// Observes the verification of this token, whose verifier records the issuer.
    #[cold]
    pub(crate) fn follow(self, token: &mut PresentedToken, extensions: &mut Extensions) {
        let note = VerifierNote::default();
        token.take_note(note.clone());
        let (scheme, source) = (token.scheme(), token.source());
        extensions.insert(self.observation(Some(ObservedToken { scheme, source, issuer: note })));
    }

    /// Ends the search for a token: the layer refuses the request without one.
    #[cold]
    pub(crate) fn end(self, extensions: &mut Extensions) {
        extensions.insert(self.observation(None));
    }

    pub(super) fn observation(self, token: Option<ObservedToken>) -> Observation {
        let is_decided = AtomicBool::new(false);
        Observation(Arc::new(Observed { began_at: self.0, token, is_decided }))
    }
}

impl Observation {
    #[cold]
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().cloned()
    }

    pub(super) fn scheme(&self) -> Option<TokenScheme> {
        self.0.token.as_ref().map(|token| token.scheme)
    }

    pub(super) fn source(&self) -> Option<TokenSource> {
        self.0.token.as_ref().map(|token| token.source)
    }

    pub(super) fn issuer(&self) -> Option<Arc<str>> {
        self.0.token.as_ref().and_then(|token| token.issuer.issuer())
    }

    /// The time that the layer took to decide. `None` from the second call on, which reports the refusal of a
    /// service inside.
    pub(super) fn decide(&self) -> Option<Duration> {
        let is_first = !self.0.is_decided.swap(true, Ordering::Relaxed);
        is_first.then(|| monotonic().saturating_duration_since(self.0.began_at))
    }
}
