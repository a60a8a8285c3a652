//! The contents of an issuer set, and the rules of eviction. The lock is held while this code runs, so it
//! does not call or drop code of the application: the caller drops the returned values.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config_error::ConfigError;
use crate::key_source::KeySourceError;
use crate::rejection::{Rejection, RejectionKind};
use crate::token::Limits;
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::issuer_set::first_fetches::FirstFetches;
use crate::verify::issuer_set::template::IssuerTemplate;
use crate::verify::issuer_set::unusable;

pub(super) struct Registry<C> {
    /// Issuers that the application named, and issuers seen with a verified token.
    by_name: HashMap<Arc<str>, Arc<Issuer<C>>>,
    /// Issuers that a predicate allows, not yet seen with a verified token, the oldest first.
    unverified: Vec<Arc<Issuer<C>>>,
    first_fetches: FirstFetches,
    templates: Vec<IssuerTemplate<C>>,
    capacity: usize,
    /// The greatest length of a token that an added issuer allows, in bytes.
    max_added_length: usize,
}

/// Issuers that were removed. The caller drops them without the lock.
pub(super) type Removed<C> = Vec<Arc<Issuer<C>>>;

impl<C> Registry<C> {
    /// The slots for issuers that a predicate allows and that have no verified token yet. They do not use
    /// capacity. At most this many issuers can fetch their first keys at a time.
    const MAX_UNVERIFIED: usize = 16;

    pub(super) fn new(capacity: usize) -> Self {
        Self {
            by_name: HashMap::new(),
            unverified: Vec::new(),
            first_fetches: FirstFetches::new(),
            templates: Vec::new(),
            capacity,
            max_added_length: Limits::DEFAULT.token,
        }
    }

    /// The greatest length of a token that an issuer of the set may allow, in bytes. A longer token is not
    /// decoded.
    pub(super) fn max_token_length(&self) -> usize {
        let of_templates = self.templates.iter().map(IssuerTemplate::max_token_length);
        of_templates.fold(self.max_added_length, usize::max)
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) -> Removed<C> {
        self.capacity = capacity;
        self.shrink_to(capacity)
    }

    /// Adds an issuer of the application. Issuers that templates added under the same names are replaced.
    pub(super) fn add(&mut self, issuer: &Arc<Issuer<C>>) -> Result<Removed<C>, ConfigError> {
        let is_added =
            |name: &String| self.by_name.get(&**name).is_some_and(|held| held.template().is_none());
        if issuer.names().iter().any(is_added) {
            return Err(unusable("this issuer is already in the set: remove it first"));
        }
        let removed = issuer.names().iter().filter_map(|name| self.remove(name)).collect();
        self.max_added_length = self.max_added_length.max(issuer.verifier.rules.limits.token);
        self.insert(issuer);
        Ok(removed)
    }

    fn insert(&mut self, issuer: &Arc<Issuer<C>>) {
        for name in issuer.names() {
            self.by_name.insert(name.as_str().into(), Arc::clone(issuer));
        }
    }

