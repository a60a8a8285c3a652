use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::verify::issuer_set::template::IssuerTemplate;
use crate::verify::jwt::JwtVerifier;

/// An issuer of a set, under one name or several.
pub(super) struct Issuer<C> {
    pub(super) verifier: JwtVerifier<C>,
    /// The template that made it for a token; `None` when the application added it.
    template: Option<IssuerTemplate<C>>,
    /// The number that its last verified token had among those of the set; 0 without one.
    last_verified: AtomicU64,
    /// Whether it has had keys, as far as a waiting request has seen.
    has_keys: AtomicBool,
}

impl<C> Issuer<C> {
    pub(super) fn new(verifier: JwtVerifier<C>, template: Option<IssuerTemplate<C>>) -> Self {
        Self {
            verifier,
            template,
            last_verified: AtomicU64::new(0),
            has_keys: AtomicBool::new(false),
        }
    }

    /// Empty when its verifier expects any issuer.
    pub(super) fn names(&self) -> &[String] {
        self.verifier.issuer_names().unwrap_or_default()
    }

    pub(super) fn template(&self) -> Option<&IssuerTemplate<C>> {
        self.template.as_ref()
    }

    /// Whether a predicate allows it, so that a client may have made up its name.
    pub(super) fn is_open(&self) -> bool {
        self.template().is_some_and(IssuerTemplate::is_open)
    }

    /// Calls the application's predicate.
    pub(super) fn is_still_allowed(&self, name: &str) -> bool {
        self.template().is_none_or(|template| template.allows(name))
    }

    /// When its last token was verified, for an issuer that a predicate allows; 0 for never.
    pub(super) fn last_verified(&self) -> Option<u64> {
        self.is_open().then(|| self.last_verified.load(Ordering::Relaxed))
    }

    pub(super) fn set_last_verified(&self, number: u64) {
        self.last_verified.store(number, Ordering::Relaxed);
    }

    /// Sees whether it has had keys. Calls the source of keys, which may be the application's.
    pub(super) fn note_keys(&self) {
        if self.is_open() && !self.has_keys() && self.verifier.keys.generation().is_some() {
            self.has_keys.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn has_keys(&self) -> bool {
        self.has_keys.load(Ordering::Relaxed)
    }
}
