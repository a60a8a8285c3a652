//! The configuration of a layer as data, which `serde` reads.

mod client;
mod format_error;
mod issuer;
mod keys;
mod layer;
mod layer_config;
mod place;
mod provider;
mod resource;
mod sources;
mod values;
mod verifier;

pub use self::layer_config::LayerConfig;
pub use self::verifier::ConfigVerifier;
