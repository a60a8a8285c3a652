use std::sync::Arc;

use crate::claims::ScopeHierarchy;
use crate::clock::{Clock, SystemClock};

/// The settings of a verifier that the rules over its tokens use.
#[derive(Clone)]
pub(crate) struct RuleContext {
    pub(crate) clock: Arc<dyn Clock>,
    /// In seconds.
    pub(crate) leeway: u64,
    pub(crate) hierarchy: Option<ScopeHierarchy>,
}

impl RuleContext {
    const DEFAULT_LEEWAY: u64 = 30;
    /// The greatest leeway of any verifier, in seconds.
    pub(super) const MAX_LEEWAY: u64 = 5 * 60;
}

impl Default for RuleContext {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), leeway: Self::DEFAULT_LEEWAY, hierarchy: None }
    }
}
