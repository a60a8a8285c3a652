use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;
use tokio::time::{Instant, timeout};

use crate::config_error::ConfigError;
use crate::key::KeyUse;
use crate::key_source::error::KeySourceError;
use crate::key_source::lookup::{KeyLookup, KeyQuery};
use crate::key_source::remote::document::Document;
use crate::key_source::remote::fetch::{Deadline, Fault, FaultKind, Fetch, Fetcher, Loaded};
use crate::key_source::remote::fetch_url::{FetchUrl, HttpHosts};
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::remote::http_client::HttpFetch;
use crate::key_source::remote::issuer_location::IssuerLocation;
use crate::key_source::remote::key_cache::{KeyCache, LoadKeys, Loading};
use crate::key_source::remote::metadata::Metadata;
use crate::key_source::remote::schedule::after;
use crate::key_source::status::KeyStatus;
use crate::key_source::{KeySource, KeyTask};

/// The keys of an issuer, found by its metadata (OpenID Connect Discovery 1.0 section 4, RFC 8414
/// section 3).
///
/// The metadata name the URL of the JWK set, and the issuer itself: it must be the very one that is
/// asked for, octet by octet (section 4.3 and RFC 8414 section 3.3). They are looked for at these
/// places, in this order, and from then on where they were found:
///
/// | issuer | metadata |
/// |---|---|
/// | `https://host/path` | `https://host/path/.well-known/openid-configuration` |
/// | | `https://host/.well-known/oauth-authorization-server/path` |
/// | | `https://host/.well-known/openid-configuration/path` |
///
/// They are fetched anew when they are no longer fresh, and when the set cannot be fetched. All else
/// is as with [`JwksUrl`](crate::JwksUrl), also the rules over the URL of the set; where the issuer
/// is https, that is too. [`JwtVerifier::discover`](crate::JwtVerifier::discover) is the short form.
///
/// With the feature `reqwest-0_13`, the crate brings the HTTP client: [`new`](Self::new). Without it,
/// the application gives one: [`new_with`](Self::new_with).
///
/// # Example: with the application's client
///
/// ```
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{JwtVerifier, OidcDiscovery};
///
/// # fn build(client: reqwest::Client) -> Result<JwtVerifier, tower_jwt_auth::ConfigError> {
/// let keys = OidcDiscovery::new("https://issuer.example")?.with_client(client);
/// JwtVerifier::new("https://issuer.example", "https://api.example", keys)
/// # }
/// # let _ = build;
/// # }
/// ```
#[derive(Clone)]
pub struct OidcDiscovery {
    issuer: IssuerLocation,
    fetcher: Fetcher,
    cache: KeyCache,
}

