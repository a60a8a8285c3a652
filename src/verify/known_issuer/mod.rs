//! Well-known issuers: the spelling of their names, and the special rules for their tokens.

mod github;
mod gitlab;
mod jobs;
mod makers;
mod names;
mod spiffe;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;

pub use self::github::GithubJobs;
pub use self::gitlab::GitlabJobs;
pub use self::spiffe::SpiffeBundle;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::key::{JwkSet, KeyUse};
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::HttpFetch;
use crate::key_source::{
    Fetch, FetchUrl, HttpHosts, IssuerLocation, JwksUrl, KeySource, OidcDiscovery,
};
use crate::verify::jwt::{ExpectedAudience, ExpectedIssuer, JwtVerifier, Rules};

/// Builds the verifier for a well-known issuer: Auth0, Keycloak, Entra ID, Cognito, Google, Okta, Firebase,
/// Dex, a Kubernetes cluster, a SPIFFE trust domain, GitHub Actions, or GitLab CI.
///
/// Each constructor takes the parameters of the provider (a domain, a tenant, a pool), refuses common mistakes,
/// and builds the issuer's name in the spelling of its tokens. All rules of [`JwtVerifier`] apply, except where
/// a constructor documents another rule. The guide [`docs::providers`](crate::docs::providers) shows the tokens
/// of each provider. For any other issuer use [`JwtVerifier::discover`].
///
/// | setting | default | setter |
/// |---|---|---|
/// | keys | from the issuer's metadata: [`OidcDiscovery`] | [`with_jwks_url`](Self::with_jwks_url), [`with_fetch_base`](Self::with_fetch_base) |
/// | plain http | only to loopback addresses | [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts) |
/// | HTTP client | the client of feature `reqwest-0_13` | [`with_client`](Self::with_client), or [`verifier_with`](Self::verifier_with) |
///
/// # Example: Auth0
///
/// ```
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{JwtAuthLayer, KnownIssuer};
///
/// let issuer = KnownIssuer::auth0("tenant.eu.auth0.com", "https://api.example")?;
/// assert_eq!(issuer.issuer(), "https://tenant.eu.auth0.com/");
/// let layer = JwtAuthLayer::new(issuer.verifier());
/// # }
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[must_use]
pub struct KnownIssuer {
    issuer: String,
    rules: Rules,
    keys: Keys,
    #[cfg(feature = "reqwest-0_13")]
    fetch: HttpFetch,
    /// The hosts to which plain http is allowed.
    http_hosts: HttpHosts,
}

/// The location of the keys.
enum Keys {
    ByMetadata(IssuerLocation),
    AtUrl(FetchUrl),
    /// At the bundle endpoint of a trust domain, with this `use`.
    AtBundle(FetchUrl, KeyUse),
    OfBundle(JwkSet),
}

impl KnownIssuer {
    fn new(issuer: String, audience: ExpectedAudience) -> Result<Self, ConfigError> {
        let names = ExpectedIssuer::from(&issuer);
        Self::with_names(issuer, names, audience)
    }

    /// An issuer whose tokens have several spellings of its name.
    fn with_names(
        issuer: String,
        names: ExpectedIssuer,
        audience: ExpectedAudience,
    ) -> Result<Self, ConfigError> {
        let keys = Keys::ByMetadata(IssuerLocation::at_name(&issuer, HttpHosts::default())?);
        Self::with_keys(issuer, names, audience, keys)
    }