    pub(super) fn add_template(&mut self, template: IssuerTemplate<C>) {
        self.templates.push(template);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<Issuer<C>>> {
        let issuer = self.get(name)?;
        self.remove_this(&issuer);
        Some(issuer)
    }

    /// Removes this issuer, but not another one with the same name.
    pub(super) fn remove_this(&mut self, issuer: &Arc<Issuer<C>>) {
        let is_this = |held: &Arc<Issuer<C>>| Arc::ptr_eq(held, issuer);
        issuer.set_removed();
        self.unverified.retain(|held| !is_this(held));
        for name in issuer.names() {
            if self.by_name.get(&**name).is_some_and(is_this) {
                self.by_name.remove(&**name);
            }
        }
    }

    /// Removes the templates with this text and the issuers that they added.
    pub(super) fn remove_template(&mut self, text: &str) -> (Vec<IssuerTemplate<C>>, Removed<C>) {
        let is_of_it = |template: &IssuerTemplate<C>| **template.text() == *text;
        let templates = self.templates.extract_if(.., |template| is_of_it(template)).collect();
        let held = self.by_name.values().chain(&self.unverified);
        let issuers: Vec<_> =
            held.filter(|issuer| issuer.template().is_some_and(is_of_it)).cloned().collect();
        for issuer in &issuers {
            self.remove_this(issuer);
        }
        (templates, issuers)
    }

    /// Returns the issuer with this name; otherwise the templates that match the name. Their predicates were
    /// not called yet.
    pub(super) fn find(&self, name: &str) -> Result<Arc<Issuer<C>>, Vec<IssuerTemplate<C>>> {
        let fits = |template: &&IssuerTemplate<C>| template.tenant(name).is_some();
        self.get(name).ok_or_else(|| self.templates.iter().filter(fits).cloned().collect())
    }

    fn get(&self, name: &str) -> Option<Arc<Issuer<C>>> {
        let unverified = || self.unverified.iter().find(|issuer| issuer.names() == [name]);
        self.by_name.get(name).or_else(unverified).cloned()
    }

    /// Checks for a free slot for one more issuer that a predicate allows.
    ///
    /// # Errors
    ///
    /// When all slots are in use and a request waits for the first keys of each, or when too many issuers were
    /// added without a verified token.
    pub(super) fn has_slot(&self) -> Result<(), Rejection> {
        let is_full = self.unverified.len() >= Self::MAX_UNVERIFIED;
        if is_full && self.oldest_unused().is_none() || !self.first_fetches.is_one_left() {
            let error = KeySourceError::new("too many issuers are fetching their first keys");
            return Err(Rejection::from(error.with_retry_after(Duration::from_secs(1))));
        }
        Ok(())
    }

    /// The oldest issuer without a verified token whose first keys no request waits for.
    fn oldest_unused(&self) -> Option<usize> {
        // An issuer without keys is unused if only the set refers to it.
        let is_unused =
            |issuer: &Arc<Issuer<C>>| issuer.has_keys() || Arc::strong_count(issuer) == 1;
        self.unverified.iter().position(is_unused)
    }

    /// Stores an issuer that a template added for a token. Returns the stored issuer (another one if another
    /// request was faster) and the one that was evicted for it.
    #[allow(clippy::type_complexity, reason = "the stored issuer and the evicted one")]
    pub(super) fn hold(
        &mut self,
        name: &str,
        issuer: &Arc<Issuer<C>>,
    ) -> Result<(Arc<Issuer<C>>, Option<Arc<Issuer<C>>>), Rejection> {
        if let Some(held) = self.get(name) {
            return Ok((held, None));
        }
        // Its template may have been removed in the meantime.
        let is_there =
            |by: &IssuerTemplate<C>| self.templates.iter().any(|one| one.text() == by.text());
        if !issuer.template().is_some_and(is_there) {
            return Err(RejectionKind::WrongIssuer.into());
        }
        if !issuer.is_open() {
            self.insert(issuer);
            return Ok((Arc::clone(issuer), None));
        }
        self.has_slot()?;
        self.first_fetches.take();
        let is_full = self.unverified.len() >= Self::MAX_UNVERIFIED;
        let evicted = self.oldest_unused().filter(|_| is_full);
        let evicted = evicted.map(|oldest| self.unverified.remove(oldest));
        evicted.iter().for_each(|evicted| evicted.set_removed());
        self.unverified.push(Arc::clone(issuer));
        Ok((Arc::clone(issuer), evicted))
    }

    /// Keeps an issuer after its first verified token. In a full set the least recently verified issuer is
    /// evicted for it. An issuer that was removed in the meantime stays removed.
    pub(super) fn keep(&mut self, issuer: &Arc<Issuer<C>>) -> Removed<C> {
        let held = self.unverified.iter().position(|held| Arc::ptr_eq(held, issuer));
        let Some(held) = held else { return Vec::new() };
        self.unverified.remove(held);
        self.first_fetches.give_back();
        let removed = self.shrink_to(self.capacity.saturating_sub(1));
        self.insert(issuer);
        removed
    }

    /// Evicts issuers that predicates allow, the least recently verified first, until `capacity` are left.
    fn shrink_to(&mut self, capacity: usize) -> Removed<C> {
        let mut made: Vec<_> = self
            .by_name
            .values()
            .filter_map(|issuer| Some((issuer.last_verified()?, Arc::clone(issuer))))
            .collect();
        made.sort_unstable_by_key(|(last_verified, _)| *last_verified);
        made.truncate(made.len().saturating_sub(capacity));
        let evicted: Removed<C> = made.into_iter().map(|(_, issuer)| issuer).collect();
        for issuer in &evicted {
            self.remove_this(issuer);
        }
        evicted
    }

    /// The issuers that the application added, once for each name and in no order.
    pub(super) fn added(&self) -> Vec<Arc<Issuer<C>>> {
        self.by_name.values().filter(|issuer| issuer.template().is_none()).cloned().collect()
    }

    /// The issuers that the application named, and those seen with a verified token, sorted by name.
    pub(super) fn known(&self) -> Vec<(String, Arc<Issuer<C>>)> {
        let held = self.by_name.iter();
        let mut known: Vec<_> =
            held.map(|(name, issuer)| ((**name).to_owned(), Arc::clone(issuer))).collect();
        known.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        known
    }

    pub(super) fn templates(&self) -> Vec<IssuerTemplate<C>> {
        self.templates.clone()
    }
}
