//! The configuration of a layer as data, which `serde` reads.

mod around;
mod cache;
mod client;
#[cfg(feature = "jwks-url")]
mod cold_start;
mod dpop;
mod files;
mod format_error;
mod introspection;
mod issuer;
mod issuers;
mod keys;
mod layer;
mod layer_config;
mod place;
mod provider;
mod replay;
mod resource;
mod sources;
mod values;
mod verifier;
mod workload;

pub use self::layer_config::LayerConfig;
pub use self::verifier::ConfigVerifier;
