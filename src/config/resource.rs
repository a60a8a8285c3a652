//! The metadata of the protected resource.

use serde::Deserialize;

#[cfg(feature = "resource-metadata")]
use crate::claims::Scope;
#[cfg(feature = "resource-metadata")]
use crate::config::place::{At, Place};
use crate::config::values::{Entries, Given, Switch, Texts};
#[cfg(feature = "resource-metadata")]
use crate::config_error::ConfigError;
#[cfg(feature = "resource-metadata")]
use crate::resource_metadata::ResourceMetadata;

#[cfg_attr(not(feature = "resource-metadata"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ResourceConfig {
    pub(super) resource: String,
    authorization_servers: Given<Texts>,
    more_authorization_servers: Given<Texts>,
    scopes: Given<Texts>,
    name: Given<String>,
    names: Entries<String>,
    documentation: Given<String>,
    policy: Given<String>,
    terms_of_service: Given<String>,
    response_jwks_url: Given<String>,
    response_algorithms: Given<Texts>,
    also_at_root: Switch,
}

#[cfg(feature = "resource-metadata")]
impl ResourceConfig {
    pub(super) fn metadata(&self, place: &Place) -> Result<ResourceMetadata, ConfigError> {
        let at = place.member("resource");
        let mut metadata = ResourceMetadata::new(&self.resource).at(&at)?;
        if let Some(servers) = &*self.authorization_servers {
            let at = place.member("authorization_servers");
            metadata = metadata.with_authorization_servers(servers.iter()).at(&at)?;
        }
        for (entry, server) in of(&self.more_authorization_servers) {
            let at = place.member("more_authorization_servers").entry(entry);
            metadata = metadata.add_authorization_server(server).at(&at)?;
        }
        if let Some(scopes) = &*self.scopes {
            let scopes: Scope = scopes.scopes().collect();
            metadata = metadata.add_scopes(scopes).at(&place.member("scopes"))?;
        }
        if let Some(name) = &*self.name {
            metadata = metadata.with_name(name).at(&place.member("name"))?;
        }
        for (language, name) in &self.names.0 {
            let at = place.member("names").entry(language);
            metadata = metadata.add_name_in(language.to_string(), name).at(&at)?;
        }
        if let Some(url) = &*self.documentation {
            metadata = metadata.with_documentation(url).at(&place.member("documentation"))?;
        }
        if let Some(url) = &*self.policy {
            metadata = metadata.with_policy(url).at(&place.member("policy"))?;
        }
        if let Some(url) = &*self.terms_of_service {
            let at = place.member("terms_of_service");
            metadata = metadata.with_terms_of_service(url).at(&at)?;
        }
        if let Some(url) = &*self.response_jwks_url {
            metadata = metadata.with_jwks_url(url).at(&place.member("response_jwks_url"))?;
        }
        let mut algorithms = Vec::new();
        for (entry, name) in of(&self.response_algorithms) {
            let at = place.member("response_algorithms").entry(entry);
            algorithms.push(name.parse().at(&at)?);
        }
        metadata = metadata.with_response_algorithms(algorithms);
        Ok(if self.also_at_root.0 { metadata.also_at_root() } else { metadata })
    }
}

#[cfg(feature = "resource-metadata")]
fn of(texts: &Option<Texts>) -> impl Iterator<Item = &(crate::config::values::Name, String)> {
    texts.iter().flat_map(|texts| &texts.0.0)
}
