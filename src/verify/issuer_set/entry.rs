use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::verify::issuer_set::template::IssuerTemplate;
use crate::verify::jwt::JwtVerifier;

/// An issuer of a set, under one name or several.
pub(super) struct Issuer<C> {
    pub(super) verifier: JwtVerifier<C>,
    /// The template that added the issuer for a token; `None` if the application added it.
    template: Option<IssuerTemplate<C>>,
    /// The place of an added issuer in the order of adding.
    number: u64,
    /// The number of the issuer's last verified token within the set; 0 if it has none.
    last_verified: AtomicU64,
    /// Whether a waiting request has seen that the issuer's keys were loaded.
    has_keys: AtomicBool,
    /// Whether the set has let go of it. It never takes it back: a later issuer of that name is another one.
    is_removed: AtomicBool,
}

impl<C> Issuer<C> {
    pub(super) fn new(verifier: JwtVerifier<C>, template: Option<IssuerTemplate<C>>) -> Self {
        Self {
            verifier,
            template,
            number: 0,
            last_verified: AtomicU64::new(0),
            has_keys: AtomicBool::new(false),
            is_removed: AtomicBool::new(false),
        }
    }

    pub(super) fn with_number(self, number: u64) -> Self {
        Self { number, ..self }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The expected names; empty if the verifier accepts any issuer.
    pub(super) fn names(&self) -> &[String] {
        self.verifier.issuer_names().unwrap_or_default()
    }

    /// The names that the verifier expects, or the text of the template that added the issuer: never text of a
    /// token.
    pub(super) fn configured_name(&self) -> Option<&Arc<str>> {
        match &self.template {
            Some(template) => Some(template.text()),
            None => self.verifier.rules.issuer().display(),
        }
    }

    pub(super) fn template(&self) -> Option<&IssuerTemplate<C>> {
        self.template.as_ref()
    }

    /// Whether a predicate allowed the issuer: then an untrusted client may have invented its name.
    pub(super) fn is_open(&self) -> bool {
        self.template().is_some_and(IssuerTemplate::is_open)
    }

    /// Calls the application's predicate.
    pub(super) fn is_still_allowed(&self, name: &str) -> bool {
        self.template().is_none_or(|template| template.allows(name))
    }

    /// The number of the issuer's last verified token; 0 if it has none; `None` if no predicate allowed the
    /// issuer.
    pub(super) fn last_verified(&self) -> Option<u64> {
        self.is_open().then(|| self.last_verified.load(Ordering::Relaxed))
    }

    pub(super) fn set_last_verified(&self, number: u64) {
        self.last_verified.store(number, Ordering::Relaxed);
    }

    /// Records whether the issuer's keys were loaded. Calls the source of keys, which may be a custom one.
    pub(super) fn note_keys(&self) {
        if self.is_open() && !self.has_keys() && self.verifier.keys.generation().is_some() {
            self.has_keys.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn has_keys(&self) -> bool {
        self.has_keys.load(Ordering::Relaxed)
    }

    /// The set lets go of it.
    pub(super) fn set_removed(&self) {
        self.is_removed.store(true, Ordering::Release);
    }

    pub(super) fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }
}