impl OidcDiscovery {
    /// The keys of this issuer, spelled as in its tokens. Nothing is fetched yet. Its documents are
    /// fetched by the HTTP client that comes with the crate; for another client see
    /// [`new_with`](Self::new_with).
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to this very machine), or has a query, a
    /// fragment, a user name or a password.
    ///
    /// # Example: a name that is no URL has no metadata
    ///
    /// ```
    /// use tower_jwt_auth::{ConfigErrorKind, OidcDiscovery};
    ///
    /// let error = OidcDiscovery::new("accounts.example").unwrap_err();
    /// assert_eq!(error.kind(), ConfigErrorKind::Url);
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn new(issuer: &str) -> Result<Self, ConfigError> {
        Self::new_with(issuer, HttpFetch::default())
    }

    /// The keys of this issuer, as [`new`](Self::new), fetched by this client. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to this machine), or has a query, a fragment, a
    /// user name or a password.
    pub fn new_with<F: Fetch>(issuer: &str, fetch: F) -> Result<Self, ConfigError> {
        let location = IssuerLocation::at_name(issuer, HttpHosts::default())?;
        Ok(Self::with(location, Fetcher::new(fetch)))
    }

    /// The keys of this issuer, whose documents are fetched from another base URL.
    ///
    /// As [`with_fetch_base`](Self::with_fetch_base), for a name that [`new`](Self::new) refuses, such
    /// as one with plain http: the name is only compared.
    ///
    /// # Errors
    ///
    /// When the name is empty or has a query or a fragment, or when the base is not an https URL (or
    /// http to this machine).
    #[cfg(feature = "reqwest-0_13")]
    pub fn from_fetch_base(issuer: &str, base: &str) -> Result<Self, ConfigError> {
        Self::from_fetch_base_with(issuer, base, HttpFetch::default())
    }

    /// As [`from_fetch_base`](Self::from_fetch_base), fetched by this client. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// As [`from_fetch_base`](Self::from_fetch_base).
    pub fn from_fetch_base_with<F: Fetch>(
        issuer: &str,
        base: &str,
        fetch: F,
    ) -> Result<Self, ConfigError> {
        Ok(Self::with(IssuerLocation::at_base(issuer, base)?, Fetcher::new(fetch)))
    }

    /// The keys of this issuer, by plain http too, but only from the hosts that are listed.
    ///
    /// For a closed network such as that of the containers on one machine. **Anyone who can answer for
    /// such a host, or change what it sends, can sign any token**: see
    /// [`JwksUrl::dangerous_allow_http_hosts`](crate::JwksUrl::dangerous_allow_http_hosts). The hosts are
    /// allowed for the issuer itself, for [`with_fetch_base`](Self::with_fetch_base) and for the
    /// `jwks_uri` of the metadata, also where the issuer is https.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when a host is not a bare name or address.
    #[cfg(feature = "reqwest-0_13")]
    pub fn dangerous_allow_http_hosts<I>(issuer: &str, hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self::dangerous_allow_http_hosts_with(issuer, hosts, HttpFetch::default())
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
        Ok(Self::with(location, Fetcher::new(fetch)))
    }

    /// Fetches the documents from this base URL; by default from the issuer's name.
    ///
    /// For an issuer that this service reaches by another address than the one in its tokens. The
    /// base takes the place of the whole name, path included. The metadata must name the issuer as
    /// before. A `jwks_uri` below the issuer's name is fetched below the base, and so is one elsewhere
    /// on the issuer's host, where name and base have the same path; any other one is fetched as it
    /// is. So it does not matter whether the issuer publishes its own name there or the one that it
    /// was asked by.
    ///
    /// # Errors
    ///
    /// When the base is not an https URL (or http to this machine or to a host that is listed), or
    /// has a query, a fragment, a user name or a password.
    ///
    /// # Example: Keycloak in a container beside this service
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::{JwtVerifier, OidcDiscovery};
    ///
    /// let issuer = "http://localhost:8080/realms/shop";
    /// let keys = OidcDiscovery::dangerous_allow_http_hosts(issuer, ["keycloak"])?
    ///     .with_fetch_base("http://keycloak:8080/realms/shop")?;
    /// let verifier = JwtVerifier::new(issuer, "orders", keys)?;
    /// # let _ = verifier;
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_fetch_base(self, base: &str) -> Result<Self, ConfigError> {
        let location = self.issuer.with_base(base)?;
        if self.fetcher.refuses_private_addresses() {
            location.base().check_public()?;
        }
        Ok(Self::with(location, self.fetcher))
    }

    /// Replaces the HTTP client: see [`JwksUrl::with_client`](crate::JwksUrl::with_client).
    #[cfg(feature = "reqwest-0_13")]
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_fetcher(HttpFetch::with_client(client))
    }

    /// Replaces the client that fetches, whatever it was. See [`Fetch`].
    #[must_use]
    pub fn with_fetcher<F: Fetch>(self, fetch: F) -> Self {
        Self::with(self.issuer, self.fetcher.with(fetch))
    }

    /// Refuses addresses of private networks, of the metadata and of the set; by default they are
    /// good. See [`JwksUrl::refuse_private_addresses`](crate::JwksUrl::refuse_private_addresses).
    ///
    /// # Errors
    ///
    /// When the issuer itself, or the base that is fetched in its place, names such an address.
    pub fn refuse_private_addresses(self) -> Result<Self, ConfigError> {
        self.issuer.base().check_public()?;
        Ok(Self::with(self.issuer, self.fetcher.refusing_private_addresses()))
    }

    /// Takes only keys with exactly this `use`: see
    /// [`JwksUrl::with_key_use`](crate::JwksUrl::with_key_use).
    ///
    /// # Errors
    ///
    /// When keys of this `use` never verify tokens: `enc` and `x509-svid`.
    pub fn with_key_use(self, key_use: &str) -> Result<Self, ConfigError> {
        let key_use = KeyUse::parse(key_use)?;
        Ok(Self::with(self.issuer, self.fetcher.with_key_use(key_use)))
    }

    /// The keys of an issuer whose location was checked.
    pub(crate) fn at(issuer: IssuerLocation, fetch: impl Fetch) -> Self {
        Self::with(issuer, Fetcher::new(fetch))
    }

    fn with(issuer: IssuerLocation, fetcher: Fetcher) -> Self {
        let cache = KeyCache::new(Loader {
            issuer: issuer.clone(),
            fetcher: fetcher.clone(),
            known: Mutex::new(None),
        });
        Self { issuer, fetcher, cache }
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

/// How long metadata may take to be fetched anew, so that time is left for the set.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Loader {
    issuer: IssuerLocation,
    fetcher: Fetcher,
    /// Locked for a moment only, and by the one task that fetches.
    known: Mutex<Option<Known>>,
}

/// What the metadata said.
#[derive(Clone, Debug)]
struct Known {
    place: FetchUrl,
    jwks_uri: FetchUrl,
    fresh_until: Instant,
    usable_until: Instant,
}

