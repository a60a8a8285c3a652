//! The rules of a verifier, and the cache of the tokens that they accepted.

use std::ops::Deref;
use std::sync::Arc;

use crate::verify::jwt::Rules;
#[cfg(feature = "token-cache")]
use crate::verify::token_cache::Settings;
use crate::verify::token_cache::TokenCache;

/// Rules with their cache. Both are private to this file, and the only way to change the rules empties the cache:
/// so a verifier never finds a token that other rules accepted, such as the laxer ones of a clone.
pub(in crate::verify) struct CachedRules<C> {
    rules: Arc<Rules>,
    cache: TokenCache<C>,
}

impl<C> CachedRules<C> {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules: Arc::new(rules), cache: TokenCache::default() }
    }

    /// The rules, to be changed by a setter. Clones keep the rules and the cache that they have.
    pub(super) fn change(&mut self) -> &mut Rules {
        self.cache = self.cache.fresh();
        Arc::make_mut(&mut self.rules)
    }

    /// The rules for claims of another type.
    pub(super) fn with_claims<D>(self) -> CachedRules<D> {
        CachedRules { rules: self.rules, cache: self.cache.fresh() }
    }

    pub(super) fn cache(&self) -> &TokenCache<C> {
        &self.cache
    }

    #[cfg(feature = "token-cache")]
    pub(super) fn with_cache(self, settings: Settings) -> Self {
        Self { rules: self.rules, cache: TokenCache::new(settings) }
    }
}

impl<C> Deref for CachedRules<C> {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

impl<C> Clone for CachedRules<C> {
    fn clone(&self) -> Self {
        Self { rules: Arc::clone(&self.rules), cache: self.cache.clone() }
    }
}
