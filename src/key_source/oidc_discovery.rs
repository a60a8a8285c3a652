use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::fetch::{Document, Fault, FaultKind, Fetcher, Loaded};
use super::fetch_url::FetchUrl;
use super::http_fetch::HttpFetch;
use super::key_cache::{KeyCache, LoadKeys, Loading};
use super::schedule::after;
use super::{Fetch, KeyStatus, KeyTask};
use crate::{
    ConfigError, ConfigErrorKind, KeyLookup, KeyQuery, KeySource, KeySourceError, strict_json,
};

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
/// # Example: with a client of one's own
///
/// ```
/// use tower_jwt_auth::{JwtVerifier, OidcDiscovery};
///
/// # fn build(client: reqwest::Client) -> Result<JwtVerifier, tower_jwt_auth::ConfigError> {
/// let keys = OidcDiscovery::new("https://issuer.example")?.with_client(client);
/// JwtVerifier::new("https://issuer.example", "https://api.example", keys)
/// # }
/// # let _ = build;
/// ```
#[derive(Clone)]
pub struct OidcDiscovery {
    issuer: Issuer,
    fetcher: Fetcher,
    cache: KeyCache,
}

/// An issuer's name, and the places of its metadata.
#[derive(Clone)]
struct Issuer {
    name: Arc<str>,
    url: FetchUrl,
    places: Arc<[FetchUrl]>,
}

impl OidcDiscovery {
    /// The keys of this issuer, spelled as in its tokens. Nothing is fetched yet.
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
    pub fn new(issuer: &str) -> Result<Self, ConfigError> {
        Ok(Self::with(Issuer::parse(issuer)?, Fetcher::default()))
    }

    /// Replaces the HTTP client: see [`JwksUrl::with_client`](crate::JwksUrl::with_client).
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_fetcher(HttpFetch::with_client(client))
    }

    /// Replaces what fetches; the HTTP client by default.
    #[must_use]
    pub fn with_fetcher(self, fetch: impl Fetch) -> Self {
        Self::with(self.issuer, self.fetcher.with(fetch))
    }

    /// Refuses addresses of private networks, of the metadata and of the set; by default they are
    /// good. See [`JwksUrl::refuse_private_addresses`](crate::JwksUrl::refuse_private_addresses).
    ///
    /// # Errors
    ///
    /// When the issuer itself names such an address.
    pub fn refuse_private_addresses(self) -> Result<Self, ConfigError> {
        self.issuer.url.check_public()?;
        Ok(Self::with(self.issuer, self.fetcher.refusing_private_addresses()))
    }

    fn with(issuer: Issuer, fetcher: Fetcher) -> Self {
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

    fn generation(&self) -> u64 {
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

impl fmt::Debug for OidcDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcDiscovery").field("issuer", &self.issuer.name).finish_non_exhaustive()
    }
}

impl Issuer {
    fn parse(name: &str) -> Result<Self, ConfigError> {
        const OPENID: &str = "openid-configuration";
        const OAUTH: &str = "oauth-authorization-server";

        let url = FetchUrl::parse(name)?;
        if name.contains('?') {
            return Err(ConfigError::new(
                ConfigErrorKind::Url,
                "an issuer with a query has no metadata (RFC 8414 section 2)",
            ));
        }
        let root = url.url().origin().ascii_serialization();
        let path = url.url().path().trim_end_matches('/');
        let mut places = vec![
            format!("{root}{path}/.well-known/{OPENID}"),
            format!("{root}/.well-known/{OAUTH}{path}"),
        ];
        if !path.is_empty() {
            places.push(format!("{root}/.well-known/{OPENID}{path}"));
        }
        let places = places.iter().map(|place| FetchUrl::parse(place)).collect::<Result<_, _>>()?;
        Ok(Self { name: name.into(), url, places })
    }
}

/// How long metadata may take to be fetched anew, so that time is left for the set.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Loader {
    issuer: Issuer,
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
        &self.issuer.name
    }
}

impl Loader {
    async fn load_by_metadata(&self) -> Result<Loaded, KeySourceError> {
        let known = self.metadata().await?;
        // Until the set has been read, the metadata may be what is wrong.
        self.remember(Known { fresh_until: Instant::now(), ..known.clone() });
        let loaded = self.fetcher.get_set(&known.jwks_uri).await.map_err(|fault| fault.error)?;
        self.remember(known);
        Ok(loaded)
    }

