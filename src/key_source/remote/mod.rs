//! Keys from the network: fetched, checked, cached and refreshed. Only this folder uses the
//! network.

mod abort_on_drop;
mod cache_headers;
mod changed_keys;
mod document;
#[cfg(feature = "reqwest-0_13")]
mod documents;
mod fetch;
mod fetch_task;
mod fetch_url;
mod held;
#[cfg(feature = "reqwest-0_13")]
mod http_client;
#[cfg(feature = "oidc-discovery")]
mod issuer_location;
mod jwks_url;
mod key_cache;
#[cfg(feature = "key-file")]
mod key_file;
mod load_keys;
#[cfg(feature = "oidc-discovery")]
mod metadata;
mod meter;
mod newest;
#[cfg(feature = "oidc-discovery")]
mod oidc_discovery;
#[cfg(feature = "oidc-discovery")]
mod oidc_loader;
#[cfg(feature = "introspection")]
mod post;
mod retry_after;
mod schedule;
mod settings;
mod wait;
mod waiter;

pub use self::changed_keys::ChangedKeys;
#[cfg(feature = "reqwest-0_13")]
pub use self::documents::{DocumentClient, DocumentError, DocumentErrorKind, FetchedDocument};
pub use self::fetch::{Fetch, FetchFuture, FetchRequest};
pub use self::fetch_url::FetchUrl;
#[cfg(any(feature = "config", feature = "introspection", feature = "oidc-discovery"))]
pub(crate) use self::fetch_url::HttpHosts;
#[cfg(all(
    any(feature = "config", feature = "introspection", feature = "oidc-discovery"),
    feature = "reqwest-0_13"
))]
pub(crate) use self::http_client::HttpFetch;
#[cfg(feature = "oidc-discovery")]
pub(crate) use self::issuer_location::IssuerLocation;
pub use self::jwks_url::JwksUrl;
#[cfg(feature = "key-file")]
pub use self::key_file::KeyFile;
#[cfg(feature = "oidc-discovery")]
pub use self::oidc_discovery::OidcDiscovery;
#[cfg(feature = "introspection")]
pub(crate) use self::post::{PostFault, Poster};
pub(crate) use self::wait::wait_until;
