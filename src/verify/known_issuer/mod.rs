//! The issuers of the trade: their names, and what each of them does in its own way.

mod makers;
mod names;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;

use crate::config_error::ConfigError;
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::HttpFetch;
use crate::key_source::{
    Fetch, FetchUrl, HttpHosts, IssuerLocation, JwksUrl, KeySource, OidcDiscovery,
};
use crate::verify::jwt::{ExpectedAudience, ExpectedIssuer, JwtVerifier, Rules};

/// An issuer of the trade, whose ways are known: Auth0, Keycloak, Entra ID, Cognito, Google, Okta,
/// Firebase, Dex, or a Kubernetes cluster.
///
/// Each constructor takes what a person knows (a domain, a tenant, a pool), refuses what looks right
/// and is not, and writes the issuer's name as the tokens do. The guide `docs::providers` shows the
/// tokens of each, and what to watch for. All rules of [`JwtVerifier`] hold; what differs stands at the
/// constructor. For any other issuer there is [`JwtVerifier::discover`].
///
/// | | default | setter |
/// |---|---|---|
/// | keys | by the issuer's metadata: [`OidcDiscovery`] | [`with_jwks_url`](Self::with_jwks_url), [`with_fetch_base`](Self::with_fetch_base) |
/// | plain http | to this machine alone | [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts) |
/// | HTTP client | that of the crate, with the feature `reqwest-0_13`: [`verifier`](Self::verifier) | [`with_client`](Self::with_client), or [`verifier_with`](Self::verifier_with) |
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
/// # let _ = layer;
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
    /// The hosts that plain http is allowed to.
    http_hosts: HttpHosts,
}

/// Where the keys are found.
enum Keys {
    ByMetadata(IssuerLocation),
    AtUrl(FetchUrl),
}

impl KnownIssuer {
    fn new(issuer: String, audience: ExpectedAudience) -> Result<Self, ConfigError> {
        let names = ExpectedIssuer::from(&issuer);
        Self::with_names(issuer, names, audience)
    }

    /// One whose tokens spell its name in several ways.
    fn with_names(
        issuer: String,
        names: ExpectedIssuer,
        audience: ExpectedAudience,
    ) -> Result<Self, ConfigError> {
        let http_hosts = HttpHosts::default();
        let keys = Keys::ByMetadata(IssuerLocation::at_name(&issuer, http_hosts.clone())?);
        Ok(Self {
            issuer,
            rules: Rules::new(names, audience)?,
            keys,
            #[cfg(feature = "reqwest-0_13")]
            fetch: HttpFetch::default(),
            http_hosts,
        })
    }

    /// The issuer's name: the `iss` of its tokens, and the `issuer` of its metadata.
    ///
    /// # Example: to be compared with a token's
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let issuer = KnownIssuer::keycloak("https://login.example", "shop", "orders")?;
    /// assert_eq!(issuer.issuer(), "https://login.example/realms/shop");
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Takes the keys from this URL; by default from the one that the issuer's metadata name.
    ///
    /// For an issuer that has another name inside of a network than in its tokens. The tokens must
    /// name it as before.
    ///
    /// # Errors
    ///
    /// As [`JwksUrl::new_with`].
    ///
    /// # Example: Keycloak by its name inside of a cluster
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let verifier = KnownIssuer::keycloak("https://login.example", "shop", "orders")?
    ///     .with_jwks_url("https://keycloak.auth.svc/realms/shop/protocol/openid-connect/certs")?
    ///     .verifier();
    /// # let _ = verifier;
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_jwks_url(self, url: &str) -> Result<Self, ConfigError> {
        let keys = FetchUrl::parse(url, &self.http_hosts)?;
        Ok(Self { keys: Keys::AtUrl(keys), ..self })
    }

    /// Fetches the issuer's documents from this base URL; by default from the issuer's name. See
    /// [`OidcDiscovery::with_fetch_base`], whose base has the issuer's path as well.
    ///
    /// # Errors
    ///
    /// As [`OidcDiscovery::with_fetch_base`].
    ///
    /// # Example: Keycloak in a container beside this service
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let verifier = KnownIssuer::keycloak("http://localhost:8080", "shop", "orders")?
    ///     .dangerous_allow_http_hosts(["keycloak"])?
    ///     .with_fetch_base("http://keycloak:8080/realms/shop")?
    ///     .verifier();
    /// # let _ = verifier;
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_fetch_base(self, base: &str) -> Result<Self, ConfigError> {
        let keys = IssuerLocation::at_name(&self.issuer, self.http_hosts.clone())?;
        Ok(Self { keys: Keys::ByMetadata(keys.with_base(base)?), ..self })
    }

    /// Allows plain http to these hosts, to fetch keys: no host by default. Call it before
    /// [`with_fetch_base`](Self::with_fetch_base) or [`with_jwks_url`](Self::with_jwks_url), which it
    /// takes back. See [`OidcDiscovery::dangerous_allow_http_hosts_with`] for what it means.
    ///
    /// # Errors
    ///
    /// When a host is not a bare name or address.
    pub fn dangerous_allow_http_hosts<I>(self, hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let http_hosts = HttpHosts::parse(hosts)?;
        let keys = IssuerLocation::at_name(&self.issuer, http_hosts.clone())?;
        Ok(Self { keys: Keys::ByMetadata(keys), http_hosts, ..self })
    }

    /// Replaces the HTTP client; by default the one of the crate. See [`JwksUrl::with_client`].
    ///
    /// # Example: a proxy
    ///
    /// ```
    /// use tower_jwt_auth::{JwtVerifier, KnownIssuer};
    ///
    /// fn build(proxied: reqwest::Client) -> Result<JwtVerifier, tower_jwt_auth::ConfigError> {
    ///     Ok(KnownIssuer::firebase("acme-app-4711")?.with_client(proxied).verifier())
    /// }
    /// # let _ = build;
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn with_client(self, client: Client) -> Self {
        Self { fetch: HttpFetch::with_client(client), ..self }
    }

    /// The verifier of its tokens. Nothing is fetched yet: see [`JwtVerifier::discover`].
    ///
    /// # Example: two issuers at once
    ///
    /// ```
    /// use tower_jwt_auth::{IssuerSet, JwtAuthLayer, KnownIssuer};
    ///
    /// let issuers = IssuerSet::new();
    /// issuers.add(KnownIssuer::okta("acme.okta.com", "default", "api://default")?.verifier())?;
    /// issuers.add(KnownIssuer::firebase("acme-app")?.verifier())?;
    /// let layer: JwtAuthLayer = JwtAuthLayer::new(issuers);
    /// # let _ = layer;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn verifier(mut self) -> JwtVerifier {
        let fetch = std::mem::take(&mut self.fetch);
        self.verifier_with(fetch)
    }

    /// The verifier of its tokens, whose keys are fetched by this client: [`verifier`](Self::verifier)
    /// without the feature `reqwest-0_13`. See [`Fetch`]. A client of
    /// [`with_client`](Self::with_client) is not used.
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