impl LoadKeys for Loader {
    fn load(&self) -> Loading<'_> {
        Box::pin(self.load_by_metadata())
    }

    fn name(&self) -> &str {
        self.issuer.name()
    }
}

impl Loader {
    async fn load_by_metadata(&self) -> Result<Loaded, KeySourceError> {
        let by = Deadline::of_load();
        let known = self.metadata(by).await?;
        // Until the set has been read, the metadata may be what is wrong.
        self.remember(Known { fresh_until: Instant::now(), ..known.clone() });
        let loaded =
            self.fetcher.get_set(&known.jwks_uri, by).await.map_err(|fault| fault.error)?;
        self.remember(known);
        Ok(loaded)
    }

    /// What is known, or what the issuer says when that is no longer fresh.
    async fn metadata(&self, by: Deadline) -> Result<Known, KeySourceError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Instant::now();
        let known = match known {
            Some(known) if now < known.fresh_until => return Ok(known),
            Some(known) if now < known.usable_until => known,
            // Nothing to fall back to: it may take all the time there is.
            old => return self.look_anew(old.as_ref(), by).await.map_err(|fault| fault.error),
        };
        match timeout(METADATA_TIMEOUT, self.look_anew(Some(&known), by)).await {
            Ok(Err(fault)) if fault.kind == FaultKind::Wrong => Err(fault.error),
            Ok(Ok(renewed)) => Ok(renewed),
            // The set may be reached all the same.
            Ok(Err(_)) | Err(_) => Ok(known),
        }
    }

    /// Where they were found before, else at each place.
    async fn look_anew(&self, known: Option<&Known>, by: Deadline) -> Result<Known, Fault> {
        if let Some(known) = known {
            match self.look_again(known, by).await {
                Err(fault) if fault.may_be_elsewhere() => {}
                // They may have moved.
                Err(fault)
                    if fault.kind == FaultKind::Unreachable
                        && Instant::now() >= known.usable_until => {}
                found => return found,
            }
        }
        self.look_everywhere(by).await
    }

    async fn look_again(&self, known: &Known, by: Deadline) -> Result<Known, Fault> {
        let document = self.fetcher.get(&known.place, by).await?;
        self.read(&known.place, &document)
    }

    /// Asks at each place for the metadata, until one has them. An issuer that does not answer is not
    /// asked again.
    async fn look_everywhere(&self, by: Deadline) -> Result<Known, Fault> {
        let (mut absent, mut unfit) = (None, None);
        for place in self.issuer.places() {
            let found = match self.fetcher.get(place, by).await {
                Ok(document) => self.read(place, &document),
                Err(fault) => Err(fault),
            };
            match found {
                Err(fault) if fault.kind == FaultKind::Absent => absent.get_or_insert(fault),
                Err(fault) if fault.kind == FaultKind::Unfit => unfit.get_or_insert(fault),
                found => return found,
            };
        }
        // A document says more of the cause than a place without one.
        if let Some(unfit) = unfit {
            return Err(unfit);
        }
        let none = "the issuer has no metadata at its well-known URLs: if it publishes its keys all the \
                    same, give the URL of its JWK set to `JwksUrl`";
        let fault = Fault::new(FaultKind::Absent, none.to_owned());
        Err(match absent {
            Some(first) => fault.with_source(first.error),
            None => fault,
        })
    }

    fn read(&self, place: &FetchUrl, document: &Document) -> Result<Known, Fault> {
        let fresh_until = after(Instant::now(), document.lifetime.fresh);
        Ok(Known {
            place: place.clone(),
            jwks_uri: self.jwks_uri(place, document)?,
            fresh_until,
            usable_until: after(fresh_until, document.lifetime.stale),
        })
    }

    fn jwks_uri(&self, place: &FetchUrl, document: &Document) -> Result<FetchUrl, Fault> {
        let at = place.name();
        let unfit = |reason| {
            let media_type = document.described_type();
            let message = format!("the metadata at {at} cannot be used ({media_type})");
            Fault::new(FaultKind::Unfit, message).with_source(KeySourceError::new(reason))
        };
        let metadata = Metadata::read(document).map_err(unfit)?;
        if metadata.issuer != self.issuer.name() {
            let (theirs, ours) = (printable(&metadata.issuer), self.issuer.name());
            let message = format!(
                "the metadata at {at} are those of another issuer: they name {theirs}, which is not \
                 exactly {ours}"
            );
            return Err(Fault::new(FaultKind::Wrong, message));
        }
        let jwks_uri = metadata.jwks_uri.map_err(unfit)?;
        self.issuer.jwks_uri(&jwks_uri).map_err(|error| {
            let message = format!("the `jwks_uri` in {at} is not fetched");
            Fault::new(FaultKind::Wrong, message).with_source(error)
        })
    }

    fn remember(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

/// The text, if it is one that a log can have.
fn printable(text: &str) -> &str {
    let is_printable =
        (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_printable { text } else { "an empty or unprintable name" }
}
