use std::fmt;

#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;

use crate::claims::NumericDate;
use crate::config_error::ConfigError;
use crate::key::{JwkSet, KeyUse};
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::remote::changed_keys::ChangedKeys;
use crate::key_source::remote::fetch::{Deadline, Fetch, Fetcher};
use crate::key_source::remote::fetch_url::{FetchUrl, HttpHosts};
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::remote::http_client::HttpFetch;
use crate::key_source::remote::key_cache::KeyCache;
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::{KeyFile, identity};
use crate::key_source::remote::load_keys::{LoadKeys, Loading};
use crate::key_source::remote::settings::Settings;
use crate::key_source::status::KeyStatus;
use crate::key_source::{KeySource, KeyTask};
use crate::summary::Summary;

/// The keys of an issuer, from the URL of its JWK set (RFC 7517 section 5).
///
/// Nothing is fetched before the first look-up, or the first call of [`status`](KeySource::status),
/// [`refresh`](KeySource::refresh) or [`until_ready`](KeySource::until_ready). When a look-up finds
/// that a fetch is due, the fetch runs as a task on the tokio runtime of that look-up. The runtime
/// needs timers and I/O (`enable_all()`; without timers `tokio` panics in that task). Without such
/// a runtime, a look-up that would have to wait is refused with 503; loaded keys are still found.
///
/// | case | what happens |
/// |---|---|
/// | a loaded key | is found at once, also while a fetch runs |
/// | no usable set is loaded | look-ups wait for a fetch, up to 7 seconds; if it fails, or must not start yet, 503 |
/// | how long a set is fresh | `max-age` of `Cache-Control` less `Age`: at least 1 minute, at most 24 hours; without `max-age` 10 minutes; with `no-store` or `no-cache` 1 minute |
/// | a refresh | starts in the background at 72 to 80 % of that time; if the source has been unused for an hour, only at its next use. After a failed fetch the next one starts within 1 second; with each further failure this time doubles, up to 15 seconds. A longer `Retry-After` is respected: up to 20 seconds while no set has been loaded yet, afterwards up to 5 minutes |
/// | a set that is no longer fresh | look-ups wait for one fetch; if that fetch fails, the old keys are used, from then on without waiting, and the retries run in the background |
/// | an unknown `kid` | starts a fetch, but one at a time: up to 3 without a pause, then one more every 10 seconds. At most 64 requests wait for it, up to 7 seconds. All others, and those whose key is still unknown then, are refused as unknown (401) or, if the last fetch failed, as unavailable (503) |
/// | the issuer cannot be reached | keys remain usable for 1 hour after they were fresh, or for `stale-if-error` (at least 1 minute, at most 24 hours); then 503 |
/// | a key that was removed from the set | is no longer used after the fetch of a set without it, if that set has a usable key |
/// | a response with any `Content-Type` except HTML | is read |
/// | a response with a status other than 200, with an empty body, longer than 256 KiB, HTML, encoded (`Content-Encoding`), unreadable, later than 5 seconds, of more than 100 keys, or without a usable key (such as `{"keys": []}`) | is a failed fetch: the old set remains |
/// | symmetric and private keys | are not used, and are [reported](KeyStatus::skipped) |
///
/// Nothing from a request is ever sent to the issuer, not even the `kid`.
///
/// The feature `reqwest-0_13` adds the HTTP client of [`new`](Self::new). Without it, the
/// application provides a client: [`new_with`](Self::new_with).
///
/// # Example: a verifier
///
/// ```
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{JwksUrl, JwtVerifier};
///
/// let keys = JwksUrl::new("https://issuer.example/.well-known/jwks.json")?;
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?;
/// # }
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct JwksUrl {
    url: FetchUrl,
    fetcher: Fetcher,
    settings: Settings,
    cache: KeyCache,
}

