//! What a set accepts, for the log line at start-up, for `Debug` and for the metadata of the resource.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::summary::Summary;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::issuer_set::registry::Registry;
use crate::verify::issuer_set::{IssuerSet, IssuerTemplate};

impl<C> IssuerSet<C> {
    /// The issuers and templates that were added until now. Issuers that a template added are not listed: a
    /// client may have named them.
    pub(super) fn summary(&self) -> Summary {
        // Copied first: sources of keys are the application's.
        let (known, templates) = self.copied(Registry::known);
        let mut listed: Vec<Arc<Issuer<C>>> = Vec::new();
        let mut summary = Summary::empty();
        for (_, issuer) in known {
            let is_listed = listed.iter().any(|one| Arc::ptr_eq(one, &issuer));
            // An issuer with several names occurs under each of them.
            if issuer.template().is_none() && !is_listed {
                summary = summary.and(issuer.verifier.summary());
                listed.push(issuer);
            }
        }
        let summary = templates.iter().map(IssuerTemplate::summary).fold(summary, Summary::and);
        match summary.accepts().is_empty() {
            true => summary.and(Summary::new("no issuer yet")),
            false => summary,
        }
    }

    /// The issuers that were added until now, in this order, and those of the tenants that templates name. Issuers that
    /// a predicate allows are not listed: a client may have named them. A list is kept until the application changes
    /// the set, since anybody may ask for it.
    pub(super) fn issued_by(&self) -> AcceptedTokens {
        // Read first: a change is counted after it was made, so a list is never kept for later contents.
        let changes = self.shared.changes.load(Ordering::Acquire);
        let kept = self.listed().clone();
        if let Some((of, listed)) = kept
            && of == changes
        {
            return listed;
        }
        let listed = self.list_issuers();
        *self.listed() = Some((changes, listed.clone()));
        listed
    }

    /// Sources of keys are called without a lock, as everywhere in a set.
    fn list_issuers(&self) -> AcceptedTokens {
        let (mut added, templates) = self.copied(Registry::added);
        added.sort_unstable_by_key(|issuer| issuer.number());
        added.dedup_by_key(|issuer| issuer.number());
        let added = added.iter().filter_map(|issuer| issuer.verifier.authorization_server());
        let added = added.fold(AcceptedTokens::new(), AcceptedTokens::add_authorization_server);
        let named = templates.iter().flat_map(IssuerTemplate::named_issuers);
        let all = named.fold(added, AcceptedTokens::add_authorization_server);
        // Who relies on a predicate has to name the issuers otherwise: nothing will be added for them.
        match templates.iter().any(IssuerTemplate::is_open) {
            true => all,
            false => all.that_may_grow(),
        }
    }

    /// A part of the contents, and the templates. The lock is taken once: a second time could wait for a writer that
    /// waits for the first one.
    fn copied<T>(&self, part: impl FnOnce(&Registry<C>) -> T) -> (T, Vec<IssuerTemplate<C>>) {
        let registry = self.read();
        (part(&registry), registry.templates())
    }

    fn listed(&self) -> MutexGuard<'_, Option<(u64, AcceptedTokens)>> {
        self.shared.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> fmt::Debug for IssuerSet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Copied first, so that the lock is released before the application's formatter is called.
        let (known, templates) = self.copied(Registry::known);
        let issuers: Vec<_> = known.iter().map(|(name, _)| name).collect();
        f.debug_struct("IssuerSet")
            .field("issuers", &issuers)
            .field("templates", &templates)
            .finish_non_exhaustive()
    }
}
