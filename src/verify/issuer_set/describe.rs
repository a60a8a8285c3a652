//! What a set accepts, for the log line at start-up and for `Debug`.

use std::fmt;
use std::sync::Arc;

use crate::summary::Summary;
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
