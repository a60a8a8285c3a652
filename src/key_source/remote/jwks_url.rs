use std::fmt;

#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;

use crate::config_error::ConfigError;
use crate::key::KeyUse;
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::remote::fetch::{Deadline, Fetch, Fetcher};
use crate::key_source::remote::fetch_url::{FetchUrl, HttpHosts};
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::remote::http_client::HttpFetch;
use crate::key_source::remote::key_cache::{KeyCache, LoadKeys, Loading};
use crate::key_source::status::KeyStatus;
use crate::key_source::{KeySource, KeyTask};

/// The keys of an issuer, from the URL of its JWK set (RFC 7517 section 5).
///
/// Nothing is fetched before the first look-up, [`status`](KeySource::status) or
/// [`refresh`](KeySource::refresh). A fetch is a task on the tokio runtime of the look-up that finds it
/// due, which needs timers and I/O (`enable_all()`; without timers `tokio` panics in that task). Where there is no such runtime, a look-up that
/// would have to wait is refused with 503; keys that are loaded are still found.
///
/// | rule | |
/// |---|---|
/// | a key that is held | is found at once, also while a fetch runs |
/// | a set is fresh | as long as `Cache-Control` says, less `Age`, within 1 minute and 24 hours; without it 10 minutes; with `no-store` or `no-cache` 1 minute |
/// | it is refreshed | at 80 % of that or a little earlier, in the background, until nobody has used it for an hour; retries begin after 1 second and come at most 15 seconds apart, or when `Retry-After` allows it (heeded up to 20 seconds before there is a set, up to 5 minutes after) |
/// | it is no longer fresh | the first look-up waits for one fetch; when that has failed, the keys are used at once, and the retries run in the background |
/// | an unknown `kid` | asks for a fetch: 3 at once, and one more every 10 seconds. At most 64 requests wait for it, 7 seconds at most; the others are unknown (401), or, if the last fetch failed, unavailable (503) |
/// | the issuer cannot be reached | keys serve on for 1 hour after they were fresh, or for what `stale-if-error` says within 1 minute and 24 hours; then 503 |
/// | a key that left the set | is gone with the fetch that shows it |
/// | an answer with any `Content-Type` except HTML | is read |
/// | an answer that is empty, longer than 256 KiB, of more than 100 keys, redirected, HTML, encoded (`Content-Encoding`), unreadable, later than 5 seconds | is a failed fetch: the old set stays |
/// | symmetric and private keys | are not used, and are [reported](KeyStatus::skipped) |
///
/// Of a request, nothing is ever sent to the issuer: neither the `kid` nor anything else.
///
/// With the feature `reqwest-0_13`, the crate brings the HTTP client: [`new`](Self::new). Without it,
/// the application gives one: [`new_with`](Self::new_with).
///
/// # Example: a verifier
///
/// ```
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{JwksUrl, JwtVerifier};
///
/// let keys = JwksUrl::new("https://issuer.example/.well-known/jwks.json")?;
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?;
/// # let _ = verifier;
/// # }
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct JwksUrl {
    url: FetchUrl,
    fetcher: Fetcher,
    cache: KeyCache,
}

