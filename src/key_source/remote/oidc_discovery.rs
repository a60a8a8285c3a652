use std::fmt;

use crate::claims::NumericDate;
use crate::config_error::ConfigError;
use crate::key::{JwkSet, KeyUse};
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::remote::changed_keys::ChangedKeys;
use crate::key_source::remote::fetch::{Fetch, Fetcher};
use crate::key_source::remote::fetch_url::HttpHosts;
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::remote::http_client::HttpFetch;
use crate::key_source::remote::issuer_location::IssuerLocation;
use crate::key_source::remote::key_cache::KeyCache;
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::KeyFile;
use crate::key_source::remote::oidc_loader::OidcLoader;
use crate::key_source::remote::settings::Settings;
use crate::key_source::status::KeyStatus;
use crate::key_source::{KeySource, KeyTask};
use crate::summary::Summary;
#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;

/// The keys of an issuer, found through its metadata (OpenID Connect Discovery 1.0 section 4, RFC
/// 8414 section 3).
///
/// The metadata contain the URL of the JWK set (`jwks_uri`) and the issuer's name (`issuer`). This
/// name must equal the requested one, byte for byte (OpenID Connect Discovery 1.0 section 4.3, RFC
/// 8414 section 3.3). The metadata are looked for at these URLs in order. The URL that worked is
/// tried first from then on:
///
/// | issuer | metadata |
/// |---|---|
/// | `https://host/path` | `https://host/path/.well-known/openid-configuration` |
/// | | `https://host/.well-known/oauth-authorization-server/path` |
/// | | `https://host/.well-known/openid-configuration/path` |
/// | `https://host` | the first two, without `/path` |
///
/// The next URL is tried after a redirect, a 4xx (except 408, 425 and 429), or a document without
/// these two members. Metadata of another issuer and all other failures end the fetch.
///
/// The metadata are fetched again when they are no longer fresh, and after a failed fetch of the
/// set. If they cannot be fetched again, the known ones are used as long as an old set would be.
/// Everything else is as in [`JwksUrl`](crate::JwksUrl), including the rules for the URL of the set;
/// the limit of 5 seconds is for the metadata and the set together. For an https issuer the URL of
/// the set must be https too, except on a host that the application listed for http, or on the host
/// and port of the [base](Self::with_fetch_base).
/// [`JwtVerifier::discover`](crate::JwtVerifier::discover) is the short form.
///
/// The feature `reqwest-0_13` adds the HTTP client of [`new`](Self::new). Without it, the
/// application provides a client: [`new_with`](Self::new_with).
///
/// # Example: with the application's client
///
/// ```
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{JwtVerifier, OidcDiscovery};
///
/// fn build(client: reqwest::Client) -> Result<JwtVerifier, tower_jwt_auth::ConfigError> {
///     let keys = OidcDiscovery::new("https://issuer.example")?.with_client(client);
///     JwtVerifier::new("https://issuer.example", "https://api.example", keys)
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct OidcDiscovery {
    issuer: IssuerLocation,
    fetcher: Fetcher,
    settings: Settings,
    cache: KeyCache,
}

impl OidcDiscovery {
    /// Creates a source of the keys of the issuer with this name, spelled as in the tokens. Nothing
    /// is fetched yet. The crate's HTTP client fetches the documents. For another `reqwest` client see
    /// [`with_client`](Self::with_client), for any other client [`new_with`](Self::new_with).
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to `localhost` or a loopback address; for other
    /// hosts see [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts)) of at most 2048 bytes,
    /// or has a query, a fragment, a user name or a password.
    #[cfg(feature = "reqwest-0_13")]
    pub fn new(issuer: &str) -> Result<Self, ConfigError> {
        Self::new_with(issuer, HttpFetch::default())
    }

    /// Like [`new`](Self::new), but `fetch` fetches the documents. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to `localhost` or a loopback address) of at most 2048
    /// bytes, or has a query, a fragment, a user name or a password.
    pub fn new_with<F: Fetch>(issuer: &str, fetch: F) -> Result<Self, ConfigError> {
        let location = IssuerLocation::at_name(issuer, HttpHosts::default())?;
        Ok(Self::with(location, Fetcher::new(fetch), Settings::default()))
    }

    /// Creates a source of the keys of this issuer, whose documents are fetched below `base` and
    /// not below the issuer's name.
    ///
    /// Like [`with_fetch_base`](Self::with_fetch_base), but also for a name that [`new`](Self::new)
    /// refuses, such as one with plain http. The name itself is not fetched: it is only compared
    /// with the `issuer` of the metadata.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 2048 printable ASCII characters without spaces, or has a query or
    /// a fragment; or when the base is not an https URL (or http to `localhost` or a loopback address),
    /// or has a query, a fragment, a user name or a password.
    #[cfg(feature = "reqwest-0_13")]
    pub fn from_fetch_base(issuer: &str, base: &str) -> Result<Self, ConfigError> {
        Self::from_fetch_base_with(issuer, base, HttpFetch::default())
    }

