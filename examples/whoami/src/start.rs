//! `--key-file` and `--initial-jwks`: keys before the first fetch has succeeded.

use std::path::PathBuf;

use tower_jwt_auth::{JwkSet, JwksUrl, KeyFile, OidcDiscovery};

use crate::flags::{Flags, Start};
use crate::verifier::{cannot_use_file, jwk_set};

/// An error for flags that would have no effect, or share a file.
pub(crate) fn check(flags: &Flags) -> Result<(), String> {
    let Start { key_file, initial_jwks } = &flags.start;
    let is_fetched = flags.keys.discover || flags.keys.jwks_url.is_some();
    let is_one = flags.issuer.issuers.len() < 2;
    match (key_file.is_some() || initial_jwks.is_some()) && !(is_fetched && is_one) {
        true => {
            Err("--key-file and --initial-jwks need one issuer, with --discover or --jwks-url"
                .into())
        }
        false => Ok(()),
    }
}

pub(crate) fn url(mut keys: JwksUrl, flags: &Start) -> Result<JwksUrl, String> {
    if let Some(set) = initial_keys(flags)? {
        keys = keys.with_initial_keys(set).map_err(|error| cannot_use_initial(flags, &error))?;
    }
    Ok(match key_file(flags)? {
        Some(file) => keys.with_key_file(file),
        None => keys,
    })
}

pub(crate) fn discovery(mut keys: OidcDiscovery, flags: &Start) -> Result<OidcDiscovery, String> {
    if let Some(set) = initial_keys(flags)? {
        keys = keys.with_initial_keys(set).map_err(|error| cannot_use_initial(flags, &error))?;
    }
    Ok(match key_file(flags)? {
        Some(file) => keys.with_key_file(file),
        None => keys,
    })
}

fn initial_keys(flags: &Start) -> Result<Option<JwkSet>, String> {
    flags.initial_jwks.as_deref().map(jwk_set).transpose()
}

fn cannot_use_initial(flags: &Start, error: &dyn std::error::Error) -> String {
    let path = flags.initial_jwks.as_deref().unwrap_or(std::path::Path::new("the file"));
    cannot_use_file(path, error)
}

fn key_file(flags: &Start) -> Result<Option<KeyFile>, String> {
    let new = |path: &PathBuf| KeyFile::new(path).map_err(|error| cannot_use_file(path, &error));
    flags.key_file.as_ref().map(new).transpose()
}
