//! The configuration of a layer as data: its members, its errors, its formats.

mod contradictions;
mod errors;
mod formats;
mod introspection;
mod issuers;
mod layers;
mod members;
mod possession;
mod shared_uses;
mod workloads;
mod wrong_members;

use std::path::{Path, PathBuf};

use serde_json::json;
use tower_jwt_auth::{Algorithm, ConfigError, JwtAuthLayer, LayerConfig, RegisteredClaims};

use crate::support::{AUDIENCE, ISSUER, key};

/// The members of an issuer with a secret, without a header for the table.
fn issuer_with_secret() -> String {
    format!(
        "issuer = '{ISSUER}'\naudience = '{AUDIENCE}'\nsecret_file = '{}'\nalgorithms = 'HS256'\n",
        secret_file().display()
    )
}

/// A whole configuration: `top` is before the issuer, `more` are members of the issuer.
fn toml_with(top: &str, more: &str) -> String {
    format!("{top}\n[issuers.main]\n{}{more}", issuer_with_secret())
}

fn config(toml: &str) -> LayerConfig {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

fn layer(toml: &str) -> JwtAuthLayer {
    JwtAuthLayer::from_config(&config(toml)).unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

fn error_of(toml: &str) -> ConfigError {
    match JwtAuthLayer::<RegisteredClaims>::from_config(&config(toml)) {
        Ok(layer) => panic!("{} is accepted:\n{toml}", layer.describe()),
        Err(error) => error,
    }
}

fn secret_file() -> PathBuf {
    file("secret", key(Algorithm::HS256).secret())
}

/// Writes a file in the folder of the tests. Tests that use one name write the same text.
fn file(name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{}-{name}", std::process::id()));
    // Whole or not at all, since other tests may be reading it.
    let unfinished =
        folder.join(format!("{}-{name}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::write(&unfinished, contents).unwrap();
    std::fs::rename(&unfinished, &path).unwrap();
    path
}

/// A token of the issuer that does not expire soon, with this scope.
fn token(algorithm: Algorithm, scope: &str) -> String {
    key(algorithm).token(&json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": 4_102_444_800_u64, "scope": scope,
    }))
}
