//! What loads a set for the cache.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

#[cfg(feature = "key-file")]
use crate::config_error::ConfigError;
#[cfg(feature = "key-file")]
use crate::key::JwkSet;
use crate::key_source::error::KeySourceError;
use crate::key_source::remote::fetch::Loaded;

/// Loads a set for the cache.
pub(super) trait LoadKeys: fmt::Debug + Send + Sync + 'static {
    /// Makes one attempt: fetches the set and parses it.
    fn load(&self) -> Loading<'_>;

    /// The URL or the issuer, for logs.
    fn name(&self) -> &str;

    /// What a remembered set must have been fetched from.
    #[cfg(feature = "key-file")]
    fn identity(&self) -> String;

    /// Reads a set as if it were fetched.
    #[cfg(feature = "key-file")]
    fn read_set(&self, json: &[u8]) -> Result<JwkSet, ConfigError>;
}

pub(super) type Loading<'a> =
    Pin<Box<dyn Future<Output = Result<Loaded, KeySourceError>> + Send + 'a>>;
