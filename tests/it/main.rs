//! The integration tests: one binary.

mod authorize;
mod canary;
mod checks;
mod claim_rules;
mod claim_types;
#[cfg(all(feature = "key-file", feature = "oidc-discovery", feature = "test-util"))]
mod cold_starts;
#[cfg(all(
    feature = "config",
    feature = "dpop",
    feature = "grpc-error-info",
    feature = "introspection",
    feature = "metrics",
    feature = "oidc-discovery",
    feature = "query-token",
    feature = "reqwest-0_13",
    feature = "resource-metadata",
    feature = "test-util",
    feature = "token-cache"
))]
mod config;
mod conformance;
mod corpus;
mod deny_list;
mod differential;
#[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13", feature = "test-util"))]
mod discovery;
#[cfg(all(feature = "stream-expiry", feature = "test-util", feature = "axum"))]
mod end_at_expiry;
mod explain;
mod extraction;
#[cfg(feature = "axum")]
mod extractors;
#[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13", feature = "test-util"))]
mod fetching;
#[cfg(all(feature = "axum", feature = "jsonwebtoken-12"))]
mod glob_imports;
#[cfg(all(feature = "introspection", feature = "test-util"))]
mod introspection;
#[cfg(feature = "issuer")]
mod issuer;
#[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13", feature = "test-util"))]
mod issuers;
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
mod jsonwebtoken;
#[cfg(all(feature = "jwks-url", feature = "test-util"))]
mod key_engine;
mod key_files;
mod key_names;
mod key_sets;
mod keys;
#[cfg(feature = "axum")]
mod layer_order;
#[cfg(feature = "axum")]
mod logging;
mod ml_dsa;
mod observe;
mod one_time_tokens;
#[path = "../../src/crypto/tables/mod.rs"]
mod precomputed;
#[cfg(feature = "mcp")]
mod principal;
mod properties;
#[cfg(all(feature = "axum", feature = "test-util"))]
mod protection;
#[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13"))]
mod providers;
mod public_types;
mod readiness;
mod refusals;
#[cfg(all(feature = "axum", feature = "tonic-0_14", feature = "tracing"))]
mod refusals_from_below;
mod replay_store;
#[cfg(feature = "resource-metadata")]
mod resource_metadata;
mod response_bodies;
mod rfc7520;
mod security_page;
mod sender_constrained;
mod servers;
mod sources;
mod support;
mod tables;
#[allow(dead_code)] // The unit tests use more of it.
#[path = "../../src/key/test_keys.rs"]
mod test_keys;
#[cfg(feature = "test-util")]
mod test_util;
#[cfg(feature = "token-cache")]
mod token_cache;
mod token_kinds;
mod token_types;
mod tokens;
mod upstream;
mod vectors;
mod verification;
mod verifier;

use tower_jwt_auth::{Algorithm, VerificationKey};
