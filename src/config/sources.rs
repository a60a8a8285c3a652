//! The sources of tokens.

use serde::Deserialize;

#[cfg(not(feature = "query-token"))]
use crate::config::place::needs;
use crate::config::place::{At, Place};
use crate::config::values::{Entries, Given, Switch, Table, Texts};
use crate::config_error::ConfigError;
use crate::extract::Source;

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SourcesConfig {
    /// On if it is not given.
    authorization_header: Given<Switch>,
    headers: Given<Texts>,
    cookies: Entries<Table<CookieConfig>>,
    websocket_protocol: Switch,
    websocket_protocol_prefixes: Given<Texts>,
    dangerous_query: Given<Texts>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CookieConfig {
    name: String,
    origins: Texts,
}

impl SourcesConfig {
    pub(super) fn sources(&self, place: &Place) -> Result<Vec<Source>, ConfigError> {
        let mut sources = Vec::new();
        if self.authorization_header.is_none_or(|switch| switch.0) {
            sources.push(Source::authorization_header());
        }
        each(&mut sources, &self.headers, &place.member("headers"), Source::header)?;
        let cookies = place.member("cookies");
        for (entry, cookie) in &self.cookies.0 {
            let source = Source::cookie(&cookie.name, cookie.origins.iter());
            sources.push(source.at(&cookies.entry(entry))?);
        }
        if self.websocket_protocol.0 {
            sources.push(Source::websocket_protocol());
        }
        let prefixes = place.member("websocket_protocol_prefixes");
        each(
            &mut sources,
            &self.websocket_protocol_prefixes,
            &prefixes,
            Source::websocket_protocol_with_prefix,
        )?;
        each(&mut sources, &self.dangerous_query, &place.member("dangerous_query"), query)?;
        Ok(sources)
    }
}

fn each(
    sources: &mut Vec<Source>,
    names: &Option<Texts>,
    place: &Place,
    source: fn(&str) -> Result<Source, ConfigError>,
) -> Result<(), ConfigError> {
    for (entry, name) in names.iter().flat_map(|names| &names.0.0) {
        sources.push(source(name).at(&place.entry(entry))?);
    }
    Ok(())
}

#[cfg(feature = "query-token")]
fn query(name: &str) -> Result<Source, ConfigError> {
    Source::dangerous_query(name)
}

#[cfg(not(feature = "query-token"))]
fn query(_: &str) -> Result<Source, ConfigError> {
    Err(needs("query-token"))
}
