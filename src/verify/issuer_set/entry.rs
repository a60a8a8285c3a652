use std::sync::atomic::{AtomicU64, Ordering};

use super::IssuerTemplate;
use crate::JwtVerifier;

/// An issuer of a set, under one name or several.
pub(super) struct Issuer<C> {
    pub(super) verifier: JwtVerifier<C>,
    made: Option<Made<C>>,
}

/// What is known of an issuer that a template made for a token.
struct Made<C> {
    by: IssuerTemplate<C>,
    /// The number that its last verified token had among those of the set; 0 without one.
    last_verified: AtomicU64,
}

impl<C> Issuer<C> {
    pub(super) fn added(verifier: JwtVerifier<C>) -> Self {
        Self { verifier, made: None }
    }

    pub(super) fn made(by: IssuerTemplate<C>, verifier: JwtVerifier<C>) -> Self {
        Self { verifier, made: Some(Made { by, last_verified: AtomicU64::new(0) }) }
    }

    /// Empty when its verifier expects any issuer.
    pub(super) fn names(&self) -> &[String] {
        self.verifier.issuer_names().unwrap_or_default()
    }

    /// The template that made it; `None` when the application added it.
    pub(super) fn template(&self) -> Option<&IssuerTemplate<C>> {
        self.made.as_ref().map(|made| &made.by)
    }

    /// Calls the application's predicate.
    pub(super) fn is_still_allowed(&self, name: &str) -> bool {
        self.template().is_none_or(|template| template.allows(name))
    }

    /// When its last token was verified, for an issuer that a template made; 0 for never.
    pub(super) fn last_verified(&self) -> Option<u64> {
        self.made.as_ref().map(|made| made.last_verified.load(Ordering::Relaxed))
    }

    pub(super) fn set_last_verified(&self, number: u64) {
        if let Some(made) = &self.made {
            made.last_verified.store(number, Ordering::Relaxed);
        }
    }
}