impl JwksUrl {
    /// Creates a source of the keys at this URL: https, or http to `localhost` or a loopback address. The crate's HTTP
    /// client fetches the keys; for another client see [`new_with`](Self::new_with).
    ///
    /// # Errors
    ///
    /// When `url` is not an absolute URL of at most 2048 bytes; when it is neither https nor http to
    /// `localhost` or a loopback address; or when it has a user name, a password or a fragment.
    #[cfg(feature = "reqwest-0_13")]
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::new_with(url, HttpFetch::default())
    }

    /// Like [`new`](Self::new), but `fetch` fetches the keys. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// When `url` is not an absolute URL of at most 2048 bytes; when it is neither https nor http to
    /// `localhost` or a loopback address; or when it has a user name, a password or a fragment.
    pub fn new_with<F: Fetch>(url: &str, fetch: F) -> Result<Self, ConfigError> {
        let url = FetchUrl::parse(url, &HttpHosts::default())?;
        Ok(Self::with(url, Fetcher::new(fetch), Settings::default()))
    }

    /// Like [`new`](Self::new), but also allows plain http to the listed hosts.
    ///
    /// Use it in a closed network where the issuer has no certificate, such as the network of the
    /// containers on one machine. **Anyone who can respond in place of a listed host, or change its
    /// responses, can sign any token.** A host is a name or an address (IPv6 in brackets), in any
    /// case, and is allowed on every port. A subdomain is another host.
    ///
    /// # Errors
    ///
    /// When `url` is not an absolute URL of at most 2048 bytes; when it is neither https nor http to
    /// `localhost`, a loopback address or a listed host, or has a user name, a password or a fragment;
    /// or when a host is empty or has a scheme, a port, a path or a wildcard.
    ///
    /// # Example: two containers
    ///
    /// ```
    /// use tower_jwt_auth::JwksUrl;
    ///
    /// let certs = "http://keycloak:8080/realms/shop/protocol/openid-connect/certs";
    /// assert!(JwksUrl::new(certs).is_err());
    /// let keys = JwksUrl::dangerous_allow_http_hosts(certs, ["keycloak"])?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn dangerous_allow_http_hosts<I>(url: &str, hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self::dangerous_allow_http_hosts_with(url, hosts, HttpFetch::default())
    }

    /// Like [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts), but `fetch` fetches
    /// the keys. See [`Fetch`].
    ///
    /// **Anyone who can respond in place of a listed host, or change its responses, can sign any
    /// token.**
    ///
    /// # Errors
    ///
    /// When `url` is not an absolute URL of at most 2048 bytes; when it is neither https nor http to
    /// `localhost`, a loopback address or a listed host, or has a user name, a password or a fragment;
    /// or when a host is empty or has a scheme, a port, a path or a wildcard.
    pub fn dangerous_allow_http_hosts_with<I, F>(
        url: &str,
        hosts: I,
        fetch: F,
    ) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
        F: Fetch,
    {
        let url = FetchUrl::parse(url, &HttpHosts::parse(hosts)?)?;
        Ok(Self::with(url, Fetcher::new(fetch), Settings::default()))
    }

    /// Replaces the HTTP client, for custom proxies, certificates or headers.
    ///
    /// By default the client uses rustls and the root certificates of the platform, has 2 seconds
    /// to connect, and uses neither redirects nor cookies. Build a custom client with
    /// `redirect(Policy::none())`: a response from another URL is refused, but only after the
    /// client has followed the redirect.
    ///
    /// Like every setter, this one returns a new source, without the keys that were loaded before.
    #[cfg(feature = "reqwest-0_13")]
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_fetcher(HttpFetch::with_client(client))
    }

    /// Replaces the [`Fetch`] implementation. By default it is that of the constructor: the crate's HTTP
    /// client, or the one that was given to [`new_with`](Self::new_with). The result is a new source, without
    /// the keys that were loaded before. Other settings are kept.
    #[must_use]
    pub fn with_fetcher<F: Fetch>(self, fetch: F) -> Self {
        Self::with(self.url, self.fetcher.with(fetch), self.settings)
    }

    /// Refuses addresses outside the public internet (RFC 6890), such as those of private networks,
    /// link-local addresses and loopback addresses; by default they are allowed.
    ///
    /// Use this setting for URLs that another party may choose. What it does depends
    /// on the source's client:
    ///
    /// - the client of the crate (feature `reqwest-0_13`): it connects to no such address, under any
    ///   host name, and uses no proxy;
    /// - a `reqwest::Client` that `JwksUrl::with_client` was given: a response from such an address is
    ///   refused, but only after it has arrived;
    /// - a custom [`Fetch`]: it must check
    ///   [`refuses_private_addresses`](crate::FetchRequest::refuses_private_addresses) itself.
    ///
    /// # Errors
    ///
    /// When the host in the URL is `localhost` or such an address.
    pub fn refuse_private_addresses(self) -> Result<Self, ConfigError> {
        self.url.check_public()?;
        Ok(Self::with(self.url, self.fetcher.refusing_private_addresses(), self.settings))
    }

    /// Takes only keys with exactly this `use`, such as `jwt-svid` in the bundle of a SPIFFE trust
    /// domain. By default keys with `sig` or without `use` are taken.
    ///
    /// See [`JwkSet::from_json_with_key_use`](crate::JwkSet::from_json_with_key_use).
    ///
    /// # Errors
    ///
    /// When the `use` is empty, `enc` or `x509-svid`: such keys never verify tokens.
    pub fn with_key_use(self, key_use: &str) -> Result<Self, ConfigError> {
        let key_use = KeyUse::parse(key_use)?;
        Ok(Self::with(self.url, self.fetcher.with_key_use(key_use), self.settings))
    }

    /// Begins with these keys, before the first fetch succeeds; none by default.
    ///
    /// The first fetch still starts with the first use, and the first look-up waits for it. If it fails, the initial
    /// keys are used until a fetch succeeds, and end 1 hour after this source was created. Until then they are
    /// [stale and unconfirmed](KeyStatus::is_unconfirmed), and a token with another `kid` is refused as unavailable
    /// (503). A fetched set replaces them as a whole, and so do keys from a `KeyFile`, **which can be older**: nothing
    /// tells when these keys were fetched. [`with_initial_json`](Self::with_initial_json) tells it.
    ///
    /// Keys that the issuer has withdrawn since then are accepted while it cannot be reached. So give keys that are
    /// as new as possible, as the issuer publishes them, with `kid`.
    ///
    /// # Errors
    ///
    /// When the set [is empty](JwkSet::is_empty) or has a secret.
    ///
    /// # Example: keys of the deployment
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::{JwkSet, JwksUrl, KeySource};
    ///
    /// let deployed = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
    ///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let keys = JwksUrl::new("https://issuer.example/jwks")?
    ///     .with_initial_keys(JwkSet::from_json(deployed)?)?;
    /// assert!(keys.status().is_ready() && keys.status().is_unconfirmed());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_initial_keys(self, keys: JwkSet) -> Result<Self, ConfigError> {
        let settings = self.settings.with_initial_keys(keys)?;
        Ok(Self::with(self.url, self.fetcher, settings))
    }

    /// Begins with the keys of a JWK set that an earlier process or another instance has fetched at this time, such as
    /// [`ChangedKeys::json`] and [`ChangedKeys::fetched_at`]; none by default. It replaces
    /// [`with_initial_keys`](Self::with_initial_keys).
    ///
    /// The set is read like a fetched one: it may have keys that are not used. Its keys end 70 minutes after they were
    /// fetched, as those of a response without headers. Of these keys and those of a `KeyFile`, the newer ones are used.
    /// Call [`with_key_use`](Self::with_key_use) before.
    ///
    /// # Errors
    ///
    /// When the text is not a JWK set with a key that can be used, or when the time is more than 1 minute in the future.
    /// A set that is too old is not an error, and is not used.
    pub fn with_initial_json(
        self,
        json: &str,
        fetched_at: NumericDate,
    ) -> Result<Self, ConfigError> {
        let keys = self.fetcher.read_set(json.as_bytes());
        let settings = self.settings.with_initial_json(keys, json, fetched_at)?;
        Ok(Self::with(self.url, self.fetcher, settings))
    }

    /// Calls this closure with the first set that was fetched, and with each later set that differs in any byte; none
    /// by default. For a single file, use a `KeyFile` (feature `key-file`) instead.
    ///
    /// The closure runs on a thread that may block, after the set is in use. It neither delays nor stops a fetch or a
    /// request, even if it panics. It runs once at a time: if further sets arrive while it runs, it is called once
    /// more, with the last of them. It has to end, since a runtime that shuts down waits for it.
    ///
    /// # Example: send the keys to other instances
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use std::sync::mpsc;
    /// use tower_jwt_auth::JwksUrl;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let keys = JwksUrl::new("https://issuer.example/jwks")?.on_changed_keys(move |changed| {
    ///     // The receiver may be gone.
    ///     let _ = sender.send((changed.fetched_at(), changed.json().to_owned()));
    /// });
    /// assert!(receiver.try_recv().is_err()); // Nothing was fetched yet.
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn on_changed_keys(self, f: impl Fn(&ChangedKeys) + Send + Sync + 'static) -> Self {
        let settings = self.settings.on_changed_keys(f);
        Self::with(self.url, self.fetcher, settings)
    }

    /// Remembers the last good set in this file across restarts; by default sets are only in memory. See [`KeyFile`].
    #[cfg(feature = "key-file")]
    #[must_use]
    pub fn with_key_file(self, file: KeyFile) -> Self {
        let settings = self.settings.with_key_file(file);
        Self::with(self.url, self.fetcher, settings)
    }

    /// The keys at a URL that was checked.
    #[cfg(feature = "oidc-discovery")]
    pub(crate) fn at(url: FetchUrl, fetch: impl Fetch) -> Self {
        Self::with(url, Fetcher::new(fetch), Settings::default())
    }

    /// The keys of this `use` at a URL that was checked.
    #[cfg(feature = "oidc-discovery")]
    pub(crate) fn at_bundle(url: FetchUrl, key_use: KeyUse, fetch: impl Fetch) -> Self {
        Self::with(url, Fetcher::new(fetch).with_key_use(key_use), Settings::default())
    }

    fn with(url: FetchUrl, fetcher: Fetcher, settings: Settings) -> Self {
        let loader = Loader { url: url.clone(), fetcher: fetcher.clone() };
        let cache = KeyCache::new(loader, &settings);
        Self { url, fetcher, settings, cache }
    }
}

impl KeySource for JwksUrl {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.cache.find_key(query)
    }

    fn generation(&self) -> Option<u64> {
        self.cache.generation()
    }

    fn describe(&self) -> Option<Summary> {
        Some(self.url.warn_of_http(Summary::new(format!("at {}", self.url.name()))))
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

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksUrl").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Loader {
    url: FetchUrl,
    fetcher: Fetcher,
}

impl LoadKeys for Loader {
    fn load(&self) -> Loading<'_> {
        let by = Deadline::of_load();
        Box::pin(
            async move { self.fetcher.get_set(&self.url, by).await.map_err(|fault| fault.error) },
        )
    }

    fn name(&self) -> &str {
        self.url.name()
    }

    #[cfg(feature = "key-file")]
    fn identity(&self) -> String {
        // The query may contain a secret.
        identity(&["url", self.url.as_str()])
    }

    #[cfg(feature = "key-file")]
    fn read_set(&self, json: &[u8]) -> Result<JwkSet, ConfigError> {
        self.fetcher.read_set(json)
    }
}
