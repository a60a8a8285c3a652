//! The cache of a set, in front of its choice of an issuer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

#[cfg(feature = "token-cache")]
use crate::config_error::ConfigError;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::rejection::Rejection;
use crate::verify::issuer_set::IssuerSet;
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::token_cache;
use crate::verify::token_cache::Sought;
#[cfg(feature = "token-cache")]
use crate::verify::token_cache::TokenCache;
use crate::verify::verified_token::VerifiedToken;

/// The issuer of a cached token: an entry does not hold its keys.
#[cfg_attr(not(feature = "token-cache"), allow(dead_code, reason = "read by a cache alone"))]
pub(super) struct Chosen<C> {
    issuer: Weak<Issuer<C>>,
    /// The number of changes to the set before the issuer was chosen.
    changes: u64,
}

/// A verification that the cache may keep.
pub(super) struct Note {
    pub(super) token: token_cache::Note,
    changes: u64,
}

#[cfg(feature = "token-cache")]
impl<C> IssuerSet<C> {
    /// Keeps verified tokens of all issuers, so that a token that was seen before costs no signature check and is
    /// not parsed; off by default. For the capacity, and for what stays the same, see
    /// [`JwtVerifier::with_token_cache`](crate::JwtVerifier::with_token_cache).
    ///
    /// After each call that adds or removes an issuer or a template, or sets the capacity of the set, all tokens
    /// are verified again. A token is also verified again when its issuer was evicted, or has a new set of keys.
    /// The predicates of templates ([`allow_if`](crate::IssuerTemplate::allow_if)) are called for each request.
    ///
    /// Clones that are made later share the cache; earlier clones do not use it.
    ///
    /// # Errors
    ///
    /// When the capacity is 0, or more than 16777216.
    pub fn with_token_cache(self, capacity: usize) -> Result<Self, ConfigError> {
        let settings = self.cache.settings().with_capacity(capacity)?;
        Ok(Self { cache: TokenCache::new(settings), ..self })
    }

    /// Replaces the greatest length of a token that the [cache](Self::with_token_cache) keeps, in bytes; 4096 by
    /// default. A longer token is verified each time. This setting alone turns no cache on; the order of the two
    /// calls does not matter.
    ///
    /// # Errors
    ///
    /// When the length is less than 128 or more than 65536.
    pub fn with_max_cached_token_length(self, bytes: usize) -> Result<Self, ConfigError> {
        let settings = self.cache.settings().with_max_length(bytes)?;
        Ok(Self { cache: TokenCache::new(settings), ..self })
    }

    /// The token of a request that was not extracted yet, if it is in the cache.
    pub(super) fn recall_raw(&self, token: &mut RawBearer<'_>) -> Option<VerifiedToken<C>> {
        self.recall(self.cache.sought(token)?).map(|(_, verified)| verified)
    }
}

impl<C> IssuerSet<C> {
    /// The token and its issuer, if it is in the cache and the set would choose the same issuer now.
    pub(super) fn recall(&self, token: Sought<'_>) -> Option<(Arc<Issuer<C>>, VerifiedToken<C>)> {
        let mut chosen = None;
        let verified = self.cache.find(token, |known, validity| {
            let issuer = known.issuer.upgrade().filter(|issuer| !issuer.is_removed())?;
            let is_same = known.changes == self.shared.changes.load(Ordering::Acquire);
            if !is_same || !issuer.names().iter().all(|name| issuer.is_still_allowed(name)) {
                return None;
            }
            let current = issuer.verifier.current(validity);
            chosen = Some(issuer);
            Some(current)
        })?;
        let issuer = chosen?;
        self.verified(&issuer);
        Some((issuer, verified))
    }

    /// Made before an issuer is chosen.
    pub(super) fn note(&self) -> Note {
        let changes = self.shared.changes.load(Ordering::Acquire);
        Note { token: self.cache.note(), changes }
    }

    /// Keeps a token that this issuer's verifier has accepted.
    pub(super) fn keep(
        &self,
        note: Note,
        issuer: &Arc<Issuer<C>>,
        result: Result<VerifiedToken<C>, Rejection>,
    ) -> Result<VerifiedToken<C>, Rejection> {
        let Note { token, changes } = note;
        if let Ok(verified) = &result {
            let bound = || Arc::new(Chosen { issuer: Arc::downgrade(issuer), changes });
            self.cache.store(token, verified, bound);
        }
        result
    }
}