impl JwksUrl {
    /// The set at this URL, which is https, or http to this very machine. It is fetched by the HTTP
    /// client that comes with the crate; for another client see [`new_with`](Self::new_with).
    ///
    /// # Errors
    ///
    /// When the URL is of another scheme, has a user name, a password or a fragment, or is none.
    ///
    /// # Example: what is not fetched
    ///
    /// ```
    /// use tower_jwt_auth::{ConfigErrorKind, JwksUrl};
    ///
    /// for url in ["http://issuer.example/jwks", "file:///etc/keys.json", "issuer.example/jwks"] {
    ///     assert_eq!(JwksUrl::new(url).unwrap_err().kind(), ConfigErrorKind::Url);
    /// }
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::new_with(url, HttpFetch::default())
    }

    /// The set at this URL, as [`new`](Self::new), fetched by this client. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// When the URL is neither https nor http to this machine, has a user name, a password or a
    /// fragment, or is not a URL.
    pub fn new_with<F: Fetch>(url: &str, fetch: F) -> Result<Self, ConfigError> {
        Ok(Self::with(FetchUrl::parse(url, &HttpHosts::default())?, Fetcher::new(fetch)))
    }

    /// The set at this URL, by plain http too, but only from the hosts that are listed.
    ///
    /// For a closed network such as that of the containers on one machine, where the issuer has no
    /// certificate. **Anyone who can answer for such a host, or change what it sends, can sign any
    /// token.** A host is a name or an address, and is allowed on every port; a subdomain of it is
    /// another host.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when a host is not a bare name or address.
    ///
    /// # Example: two containers
    ///
    /// ```
    /// use tower_jwt_auth::JwksUrl;
    ///
    /// let certs = "http://keycloak:8080/realms/shop/protocol/openid-connect/certs";
    /// assert!(JwksUrl::new(certs).is_err());
    /// let keys = JwksUrl::dangerous_allow_http_hosts(certs, ["keycloak"])?;
    /// # let _ = keys;
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

    /// As [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts), fetched by this client.
    /// See [`Fetch`].
    ///
    /// **Anyone who can answer for such a host, or change what it sends, can sign any token.**
    ///
    /// # Errors
    ///
    /// As [`new_with`](Self::new_with), and when a host is not a bare name or address.
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
        Ok(Self::with(url, Fetcher::new(fetch)))
    }

    /// Replaces the HTTP client, for proxies, certificates or headers of one's own.
    ///
    /// By default it is one with rustls, the platform's root certificates, 2 seconds to connect, and
    /// neither redirects nor cookies. Build yours with `redirect(Policy::none())`: an answer from
    /// another URL is refused all the same, but only once it is there.
    ///
    /// As every setter it makes a source of its own, without the keys that this one holds.
    #[cfg(feature = "reqwest-0_13")]
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_fetcher(HttpFetch::with_client(client))
    }

    /// Replaces the client that fetches, whatever it was. See [`Fetch`].
    #[must_use]
    pub fn with_fetcher<F: Fetch>(self, fetch: F) -> Self {
        Self::with(self.url, self.fetcher.with(fetch))
    }

    /// Refuses addresses of private networks, of the link and of this machine; by default they are
    /// good.
    ///
    /// For URLs that somebody else may choose. The client that comes with the crate then connects to
    /// no such address, whatever its name, and uses no proxy. For a client of `with_client`, an answer
    /// from such an address is refused when it is there. A custom [`Fetch`] has to heed
    /// [`refuses_private_addresses`](crate::FetchRequest::refuses_private_addresses).
    ///
    /// # Errors
    ///
    /// When the URL itself names such an address.
    ///
    /// # Example: the metadata service of a cloud
    ///
    /// ```
    /// use tower_jwt_auth::JwksUrl;
    ///
    /// assert!(JwksUrl::new("https://169.254.169.254/keys")?.refuse_private_addresses().is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn refuse_private_addresses(self) -> Result<Self, ConfigError> {
        self.url.check_public()?;
        Ok(Self::with(self.url, self.fetcher.refusing_private_addresses()))
    }

    /// Takes only keys with exactly this `use`, such as `jwt-svid` in the bundle of a SPIFFE trust
    /// domain; by default those with `sig` or without `use`.
    ///
    /// See [`JwkSet::from_json_with_key_use`](crate::JwkSet::from_json_with_key_use).
    ///
    /// # Errors
    ///
    /// When keys of this `use` never verify tokens: `enc` and `x509-svid`.
    pub fn with_key_use(self, key_use: &str) -> Result<Self, ConfigError> {
        let key_use = KeyUse::parse(key_use)?;
        Ok(Self::with(self.url, self.fetcher.with_key_use(key_use)))
    }

    /// The set at a URL that was checked.
    #[cfg(feature = "oidc-discovery")]
    pub(crate) fn at(url: FetchUrl, fetch: impl Fetch) -> Self {
        Self::with(url, Fetcher::new(fetch))
    }

    fn with(url: FetchUrl, fetcher: Fetcher) -> Self {
        let cache = KeyCache::new(Loader { url: url.clone(), fetcher: fetcher.clone() });
        Self { url, fetcher, cache }
    }
}

impl KeySource for JwksUrl {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.cache.find_key(query)
    }

    fn generation(&self) -> Option<u64> {
        self.cache.generation()
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
}
