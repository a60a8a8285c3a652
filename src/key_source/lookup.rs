use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{Algorithm, KeyCandidates, KeySourceError};

/// What a source of keys may know of a token that nobody has verified: its `kid` and its algorithm,
/// and nothing else of the header.
///
/// The `kid` is data from a stranger, up to 3 KiB of any text: compare it, and neither log it nor
/// put it into a path or a URL.
#[derive(Clone, Copy)]
pub struct KeyQuery<'a> {
    kid: Option<&'a str>,
    algorithm: Algorithm,
}

impl<'a> KeyQuery<'a> {
    pub(crate) fn new(kid: Option<&'a str>, algorithm: Algorithm) -> Self {
        Self { kid, algorithm }
    }

    /// The token's `kid`, if it has one.
    pub fn kid(&self) -> Option<&'a str> {
        self.kid
    }

    /// The token's `alg`. A key that is not bound to it is never used, whatever the source answers.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl fmt::Debug for KeyQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyQuery").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

type Found = Result<KeyCandidates, KeySourceError>;

/// The answer of a [`KeySource`](crate::KeySource): a few candidates at once, or later.
///
/// No candidates means that there is no such key (the client gets 401); an error means that it
/// cannot be told (503).
pub struct KeyLookup(pub(crate) LookupState);

pub(crate) enum LookupState {
    Ready(Found),
    Pending(Pin<Box<dyn Future<Output = Found> + Send>>),
}

impl KeyLookup {
    /// The answer is known.
    pub fn ready(found: Result<KeyCandidates, KeySourceError>) -> Self {
        Self(LookupState::Ready(found))
    }

    /// The answer takes time. The request waits for it; when the client goes away, the future is
    /// dropped, so work that others wait for belongs into a task of its own.
    pub fn pending(
        found: impl Future<Output = Result<KeyCandidates, KeySourceError>> + Send + 'static,
    ) -> Self {
        Self(LookupState::Pending(Box::pin(found)))
    }

    /// Whether the answer is known already.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, LookupState::Ready(_))
    }
}

impl fmt::Debug for KeyLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            LookupState::Ready(found) => f.debug_tuple("Ready").field(found).finish(),
            LookupState::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
