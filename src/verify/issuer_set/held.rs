//! One issuer of a set: who put it there, and what is known of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
#[cfg(not(feature = "jwks-url"))]
pub(super) use std::time::Instant;

#[cfg(feature = "jwks-url")]
pub(super) use tokio::time::Instant;

use super::IssuerTemplate;
use crate::{JwtVerifier, KeyStatus};

/// An issuer, under one name or several.
pub(super) struct Issuer<C> {
    pub(super) verifier: JwtVerifier<C>,
    made: Option<Made<C>>,
}

/// What is known of an issuer that a template made, for a token.
struct Made<C> {
    by: IssuerTemplate<C>,
    at: Instant,
    /// Its keys have been there once, or the application named its tenant: no stranger made it up.
    is_proven: AtomicBool,
    /// The milliseconds between the making and the last token.
    last_used: AtomicU64,
}

impl<C> Issuer<C> {
    pub(super) fn added(verifier: JwtVerifier<C>) -> Self {
        Self { verifier, made: None }
    }

    pub(super) fn made(by: IssuerTemplate<C>, verifier: JwtVerifier<C>) -> Self {
        let is_proven = AtomicBool::new(!by.is_open());
        let made = Made { by, at: now(), is_proven, last_used: AtomicU64::new(0) };
        Self { verifier, made: Some(made) }
    }

    /// Empty when its verifier expects any issuer.
    pub(super) fn names(&self) -> &[String] {
        self.verifier.issuer_names().unwrap_or_default()
    }

    /// What made it; `None` when the application added it.
    pub(super) fn template(&self) -> Option<&IssuerTemplate<C>> {
        self.made.as_ref().map(|made| &made.by)
    }

    /// Whether a token of it is judged at all: its template may have come to think otherwise. Calls
    /// what the application gave.
    pub(super) fn is_still_allowed(&self, name: &str, now: Instant) -> bool {
        let Some(made) = &self.made else { return true };
        let milliseconds = now.saturating_duration_since(made.at).as_millis();
        made.last_used.store(u64::try_from(milliseconds).unwrap_or(u64::MAX), Ordering::Relaxed);
        made.by.allows(name)
    }

    pub(super) fn is_unproven(&self) -> bool {
        self.made.as_ref().is_some_and(|made| !made.is_proven.load(Ordering::Relaxed))
    }

    /// Asks an issuer that is unproven for its keys. Calls what the application gave.
    pub(super) fn prove(&self) {
        if let Some(made) = &self.made
            && !made.is_proven.load(Ordering::Relaxed)
        {
            let status = self.verifier.key_status();
            let is_proven = status.is_ready() || status.fetches_ok() > 0;
            made.is_proven.store(is_proven, Ordering::Relaxed);
        }
    }

    pub(super) fn key_status(&self) -> KeyStatus {
        self.verifier.key_status()
    }

    /// How long ago it was made; no time at all when it was added.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let age = |made: &Made<C>| now.saturating_duration_since(made.at);
        self.made.as_ref().map(age).unwrap_or_default()
    }

    /// How long ago its last token came; no time at all when it was added.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        let last_used = |made: &Made<C>| made.last_used.load(Ordering::Relaxed);
        let last_used = self.made.as_ref().map(last_used).unwrap_or_default();
        self.age(now).saturating_sub(Duration::from_millis(last_used))
    }
}

/// The time by which places are given: no token is judged by it. With keys from the network it is
/// the time of the engine that fetches them.
#[allow(clippy::disallowed_methods, reason = "a `Clock` may stand still, and be set back")]
pub(super) fn now() -> Instant {
    Instant::now()
}