    fn with_keys(
        issuer: String,
        names: ExpectedIssuer,
        audience: ExpectedAudience,
        keys: Keys,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            issuer,
            rules: Rules::new(names, audience)?,
            keys,
            #[cfg(feature = "reqwest-0_13")]
            fetch: HttpFetch::default(),
            http_hosts: HttpHosts::default(),
        })
    }

    /// The issuer's name: the `iss` of its tokens and the `issuer` of its metadata. Tokens of
    /// [Google](Self::google_id_tokens) may have a second spelling in `iss`. For [SPIFFE](Self::spiffe) it is the ID of
    /// the trust domain, which is in `sub`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Fetches the keys from this URL, and no metadata; by default from the URL that the issuer's metadata name.
    /// Replaces an earlier [`with_fetch_base`](Self::with_fetch_base).
    ///
    /// Use this setting for an issuer that has another address inside of a network. The expected `iss` does not
    /// change. For [SPIFFE](Self::spiffe) it is the URL of the bundle, and replaces that of the constructor.
    ///
    /// # Errors
    ///
    /// When the text is not a URL, or when the URL is neither https nor http to a loopback address or a
    /// [listed host](Self::dangerous_allow_http_hosts), or has a user name, a password or a fragment.
    pub fn with_jwks_url(self, url: &str) -> Result<Self, ConfigError> {
        let url = FetchUrl::parse(url, &self.http_hosts)?;
        Ok(Self { keys: self.keys.moved_to(url)?, ..self })
    }

    /// Fetches the issuer's metadata and keys from this base URL, which includes the issuer's path; by
    /// default from the issuer's name. See [`OidcDiscovery::with_fetch_base`]. Replaces an earlier
    /// [`with_jwks_url`](Self::with_jwks_url).
    ///
    /// # Errors
    ///
    /// When the base is not an https URL (or http to a loopback address or a [listed
    /// host](Self::dangerous_allow_http_hosts)), or has a query, a fragment, a user name or a password; or for
    /// [SPIFFE](Self::spiffe), which has no metadata.
    ///
    /// # Example: Keycloak in another container
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let verifier = KnownIssuer::keycloak("http://localhost:8080", "shop", "orders")?
    ///     .dangerous_allow_http_hosts(["keycloak"])?
    ///     .with_fetch_base("http://keycloak:8080/realms/shop")?
    ///     .verifier();
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_fetch_base(self, base: &str) -> Result<Self, ConfigError> {
        if self.keys.are_of_a_bundle() {
            return Err(ConfigError::new(
                ConfigErrorKind::Url,
                "a trust domain of SPIFFE has no metadata: give the URL of its bundle to with_jwks_url",
            ));
        }
        let keys = IssuerLocation::at_name(&self.issuer, self.http_hosts.clone())?;
        Ok(Self { keys: Keys::ByMetadata(keys.with_base(base)?), ..self })
    }

    /// Allows plain http to the listed hosts; by default only to loopback addresses. **Anyone who can respond in
    /// place of a listed host, or change its responses, can sign any token**: see
    /// [`OidcDiscovery::dangerous_allow_http_hosts_with`]. The issuer's name, which the constructor has checked,
    /// must still be https (or http to a loopback address). A second call replaces the list.
    ///
    /// Call this method before [`with_fetch_base`](Self::with_fetch_base) and [`with_jwks_url`](Self::with_jwks_url):
    /// it resets both settings. The URL of a SPIFFE bundle does not change.
    ///
    /// # Errors
    ///
    /// When a host is empty or has a scheme, a port, a path or a wildcard.
    pub fn dangerous_allow_http_hosts<I>(self, hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let http_hosts = HttpHosts::parse(hosts)?;
        let keys = match self.keys {
            Keys::ByMetadata(_) | Keys::AtUrl(_) => {
                Keys::ByMetadata(IssuerLocation::at_name(&self.issuer, http_hosts.clone())?)
            }
            Keys::AtBundle(url, key_use) => {
                Keys::AtBundle(FetchUrl::parse(url.as_str(), &http_hosts)?, key_use)
            }
            keys @ Keys::OfBundle(_) => keys,
        };
        Ok(Self { keys, http_hosts, ..self })
    }

    /// Replaces the HTTP client, for example with one that uses a proxy; the crate's client by default. See
    /// [`JwksUrl::with_client`].
    #[cfg(feature = "reqwest-0_13")]
    pub fn with_client(self, client: Client) -> Self {
        Self { fetch: HttpFetch::with_client(client), ..self }
    }

    /// Builds the verifier of the issuer's tokens. Nothing is fetched yet: see [`JwtVerifier::discover`].
    #[cfg(feature = "reqwest-0_13")]
    pub fn verifier(mut self) -> JwtVerifier {
        let fetch = std::mem::take(&mut self.fetch);
        self.verifier_with(fetch)
    }

    /// Builds the verifier of the issuer's tokens with a custom HTTP client: `fetch` fetches the metadata and
    /// the keys. See [`Fetch`]. This method does not need the feature `reqwest-0_13`, and ignores a client that
    /// was set with [`with_client`](Self::with_client).
    ///
    /// # Example: a provider in a test, without a network
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::KnownIssuer;
    /// use tower_jwt_auth::test_util::MockIssuer;
    ///
    /// let known = KnownIssuer::okta("acme.okta.com", "default", "api://default")?;
    /// let mock = MockIssuer::with_issuer(known.issuer());
    /// let verifier = known.verifier_with(mock.clone());
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let token = mock.token().audience("api://default").claim("scp", ["orders.read"]).build();
    /// assert!(verifier.verify(&token).await.is_ok());
    /// # });
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn verifier_with<F: Fetch>(self, fetch: F) -> JwtVerifier {
        let keys: Arc<dyn KeySource> = match self.keys {
            Keys::ByMetadata(issuer) => Arc::new(OidcDiscovery::at(issuer, fetch)),
            Keys::AtUrl(url) => Arc::new(JwksUrl::at(url, fetch)),
            Keys::AtBundle(url, key_use) => Arc::new(JwksUrl::at_bundle(url, key_use, fetch)),
            Keys::OfBundle(keys) => Arc::new(keys),
        };
        JwtVerifier::from_parts(self.rules, keys)
    }
}

impl fmt::Debug for KnownIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownIssuer")
            .field("issuer", &self.issuer)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