    /// Like [`from_fetch_base`](Self::from_fetch_base), but `fetch` fetches the documents. See
    /// [`Fetch`].
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 2048 printable ASCII characters without spaces, or has a query or
    /// a fragment; or when the base is not an https URL (or http to `localhost` or a loopback address),
    /// or has a query, a fragment, a user name or a password.
    pub fn from_fetch_base_with<F: Fetch>(
        issuer: &str,
        base: &str,
        fetch: F,
    ) -> Result<Self, ConfigError> {
        let location = IssuerLocation::at_base(issuer, base)?;
        Ok(Self::with(location, Fetcher::new(fetch), Settings::default()))
    }

    /// Like [`new`](Self::new), but also allows plain http to the listed hosts.
    ///
    /// Use it in a closed network, such as the network of the containers on one machine. **Anyone
    /// who can respond in place of a listed host, or change its responses, can sign any token**:
    /// see [`JwksUrl::dangerous_allow_http_hosts`](crate::JwksUrl::dangerous_allow_http_hosts). The
    /// hosts are allowed for the issuer itself, for [`with_fetch_base`](Self::with_fetch_base) and
    /// for the `jwks_uri` of the metadata, even if the issuer is https.
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to `localhost`, a loopback address or a listed
    /// host), or has a query, a fragment, a user name or a password; or when a host is empty or has a
    /// scheme, a port, a path or a wildcard.
    #[cfg(feature = "reqwest-0_13")]
    pub fn dangerous_allow_http_hosts<I>(issuer: &str, hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self::dangerous_allow_http_hosts_with(issuer, hosts, HttpFetch::default())
    }

    /// Like [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts), but `fetch` fetches
    /// the documents. See [`Fetch`].
    ///
    /// **Anyone who can respond in place of a listed host, or change its responses, can sign any
    /// token.**
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to `localhost`, a loopback address or a listed
    /// host), or has a query, a fragment, a user name or a password; or when a host is empty or has a
    /// scheme, a port, a path or a wildcard.
    pub fn dangerous_allow_http_hosts_with<I, F>(
        issuer: &str,
        hosts: I,
        fetch: F,
    ) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
        F: Fetch,
    {
        let location = IssuerLocation::at_name(issuer, HttpHosts::parse(hosts)?)?;
        Ok(Self::with(location, Fetcher::new(fetch), Settings::default()))
    }

    /// Replaces the base URL of the metadata and the JWK set. By default it is the issuer's name, or
    /// the base that [`from_fetch_base`](Self::from_fetch_base) was given.
    ///
    /// Use this setting if this service reaches the issuer at another address than the one in the
    /// tokens. The base replaces the whole name, including the path. The metadata must still
    /// contain the issuer's name. A `jwks_uri` below the issuer's name is fetched below the base. A
    /// `jwks_uri` elsewhere with the issuer's origin (scheme, host and port) is fetched from the
    /// origin of the base, if the name and the base have the same path. Any other `jwks_uri` is
    /// fetched unchanged.
    ///
    /// # Errors
    ///
    /// When the base is not an https URL (or http to `localhost`, a loopback address or a listed host),
    /// or has a query, a fragment, a user name or a password; or when it is at a private address after
    /// [`refuse_private_addresses`](Self::refuse_private_addresses).
    ///
    /// # Example: Keycloak in another container
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::{JwtVerifier, OidcDiscovery};
    ///
    /// let issuer = "http://localhost:8080/realms/shop";
    /// let keys = OidcDiscovery::dangerous_allow_http_hosts(issuer, ["keycloak"])?
    ///     .with_fetch_base("http://keycloak:8080/realms/shop")?;
    /// let verifier = JwtVerifier::new(issuer, "orders", keys)?;
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_fetch_base(self, base: &str) -> Result<Self, ConfigError> {
        let location = self.issuer.with_base(base)?;
        if self.fetcher.refuses_private_addresses() {
            location.base().check_public()?;
        }
        Ok(Self::with(location, self.fetcher, self.settings))
    }

