//! The keys of an issuer: from files, or from the network.

use std::sync::Arc;

use crate::config::client::Client;
use crate::config::files::{Contents, one_line, read};
use crate::config::issuer::IssuerConfig;
#[cfg(not(feature = "oidc-discovery"))]
use crate::config::place::needs;
use crate::config::place::{At, Place, exactly_one};
use crate::config::values::Texts;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::Algorithm;
use crate::key::{JwkSet, VerificationKey};
use crate::key_source::KeySource;
#[cfg(feature = "oidc-discovery")]
use crate::key_source::OidcDiscovery;
#[cfg(feature = "jwks-url")]
use crate::key_source::{HttpHosts, JwksUrl};

type Load = fn(&[u8], Algorithm) -> Result<VerificationKey, ConfigError>;

impl IssuerConfig {
    /// The keys of an issuer that is not a known provider.
    pub(super) fn keys(
        &self,
        place: &Place,
        algorithms: &[Algorithm],
        client: &Client,
    ) -> Result<Arc<dyn KeySource>, ConfigError> {
        let source = exactly_one(place, "the source of keys", &self.key_members())?;
        self.check_that_all_apply(source, place)?;
        let from_files = |files: &Option<Texts>, load: Load| {
            let contents = match source {
                "public_key_file" => Contents::Public,
                _ => Contents::Secret,
            };
            keys_of_files(files.as_ref(), &place.member(source), algorithms, load, contents)
        };
        Ok(match (source, &*self.jwks_file) {
            ("jwks_file", Some(path)) => {
                Arc::new(self.jwk_set(path, &place.member("jwks_file"), place)?)
            }
            ("public_key_file", _) => {
                Arc::new(from_files(&self.public_key_file, VerificationKey::from_pem)?)
            }
            ("secret_file", _) => {
                Arc::new(from_files(&self.secret_file, VerificationKey::from_secret)?)
            }
            ("base64_secret_file", _) => {
                Arc::new(from_files(&self.base64_secret_file, from_base64_secret)?)
            }
            _ => self.fetched_keys(source, place, client)?,
        })
    }

