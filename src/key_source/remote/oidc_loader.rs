//! The metadata of an issuer: where they are, what they contain, and how long they are fresh.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

#[cfg(feature = "key-file")]
use crate::config_error::ConfigError;
#[cfg(feature = "key-file")]
use crate::key::JwkSet;
use crate::key_source::error::KeySourceError;
use crate::key_source::remote::document::Document;
use crate::key_source::remote::fetch::{Deadline, Fault, FaultKind, Fetcher, Loaded};
use crate::key_source::remote::fetch_url::FetchUrl;
use crate::key_source::remote::issuer_location::IssuerLocation;
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::identity;
use crate::key_source::remote::load_keys::{LoadKeys, Loading};
use crate::key_source::remote::metadata::Metadata;
use crate::key_source::remote::schedule::after;

/// The time limit for a refresh of the metadata, so that time is left for the set.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// Loads the set that an issuer's metadata name.
#[derive(Debug)]
pub(super) struct OidcLoader {
    issuer: IssuerLocation,
    fetcher: Fetcher,
    /// Locked only for short sections, by the single task that fetches.
    known: Mutex<Option<Known>>,
}

/// The content of the metadata.
#[derive(Clone, Debug)]
struct Known {
    place: FetchUrl,
    jwks_uri: FetchUrl,
    fresh_until: Instant,
    usable_until: Instant,
}

impl LoadKeys for OidcLoader {
    fn load(&self) -> Loading<'_> {
        Box::pin(self.load_by_metadata())
    }

    fn name(&self) -> &str {
        self.issuer.name()
    }

    #[cfg(feature = "key-file")]
    fn identity(&self) -> String {
        identity(&["issuer", self.issuer.name(), self.issuer.base().as_str()])
    }

    #[cfg(feature = "key-file")]
    fn read_set(&self, json: &[u8]) -> Result<JwkSet, ConfigError> {
        self.fetcher.read_set(json)
    }
}

impl OidcLoader {
    pub(super) fn new(issuer: IssuerLocation, fetcher: Fetcher) -> Self {
        Self { issuer, fetcher, known: Mutex::new(None) }
    }

    async fn load_by_metadata(&self) -> Result<Loaded, KeySourceError> {
        let by = Deadline::of_load();
        let known = self.metadata(by).await?;
        // The metadata may be wrong until the set has been read.
        self.remember(Known { fresh_until: Instant::now(), ..known.clone() });
        let loaded =
            self.fetcher.get_set(&known.jwks_uri, by).await.map_err(|fault| fault.error)?;
        self.remember(known);
        Ok(loaded)
    }

    /// The known metadata, or new ones if those are no longer fresh.
    async fn metadata(&self, by: Deadline) -> Result<Known, KeySourceError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Instant::now();
        let known = match known {
            Some(known) if now < known.fresh_until => return Ok(known),
            Some(known) if now < known.usable_until => known,
            // There is nothing to fall back to, so the fetch may take all the remaining time.
            old => return self.look_anew(old.as_ref(), by).await.map_err(|fault| fault.error),
        };
        match timeout(METADATA_TIMEOUT, self.look_anew(Some(&known), by)).await {
            Ok(Err(fault)) if fault.kind == FaultKind::Wrong => Err(fault.error),
            Ok(Ok(renewed)) => Ok(renewed),
            // The set may still be reachable.
            Ok(Err(_)) | Err(_) => Ok(known),
        }
    }

    /// Tries the URL that worked before, then all URLs.
    async fn look_anew(&self, known: Option<&Known>, by: Deadline) -> Result<Known, Fault> {
        if let Some(known) = known {
            match self.look_again(known, by).await {
                Err(fault) if fault.may_be_elsewhere() => {}
                // The metadata may have moved.
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

    /// Tries the URLs in order until one has the metadata. Stops if the issuer does not respond.
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
        // A wrong document explains the cause better than a missing one.
        if let Some(unfit) = unfit {
            return Err(unfit);
        }
        let none = "the issuer has no metadata at its well-known URLs: if it publishes its keys \
                    anyway, give the URL of its JWK set to `JwksUrl`";
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
                "the metadata at {at} belong to another issuer: they name {theirs}, which is not \
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

/// The text, if it may appear in a log.
fn printable(text: &str) -> &str {
    let is_printable =
        (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_printable { text } else { "an empty or unprintable name" }
}
