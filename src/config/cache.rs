//! The token cache.

use serde::Deserialize;

use crate::config::layer_config::LayerConfig;
#[cfg(not(feature = "token-cache"))]
use crate::config::place::needs;
use crate::config::place::{At, Place};
use crate::config::values::{Given, Whole};
use crate::config_error::ConfigError;
use crate::verify::{IssuerSet, JwtVerifier};

#[cfg_attr(not(feature = "token-cache"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheConfig {
    capacity: Whole,
    #[serde(default)]
    max_token_length: Given<Whole>,
}

impl LayerConfig {
    #[cfg(feature = "token-cache")]
    pub(super) fn with_cache_of_one<C>(
        &self,
        verifier: JwtVerifier<C>,
    ) -> Result<JwtVerifier<C>, ConfigError> {
        let Some(cache) = &*self.0.token_cache else { return Ok(verifier) };
        let place = Place::default().member("token_cache");
        let capacity = cache.capacity.as_usize();
        let verifier = verifier.with_token_cache(capacity).at(&place.member("capacity"))?;
        match *cache.max_token_length {
            Some(length) => {
                let place = place.member("max_token_length");
                verifier.with_max_cached_token_length(length.as_usize()).at(&place)
            }
            None => Ok(verifier),
        }
    }

    #[cfg(feature = "token-cache")]
    pub(super) fn with_cache_of_set<C>(
        &self,
        set: IssuerSet<C>,
    ) -> Result<IssuerSet<C>, ConfigError> {
        let Some(cache) = &*self.0.token_cache else { return Ok(set) };
        let place = Place::default().member("token_cache");
        let capacity = cache.capacity.as_usize();
        let set = set.with_token_cache(capacity).at(&place.member("capacity"))?;
        match *cache.max_token_length {
            Some(length) => {
                let place = place.member("max_token_length");
                set.with_max_cached_token_length(length.as_usize()).at(&place)
            }
            None => Ok(set),
        }
    }

    #[cfg(not(feature = "token-cache"))]
    pub(super) fn with_cache_of_one<C>(
        &self,
        verifier: JwtVerifier<C>,
    ) -> Result<JwtVerifier<C>, ConfigError> {
        self.without_cache().map(|()| verifier)
    }

    #[cfg(not(feature = "token-cache"))]
    pub(super) fn with_cache_of_set<C>(
        &self,
        set: IssuerSet<C>,
    ) -> Result<IssuerSet<C>, ConfigError> {
        self.without_cache().map(|()| set)
    }

    #[cfg(not(feature = "token-cache"))]
    fn without_cache(&self) -> Result<(), ConfigError> {
        match *self.0.token_cache {
            Some(_) => Err(needs("token-cache")).at(&Place::default().member("token_cache")),
            None => Ok(()),
        }
    }
}
