//! Clients by Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-03): the ID of such a client is
//! an https URL, and the document there says what the client is. So it needs no registration.
//!
//! Anyone can make this service fetch a URL, so [`DocumentClient`] fetches it by strict rules, and [`budgets`] limits how often.
//! A document is in the store, so that any instance can serve any request, until it has to be fetched again. After that its row
//! stays: a client whose row is there, or that has a grant in force, is *known*, and made-up URLs do not keep it out. Many valid
//! documents can, as one fetch makes each of them known too. An invalid document and an error are not stored: the budget of the
//! URL alone keeps them from being fetched again and again.

mod budgets;
mod client_id;
mod document;
mod fetched;
mod flights;
mod name;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tower_jwt_auth::{ConfigError, DocumentClient};
use url::Url;

use self::client_id::ClientId;
use self::flights::Flights;
use crate::Service;
use crate::service::Settings;
use crate::store::deadline::apart;
use crate::store::{Client, ClientAuthentication, ClientDocument, Seconds, StoreError};

/// The largest JWK set at a `jwks_uri`, in bytes.
const MAX_KEYS: usize = 16 * 1024;

/// How old the time of the last use may be.
const USE_NOTED: Seconds = 3600;

/// Finds clients by their documents.
#[derive(Debug)]
pub(crate) struct ClientDocuments {
    is_on: bool,
    /// Whether hosts are listed for tests.
    has_http: bool,
    /// For documents that are not known here.
    first: Clients,
    /// For those that are. They have their own places, so that made-up URLs do not keep known clients out.
    again: Clients,
    flights: Flights,
    /// The issuer.
    own: Option<Url>,
}

/// What fetches.
#[derive(Debug)]
struct Clients {
    documents: DocumentClient,
    /// The same with a larger maximum.
    keys: DocumentClient,
}

impl Clients {
    fn new(hosts: &[String]) -> Result<Self, ConfigError> {
        let documents = DocumentClient::new().dangerous_allow_hosts(hosts)?;
        let keys = documents.clone().with_max_length(MAX_KEYS)?;
        Ok(Self { documents, keys })
    }
}

/// A client that is not registered here.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// Its name is the host of its ID. `created_at` is the time at which its document was fetched.
    pub(crate) client: Client,
    /// What it calls itself, made harmless for a page.
    pub(crate) claimed_name: Option<String>,
    /// The SHA-256 hash of the document: what is allowed to this one is not allowed to another.
    pub(crate) document_hash: String,
}

/// Why there is no such client.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The ID is not a URL of the required form, for this reason.
    Id(&'static str),
    /// What is there is not a document that can be used. Why is in the log only.
    Document,
    /// Its host cannot be reached, or must not be. Which of the two is in the log only: it would tell about the network here.
    Unreachable,
    /// Too many documents are asked for from this address. The next one is possible after this time.
    TooMany(Duration),
    /// Too many documents are asked for.
    Busy,
    /// The store failed.
    Store(Arc<StoreError>),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// The failure of a fetch that other requests waited for too.
pub(crate) fn store_error(error: Arc<StoreError>) -> StoreError {
    Arc::try_unwrap(error).unwrap_or_else(|error| {
        StoreError::new("the document of a client could not be looked up").with_source(error)
    })
}

impl ClientDocuments {
    /// # Errors
    ///
    /// If a host in the settings is not one.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let hosts = &settings.dangerous_client_metadata_hosts;
        Ok(Self {
            is_on: settings.client_documents,
            has_http: !hosts.is_empty(),
            first: Clients::new(hosts)?,
            again: Clients::new(hosts)?,
            flights: Flights::default(),
            own: Url::parse(&settings.issuer).ok(),
        })
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    fn parse(&self, id: &str) -> Result<ClientId, &'static str> {
        ClientId::parse(&self.first.documents, self.own.as_ref(), id)
    }

    /// Whether this is the ID of a client by its document, if none with this ID is registered.
    pub(crate) fn is_client_id(&self, id: &str) -> bool {
        self.is_on && (id.starts_with("https://") || (self.has_http && id.starts_with("http://")))
    }
}

/// The client with this ID, for a request from this address.
///
/// # Errors
///
/// If there is no document that can be used, or it cannot be fetched at the moment.
pub(crate) async fn find(service: &Service, id: &str, address: IpAddr) -> Result<Published, Fault> {
    let id = service.documents.parse(id).map_err(Fault::Id)?;
    let stored = service.store.client_document(id.as_str()).await?;
    let now = service.now();
    let is_known =
        stored.is_some() || service.store.has_grant_by_document(id.as_str(), now).await?;
    let stored = stored.filter(|stored| stored.is_usable(now));
    if let Some(stored) = &stored
        && now.saturating_sub(stored.used_at) >= USE_NOTED
    {
        service.store.use_client_document(id.as_str(), now).await?;
    }
    let earlier = match stored {
        Some(stored) if now < stored.fresh_until => match published(service, &id, &stored) {
            Ok(published) => return Ok(published),
            // An earlier version of this program had other rules.
            Err(_) => None,
        },
        stored => stored,
    };
    if let Err(wait) = budgets::of_address(service, address, is_known).await? {
        let earlier = earlier.and_then(|earlier| published(service, &id, &earlier).ok());
        return earlier.ok_or(Fault::TooMany(wait));
    }
    // It begins here and not with the fetch: this request may first wait for that of another one, and then take over.
    let until = Instant::now() + service.settings.document_time;
    let fetch = fetched::fetch(service, &id, address, is_known, earlier, until);
    let found = apart(service.documents.flights.share(id.as_str(), fetch)).await?;
    published(service, &id, &found).map_err(|_| Fault::Document)
}

/// The client with this ID, for a request in which it proves nothing and which needs no document: nothing is fetched. `None` if
/// its document is known and demands a proof.
///
/// # Errors
///
/// As [`find`].
pub(crate) async fn unproven(service: &Service, id: &str) -> Result<Option<Client>, Fault> {
    let id = service.documents.parse(id).map_err(Fault::Id)?;
    let stored = service.store.client_document(id.as_str()).await?;
    let stored = stored.filter(|stored| stored.is_usable(service.now()));
    let known = stored.and_then(|stored| published(service, &id, &stored).ok());
    if known.is_some_and(|known| !known.client.is_public()) {
        return Ok(None);
    }
    Ok(Some(Client {
        id: id.as_str().to_owned(),
        name: id.host().to_owned(),
        authentication: ClientAuthentication::None,
        grant_types: Vec::new(),
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        scopes: Vec::new(),
        created_at: 0,
    }))
}

/// The client of a stored document.
fn published(
    service: &Service,
    id: &ClientId,
    stored: &ClientDocument,
) -> Result<Published, &'static str> {
    let document = document::read(id, &stored.document)?;
    document.into_client(id, stored, &service.settings.scopes)
}
