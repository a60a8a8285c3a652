//! The HTTP client for keys that are fetched.

#[cfg(feature = "jwks-url")]
use std::sync::Arc;

#[cfg(feature = "jwks-url")]
use crate::config::place::Place;
#[cfg(feature = "jwks-url")]
use crate::config_error::ConfigError;
#[cfg(feature = "jwks-url")]
use crate::key_source::Fetch;
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::HttpFetch;

/// The client of the crate, if feature `reqwest-0_13` is on, or the application's.
#[derive(Clone)]
pub(super) struct Client {
    #[cfg(feature = "jwks-url")]
    fetch: Option<Arc<dyn Fetch>>,
    #[cfg(feature = "introspection")]
    is_of_crate: bool,
}

impl Client {
    pub(super) fn of_crate() -> Self {
        Self {
            #[cfg(feature = "reqwest-0_13")]
            fetch: Some(Arc::new(HttpFetch::default())),
            #[cfg(all(feature = "jwks-url", not(feature = "reqwest-0_13")))]
            fetch: None,
            #[cfg(feature = "introspection")]
            is_of_crate: true,
        }
    }

    #[cfg(feature = "jwks-url")]
    pub(super) fn custom(fetch: impl Fetch) -> Self {
        Self {
            fetch: Some(Arc::new(fetch)),
            #[cfg(feature = "introspection")]
            is_of_crate: false,
        }
    }

    #[cfg(feature = "introspection")]
    pub(super) fn is_of_crate(&self) -> bool {
        self.is_of_crate
    }

    /// For the member at this place.
    #[cfg(feature = "jwks-url")]
    pub(super) fn get(&self, place: &Place) -> Result<Arc<dyn Fetch>, ConfigError> {
        self.fetch.clone().ok_or_else(|| {
            place.error(
                "this needs an HTTP client: the feature `reqwest-0_13` of tower-jwt-auth, or a method that ends in \
                 `_with`",
            )
        })
    }
}
