use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Extensions;

use crate::clock::monotonic;
use crate::extract::{IssuerNote, PresentedToken, TokenScheme};

/// What is known of a request that is observed. It travels in the extensions of the request: it is there
/// from the moment in which the layer has found a token, or has refused for want of one.
#[derive(Clone)]
pub(crate) struct Observation {
    began_at: Instant,
    token: Option<(TokenScheme, IssuerNote)>,
    is_decided: Arc<AtomicBool>,
}

impl Observation {
    pub(super) fn begin() -> Self {
        Self { began_at: monotonic(), token: None, is_decided: Arc::default() }
    }

    /// The layer goes on with this token, whose verifier notes the issuer.
    #[cold]
    pub(crate) fn follow(mut self, token: &mut PresentedToken, extensions: &mut Extensions) {
        let note = IssuerNote::default();
        token.take_note(note.clone());
        self.token = Some((token.scheme(), note));
        extensions.insert(self);
    }

    /// The layer refuses the request for want of a token that it could verify.
    #[cold]
    pub(crate) fn end(self, extensions: &mut Extensions) {
        extensions.insert(self);
    }

    pub(super) fn scheme(&self) -> Option<TokenScheme> {
        self.token.as_ref().map(|(scheme, _)| *scheme)
    }

    pub(super) fn issuer(&self) -> Option<Arc<str>> {
        self.token.as_ref().and_then(|(_, note)| note.issuer())
    }

    /// How long the layer took to decide. `None` once it has decided: what comes then is a part within it.
    pub(super) fn decide(&self) -> Option<Duration> {
        let is_first = !self.is_decided.swap(true, Ordering::Relaxed);
        is_first.then(|| monotonic().saturating_duration_since(self.began_at))
    }
}