    /// Replaces the HTTP client: see [`JwksUrl::with_client`](crate::JwksUrl::with_client).
    #[cfg(feature = "reqwest-0_13")]
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_fetcher(HttpFetch::with_client(client))
    }

    /// Replaces the [`Fetch`] implementation; by default that of the constructor.
    #[must_use]
    pub fn with_fetcher<F: Fetch>(self, fetch: F) -> Self {
        Self::with(self.issuer, self.fetcher.with(fetch), self.settings)
    }

    /// Refuses private addresses for the metadata and for the set; by default they are allowed. See
    /// [`JwksUrl::refuse_private_addresses`](crate::JwksUrl::refuse_private_addresses).
    ///
    /// # Errors
    ///
    /// When the host in the issuer's URL, or in the base that replaces it, is `localhost` or such an
    /// address.
    pub fn refuse_private_addresses(self) -> Result<Self, ConfigError> {
        self.issuer.base().check_public()?;
        Ok(Self::with(self.issuer, self.fetcher.refusing_private_addresses(), self.settings))
    }

    /// Takes only keys with exactly this `use`: see
    /// [`JwksUrl::with_key_use`](crate::JwksUrl::with_key_use).
    ///
    /// # Errors
    ///
    /// When the `use` is empty, `enc` or `x509-svid`: such keys never verify tokens.
    pub fn with_key_use(self, key_use: &str) -> Result<Self, ConfigError> {
        let key_use = KeyUse::parse(key_use)?;
        Ok(Self::with(self.issuer, self.fetcher.with_key_use(key_use), self.settings))
    }

    /// Begins with these keys, before the first fetch succeeds: see
    /// [`JwksUrl::with_initial_keys`](crate::JwksUrl::with_initial_keys). None by default.
    ///
    /// # Errors
    ///
    /// When the set [is empty](JwkSet::is_empty) or has a secret.
    pub fn with_initial_keys(self, keys: JwkSet) -> Result<Self, ConfigError> {
        let settings = self.settings.with_initial_keys(keys)?;
        Ok(Self::with(self.issuer, self.fetcher, settings))
    }

    /// Begins with the keys of a JWK set that was fetched at this time: see
    /// [`JwksUrl::with_initial_json`](crate::JwksUrl::with_initial_json). None by default.
    ///
    /// # Errors
    ///
    /// When the text is not a JWK set with a key that can be used, or when the time is more than 1 minute in the future.
    pub fn with_initial_json(
        self,
        json: &str,
        fetched_at: NumericDate,
    ) -> Result<Self, ConfigError> {
        let keys = self.fetcher.read_set(json.as_bytes());
        let settings = self.settings.with_initial_json(keys, json, fetched_at)?;
        Ok(Self::with(self.issuer, self.fetcher, settings))
    }

    /// Calls this closure with each changed set: see
    /// [`JwksUrl::on_changed_keys`](crate::JwksUrl::on_changed_keys). None by default.
    #[must_use]
    pub fn on_changed_keys(self, f: impl Fn(&ChangedKeys) + Send + Sync + 'static) -> Self {
        let settings = self.settings.on_changed_keys(f);
        Self::with(self.issuer, self.fetcher, settings)
    }

    /// Remembers the last good set in this file across restarts; by default sets are only in memory. See [`KeyFile`].
    /// The file belongs to the issuer and its [base](Self::with_fetch_base), also if the `jwks_uri` changes.
    #[cfg(feature = "key-file")]
    #[must_use]
    pub fn with_key_file(self, file: KeyFile) -> Self {
        let settings = self.settings.with_key_file(file);
        Self::with(self.issuer, self.fetcher, settings)
    }

    /// The keys of an issuer whose location was checked.
    pub(crate) fn at(issuer: IssuerLocation, fetch: impl Fetch) -> Self {
        Self::with(issuer, Fetcher::new(fetch), Settings::default())
    }

    fn with(issuer: IssuerLocation, fetcher: Fetcher, settings: Settings) -> Self {
        let loader = OidcLoader::new(issuer.clone(), fetcher.clone());
        let cache = KeyCache::new(loader, &settings);
        Self { issuer, fetcher, settings, cache }
    }
}

impl KeySource for OidcDiscovery {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.cache.find_key(query)
    }

    fn generation(&self) -> Option<u64> {
        self.cache.generation()
    }

    fn issuer(&self) -> Option<&str> {
        Some(self.issuer.name())
    }

    fn describe(&self) -> Option<Summary> {
        Some(self.issuer.describe())
    }

    fn status(&self) -> KeyStatus {
        self.cache.status()
    }

    fn refresh(&self) -> KeyTask {
        self.cache.refresh()
    }

    fn until_ready(&self) -> KeyTask {
        self.cache.until_ready()
    }
}

impl fmt::Debug for OidcDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcDiscovery").field("issuer", &self.issuer.name()).finish_non_exhaustive()
    }
}
