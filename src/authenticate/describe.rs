//! What a layer says about itself, in its description, in the log event at the start and in `Debug`.

use std::fmt;
#[cfg(feature = "tracing")]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::authenticate::Policy;
use crate::summary::Summary;

impl<C: 'static> Policy<C> {
    /// Describes what the layer accepts.
    pub(crate) fn describe(&self) -> Summary {
        let rule = self.verifier.describe();
        let summary = rule.unwrap_or_else(|| Summary::new("tokens by a custom verifier"));
        let also = [
            (self.optional, "requests without a token"),
            (self.exempt.is_some(), "requests that are exempt"),
        ];
        let summary = also
            .into_iter()
            .filter(|(is_on, _)| *is_on)
            .fold(summary, |summary, (_, what)| summary.and(Summary::new(what)));
        let Some(sources) = &self.sources else { return summary };
        let summary = summary.and(Summary::new(format!("tokens in {sources}")));
        sources.danger().into_iter().fold(summary, Summary::with_danger)
    }

    /// Records that the policy is about to change, so that the log event is written again.
    pub(crate) fn is_to_be_announced(&mut self) {
        #[cfg(feature = "tracing")]
        {
            self.is_announced = AtomicBool::new(false);
        }
    }

    /// Writes the log event with what the layer accepts, once.
    pub(crate) fn announce(&self) {
        #[cfg(feature = "tracing")]
        if !self.is_announced.load(Ordering::Relaxed) && crate::trace::accepts(|| self.describe()) {
            self.is_announced.store(true, Ordering::Relaxed);
        }
    }
}

impl<C> fmt::Debug for Policy<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("optional", &self.optional)
            .field("grpc_answers", &self.grpc.answers)
            .finish_non_exhaustive()
    }
}
