//! From flags to settings and a store.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use token_service::Settings;
use token_service::store::SqlStore;
use url::Url;

use super::failure::{Failure, with_causes};
use super::flags::{Database, Serve};
use super::key_encryption;

/// The database without a flag.
const DEFAULT_DATABASE: &str = "sqlite:token-service.db";

/// The URL of the database.
fn url(database: &Database) -> Result<String, Failure> {
    Ok(match (&database.url, &database.file) {
        (Some(url), _) => url.clone(),
        (None, Some(path)) => {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::bad(format!("{} cannot be read: {error}", path.display()))
            })?;
            text.trim().to_owned()
        }
        (None, None) => DEFAULT_DATABASE.to_owned(),
    })
}

/// Refuses a database of several instances without `--issuer`: each would issue tokens in the name of its own address.
pub(super) fn check_issuer_is_given(database: &Database, flags: &Serve) -> Result<(), Failure> {
    let url = url(database)?;
    if flags.issuer.is_none()
        && ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
    {
        return Err(Failure::bad("--issuer is required with a PostgreSQL database"));
    }
    Ok(())
}

/// Opens the database of the flags.
pub(super) async fn open(database: &Database) -> Result<SqlStore, Failure> {
    let url = url(database)?;
    let encryption = key_encryption::from_flags(&database.key_encryption_key_files)?;
    let store = SqlStore::open(&url).await.map_err(|error| {
        // The URL of another kind of database may contain a password.
        match url.strip_prefix("sqlite:") {
            Some(file) => Failure::bad(format!("{file}: {}", with_causes(&error))),
            None => Failure::bad_because(&error),
        }
    })?;
    Ok(store.with_key_encryption(encryption))
}

/// The settings of the flags. `default_issuer` is used without `--issuer`.
pub(super) fn settings(flags: &Serve, default_issuer: String) -> Result<Settings, Failure> {
    let mut settings = Settings::new(flags.issuer.clone().unwrap_or(default_issuer));
    settings.lifetime = Duration::from_secs(flags.lifetime.into());
    settings.refresh_grace = Duration::from_secs(flags.refresh_grace.into());
    settings.key_age = Duration::from_secs(u64::from(flags.key_age) * 86_400);
    settings.docs = !flags.no_docs;
    settings.client_documents = !flags.no_client_metadata_documents;
    settings.dangerous_client_metadata_hosts = flags.dangerous_client_metadata_host.clone();
    settings.access_log = flags.access_log;
    settings.cors_origins = flags.cors_origin.clone();
    settings.requests_per_second = flags.requests_per_second;
    settings.proxy_header = flags.proxy_header;
    settings.trusted_proxies =
        flags.trusted_proxy.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
    for audience in &flags.audience {
        check_audience(audience)?;
    }
    settings.audiences = flags.audience.clone();
    if !flags.scope.is_empty() {
        settings.scopes = flags.scope.iter().map(|text| scope(text)).collect::<Result<_, _>>()?;
    }
    Ok(settings)
}

/// An address, or a network such as `10.0.0.0/8`.
fn network(text: &str) -> Result<IpNet, Failure> {
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        Failure::bad(format!("the trusted proxy {text:?} is not an IP address or network"))
    })
}

/// A resource is an absolute URI without a fragment (RFC 8707 section 2).
pub(super) fn check_audience(audience: &str) -> Result<(), Failure> {
    let url = Url::parse(audience).map_err(|_| {
        Failure::bad(format!("the audience {audience:?} is not a URL, such as https://api.example"))
    })?;
    if url.fragment().is_some() {
        return Err(Failure::bad(format!("the audience {audience:?} must have no fragment")));
    }
    if audience.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Failure::bad(format!("the audience {audience:?} contains a space")));
    }
    Ok(())
}

/// `NAME=MEANING`.
fn scope(text: &str) -> Result<(String, String), Failure> {
    let (name, meaning) = text.split_once('=').unwrap_or((text, text));
    check_scope(name)?;
    Ok((name.to_owned(), meaning.trim().to_owned()))
}

/// The name of a scope (RFC 6749 section 3.3).
pub(super) fn check_scope(name: &str) -> Result<(), Failure> {
    let is_allowed = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if name.is_empty() || !name.chars().all(is_allowed) {
        return Err(Failure::bad(format!(
            "the scope {name:?} must have printable ASCII characters without spaces, quotes and backslashes"
        )));
    }
    Ok(())
}