    /// What is known, or what the issuer says when that is no longer fresh.
    async fn metadata(&self) -> Result<Known, KeySourceError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Instant::now();
        let known = match known {
            Some(known) if now < known.fresh_until => return Ok(known),
            Some(known) if now < known.usable_until => known,
            // Nothing to fall back to: it may take all the time there is.
            old => return self.look_anew(old.as_ref()).await.map_err(|fault| fault.error),
        };
        match timeout(METADATA_TIMEOUT, self.look_anew(Some(&known))).await {
            Ok(Err(fault)) if fault.kind == FaultKind::Wrong => Err(fault.error),
            Ok(Ok(renewed)) => Ok(renewed),
            // The set may be reached all the same.
            Ok(Err(_)) | Err(_) => Ok(known),
        }
    }

    /// Where they were found before, else at each place.
    async fn look_anew(&self, known: Option<&Known>) -> Result<Known, Fault> {
        if let Some(known) = known {
            match self.look_again(known).await {
                Err(fault) if fault.kind == FaultKind::Absent => {}
                // They may have moved.
                Err(fault)
                    if fault.kind == FaultKind::Unreachable
                        && Instant::now() >= known.usable_until => {}
                found => return found,
            }
        }
        self.look_everywhere().await
    }

    async fn look_again(&self, known: &Known) -> Result<Known, Fault> {
        let document = self.fetcher.get(&known.place).await?;
        self.read(&known.place, &document)
    }

    /// Asks at each place for the metadata, until one has them. Whoever does not answer at all is
    /// not asked again.
    async fn look_everywhere(&self) -> Result<Known, Fault> {
        let mut first_error = None;
        for place in &*self.issuer.places {
            let found = match self.fetcher.get(place).await {
                Ok(document) => self.read(place, &document),
                Err(fault) => Err(fault),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(fault) if fault.kind == FaultKind::Absent => {
                    first_error.get_or_insert(fault.error)
                }
                Err(fault) => return Err(fault),
            };
        }
        let error = KeySourceError::new("the issuer has no metadata");
        let error = match first_error {
            Some(first) => error.with_source(first),
            None => error,
        };
        Err(Fault { kind: FaultKind::Absent, error })
    }

    fn read(&self, place: &FetchUrl, document: &Document) -> Result<Known, Fault> {
        let fresh_until = after(Instant::now(), document.lifetime.fresh);
        Ok(Known {
            place: place.clone(),
            jwks_uri: self.jwks_uri(place, &document.body)?,
            fresh_until,
            usable_until: after(fresh_until, document.lifetime.stale),
        })
    }

    fn jwks_uri(&self, place: &FetchUrl, body: &Bytes) -> Result<FetchUrl, Fault> {
        let at = place.name();
        let metadata: Metadata<'_> =
            strict_json::text(body).and_then(|text| serde_json::from_str(text).ok()).ok_or_else(
                || Fault::new(FaultKind::Absent, format!("{at} has no metadata of an issuer")),
            )?;
        if *metadata.issuer != *self.issuer.name {
            let (theirs, ours) = (printable(&metadata.issuer), &self.issuer.name);
            return Err(wrong(format!(
                "the metadata at {at} are those of another issuer: {theirs}, and not {ours}, to the \
                 last octet"
            )));
        }
        let jwks_uri = FetchUrl::parse(&metadata.jwks_uri).map_err(|error| {
            let refused = KeySourceError::new(format!("`jwks_uri` in {at} is not fetched"));
            Fault { kind: FaultKind::Wrong, error: refused.with_source(error) }
        })?;
        if self.issuer.url.is_https() && !jwks_uri.is_https() {
            return Err(wrong(format!("`jwks_uri` in {at} is not https")));
        }
        Ok(jwks_uri)
    }

    fn remember(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

/// What is read of the metadata. A name that stands twice is an error.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    #[serde(borrow)]
    jwks_uri: Cow<'a, str>,
}

/// The text, if it is one that a log can have.
fn printable(text: &str) -> &str {
    let is_printable = text.len() <= 256 && text.bytes().all(|octet| octet.is_ascii_graphic());
    if is_printable { text } else { "one with an odd name" }
}

fn wrong(message: String) -> Fault {
    Fault::new(FaultKind::Wrong, message)
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
