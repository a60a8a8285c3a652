//! What a set accepts, for the log line at start-up, for `Debug` and for the metadata of the resource.

use std::fmt;
use std::sync::Arc;

use crate::summary::Summary;
#[cfg(feature = "resource-metadata")]
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::issuer_set::{IssuerSet, IssuerTemplate};

impl<C> IssuerSet<C> {
    /// The issuers and templates that were added until now. Issuers that a template added are not listed: a
    /// client may have named them.
    pub(super) fn summary(&self) -> Summary {
        // Copied first: sources of keys are the application's.
        let (known, templates) = (self.read().known(), self.read().templates());
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

    /// The issuers that were added until now, and those of the tenants that templates name. Issuers that a predicate
    /// allows are not listed: a client may have named them.
    #[cfg(feature = "resource-metadata")]
    pub(super) fn issued_by(&self) -> AcceptedTokens {
        let (known, templates) = (self.read().known(), self.read().templates());
        let added = known.iter().filter(|(_, issuer)| issuer.template().is_none());
        let added = added.map(|(_, issuer)| issuer.verifier.issued_by());
        let named = templates.iter().flat_map(IssuerTemplate::named_issuers);
        let added = added.fold(AcceptedTokens::new(), AcceptedTokens::and);
        named.fold(added, AcceptedTokens::add_authorization_server)
    }
}

impl<C> fmt::Debug for IssuerSet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Copied first, so that the lock is released before the application's formatter is called.
        let (known, templates) = (self.read().known(), self.read().templates());
        let issuers: Vec<_> = known.iter().map(|(name, _)| name).collect();
        f.debug_struct("IssuerSet")
            .field("issuers", &issuers)
            .field("templates", &templates)
            .finish_non_exhaustive()
    }
}