    /// The members that say where the keys are.
    pub(super) fn key_members(&self) -> [(&'static str, bool); 6] {
        [
            ("discover", self.discover.0),
            ("jwks_url", self.jwks_url.is_some()),
            ("jwks_file", self.jwks_file.is_some()),
            ("public_key_file", self.public_key_file.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("base64_secret_file", self.base64_secret_file.is_some()),
        ]
    }

    /// Refuses members that this source of keys would ignore.
    fn check_that_all_apply(&self, source: &str, place: &Place) -> Result<(), ConfigError> {
        let is_discovered = source == "discover";
        let is_fetched = is_discovered || source == "jwks_url";
        // An introspection endpoint has a URL too.
        let has_url = is_fetched || self.introspection.is_some();
        let members = [
            ("fetch_base", self.fetch_base.is_some(), is_discovered),
            ("refuse_private_addresses", self.refuse_private_addresses.0, has_url),
            ("dangerous_allow_http_hosts", self.dangerous_allow_http_hosts.is_some(), has_url),
            ("key_use", self.key_use.is_some(), is_fetched || source == "jwks_file"),
            ("initial_jwks_file", self.initial_jwks_file.is_some(), is_fetched),
            ("key_file", self.key_file.is_some(), is_fetched),
            ("key_file_max_age_seconds", self.key_file_max_age_seconds.is_some(), is_fetched),
        ];
        match members.into_iter().find(|(_, is_given, applies)| *is_given && !applies) {
            Some((name, ..)) => {
                Err(place.member(name).error(format_args!("this does not apply to `{source}`")))
            }
            None if is_discovered && self.dangerous_any_issuer.0 => {
                Err(place.member("dangerous_any_issuer").error(
                    "this contradicts `discover`, which finds the keys by the name of the issuer",
                ))
            }
            None => Ok(()),
        }
    }

    pub(super) fn jwk_set(
        &self,
        path: &str,
        at: &Place,
        place: &Place,
    ) -> Result<JwkSet, ConfigError> {
        let json = String::from_utf8(read(path, Contents::Public, at)?)
            .map_err(|_| key_set_error("the file is not UTF-8"))
            .at(at)?;
        let set = match &*self.key_use {
            Some(key_use) => {
                // First, since the file could be at fault too.
                let set = JwkSet::from_json_with_key_use(&json, key_use);
                set.map_err(|error| match error.kind() {
                    ConfigErrorKind::KeySet => error.at(at),
                    _ => error.at(place.member("key_use")),
                })?
            }
            None => JwkSet::from_json(&json).at(at)?,
        };
        match set.is_empty() {
            true => Err(set.none_usable()).at(at),
            false => Ok(set),
        }
    }

    #[cfg(feature = "jwks-url")]
    fn fetched_keys(
        &self,
        source: &str,
        place: &Place,
        client: &Client,
    ) -> Result<Arc<dyn KeySource>, ConfigError> {
        match &*self.jwks_url {
            Some(url) => self.keys_at(url, place, client),
            None => self.discovered_keys(&place.member(source), place, client),
        }
    }

    #[cfg(not(feature = "jwks-url"))]
    fn fetched_keys(
        &self,
        source: &str,
        place: &Place,
        _: &Client,
    ) -> Result<Arc<dyn KeySource>, ConfigError> {
        let feature = if source == "discover" { "oidc-discovery" } else { "jwks-url" };
        Err(needs(feature)).at(&place.member(source))
    }

    #[cfg(feature = "jwks-url")]
    fn keys_at(
        &self,
        url: &str,
        place: &Place,
        client: &Client,
    ) -> Result<Arc<dyn KeySource>, ConfigError> {
        let at = place.member("jwks_url");
        let fetch = client.get(&at)?;
        let mut keys = match &*self.dangerous_allow_http_hosts {
            Some(hosts) => {
                self.check_http_hosts(place)?;
                JwksUrl::dangerous_allow_http_hosts_with(url, hosts.iter(), fetch).at(&at)?
            }
            None => JwksUrl::new_with(url, fetch).at(&at)?,
        };
        if self.refuse_private_addresses.0 {
            keys = keys.refuse_private_addresses().at(&at)?;
        }
        if let Some(key_use) = &*self.key_use {
            keys = keys.with_key_use(key_use).at(&place.member("key_use"))?;
        }
        if let Some(initial) = self.initial_keys(place)? {
            keys = keys.with_initial_keys(initial).at(&place.member("initial_jwks_file"))?;
        }
        #[cfg(feature = "key-file")]
        if let Some(file) = self.remembering(place)? {
            keys = keys.with_key_file(file);
        }
        #[cfg(not(feature = "key-file"))]
        self.check_remembering(place)?;
        Ok(Arc::new(keys))
    }

    #[cfg(all(feature = "jwks-url", not(feature = "oidc-discovery")))]
    fn discovered_keys(
        &self,
        at: &Place,
        _: &Place,
        _: &Client,
    ) -> Result<Arc<dyn KeySource>, ConfigError> {
        Err(needs("oidc-discovery")).at(at)
    }

    #[cfg(feature = "oidc-discovery")]
    fn discovered_keys(
        &self,
        at: &Place,
        place: &Place,
        client: &Client,
    ) -> Result<Arc<dyn KeySource>, ConfigError> {
        let fetch = client.get(at)?;
        let name_at = place.member("issuer");
        let base_at = place.member("fetch_base");
        let name = self.issuer.iter().flat_map(Texts::iter).next().unwrap_or_default();
        let mut keys = match (&*self.dangerous_allow_http_hosts, &*self.fetch_base) {
            (Some(hosts), _) => {
                self.check_http_hosts(place)?;
                OidcDiscovery::dangerous_allow_http_hosts_with(name, hosts.iter(), fetch)
                    .at(&name_at)?
            }
            (None, Some(base)) => {
                OidcDiscovery::from_fetch_base_with(name, base, fetch).at(&base_at)?
            }
            (None, None) => OidcDiscovery::new_with(name, fetch).at(&name_at)?,
        };
        if let (Some(_), Some(base)) = (&*self.dangerous_allow_http_hosts, &*self.fetch_base) {
            keys = keys.with_fetch_base(base).at(&base_at)?;
        }
        if self.refuse_private_addresses.0 {
            keys = keys.refuse_private_addresses().at(&place.member("refuse_private_addresses"))?;
        }
        if let Some(key_use) = &*self.key_use {
            keys = keys.with_key_use(key_use).at(&place.member("key_use"))?;
        }
        if let Some(initial) = self.initial_keys(place)? {
            keys = keys.with_initial_keys(initial).at(&place.member("initial_jwks_file"))?;
        }
        #[cfg(feature = "key-file")]
        if let Some(file) = self.remembering(place)? {
            keys = keys.with_key_file(file);
        }
        #[cfg(not(feature = "key-file"))]
        self.check_remembering(place)?;
        Ok(Arc::new(keys))
    }

    /// Checks the hosts alone, so that an error names their place and not that of a URL.
    #[cfg(feature = "jwks-url")]
    pub(super) fn check_http_hosts(&self, place: &Place) -> Result<(), ConfigError> {
        let at = place.member("dangerous_allow_http_hosts");
        let hosts = self.dangerous_allow_http_hosts.iter().flat_map(|hosts| &hosts.0.0);
        let mut count = 0_usize;
        for (entry, host) in hosts {
            count = count.saturating_add(1);
            HttpHosts::parse([host]).map(drop).at(&at.entry(entry))?;
        }
        match count {
            0 => Err(at.error("no host is given: name at least one")),
            _ => Ok(()),
        }
    }
}

/// A key from each file, for each algorithm.
fn keys_of_files(
    files: Option<&Texts>,
    place: &Place,
    algorithms: &[Algorithm],
    load: Load,
    contents: Contents,
) -> Result<JwkSet, ConfigError> {
    if algorithms.is_empty() {
        return Err(place.error("such a key needs `algorithms`: it does not name its own"));
    }
    let mut keys = Vec::new();
    for (entry, path) in files.iter().flat_map(|files| &files.0.0) {
        let at = match files {
            Some(files) if files.0.0.len() > 1 => place.entry(entry),
            _ => place.clone(),
        };
        let bytes = read(path, contents, &at)?;
        for algorithm in algorithms {
            keys.push(load(&bytes, *algorithm).at(&at)?);
        }
    }
    JwkSet::from_keys(keys).at(place)
}

/// Base64 text, of which a line break at the end is not a part.
fn from_base64_secret(bytes: &[u8], algorithm: Algorithm) -> Result<VerificationKey, ConfigError> {
    let text = one_line(bytes)
        .ok_or_else(|| ConfigError::new(ConfigErrorKind::Key, "the file is not base64"))?;
    VerificationKey::from_base64_secret(text, algorithm)
}

fn key_set_error(fault: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::KeySet, fault)
}
