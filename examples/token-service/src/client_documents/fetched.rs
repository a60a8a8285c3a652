//! One fetch of a document, and what becomes of the earlier one.

use std::error::Error;
use std::time::Duration;

use tower_jwt_auth::{DocumentError, DocumentErrorKind};

use super::client_id::ClientId;
use super::document::{self, Keys};
use super::{Clients, Fault, budgets};
use crate::Service;
use crate::store::deadline::apart;
use crate::store::{ClientDocument, Seconds};

/// How long a document may be used after it was fresh, while its host cannot be reached.
const STALE: Seconds = 3600;
/// How long it is used then until the next try.
const PAUSE: Seconds = 60;
/// How long keys of a `jwks_uri` are fresh at most: a client that replaces its keys must not wait long.
const MAX_FRESH_KEYS: Duration = Duration::from_secs(300);
/// The documents that are stored at most. The one that was not fetched for longest is deleted.
const MAX_DOCUMENTS: u32 = 10_000;

/// Why a document is not used, for the log.
enum Refusal {
    Fetch(DocumentError),
    Content(&'static str),
}

/// Fetches a document and stores it. `earlier` may be used if the host cannot be reached.
pub(super) async fn fetch(
    service: &Service,
    id: &ClientId,
    earlier: Option<ClientDocument>,
) -> Result<ClientDocument, Fault> {
    let store = &service.store;
    if !budgets::of_target(service, id, earlier.is_some()).await? {
        return keep(service, earlier.ok_or(Fault::Busy)?).await;
    }
    let clients = match earlier {
        Some(_) => &service.documents.again,
        None => &service.documents.first,
    };
    let refusal = match fetch_all(clients, id).await {
        Ok((document, jwk_set, fresh)) => {
            let now = service.now();
            let fresh_until = now.saturating_add(seconds(fresh));
            let mut new = ClientDocument {
                url: id.as_str().to_owned(),
                document,
                jwk_set,
                changed_at: now,
                fetched_at: now,
                fresh_until,
                expires_at: fresh_until.saturating_add(STALE),
            };
            new.changed_at = store.put_client_document(&new, MAX_DOCUMENTS).await?;
            return Ok(new);
        }
        Err(refusal) => refusal,
    };
    refusal.log(id);
    match (refusal.kind(), earlier) {
        // Its host is down.
        (Some(DocumentErrorKind::Unreachable | DocumentErrorKind::Busy), Some(earlier)) => {
            keep(service, earlier).await
        }
        (Some(DocumentErrorKind::Busy), None) => Err(Fault::Busy),
        (_, None) => Err(Fault::Document),
        // Its host has replaced or removed it.
        (_, Some(_)) => {
            store.remove_client_document(id.as_str()).await?;
            Err(Fault::Document)
        }
    }
}

impl Refusal {
    /// The kind of the failed fetch; `None` if it did not fail.
    fn kind(&self) -> Option<DocumentErrorKind> {
        match self {
            Self::Fetch(error) => Some(error.kind()),
            Self::Content(_) => None,
        }
    }

    fn log(&self, id: &ClientId) {
        match self {
            Self::Fetch(error) => {
                let error: &dyn Error = error;
                tracing::debug!(error, "the document of a client cannot be fetched");
            }
            Self::Content(why) => {
                tracing::debug!(why, host = id.host(), "the document of a client cannot be used");
            }
        }
    }
}

/// Uses an earlier document for some more time, until the next try.
async fn keep(service: &Service, earlier: ClientDocument) -> Result<ClientDocument, Fault> {
    let until = service.now().saturating_add(PAUSE);
    service.store.keep_client_document(&earlier.url, until).await?;
    Ok(earlier)
}

/// The document, the keys at its `jwks_uri` if it has one, and how long they are fresh.
async fn fetch_all(
    clients: &Clients,
    id: &ClientId,
) -> Result<(String, Option<String>, Duration), Refusal> {
    let fetched = apart(clients.documents.fetch(id.fetch_url())).await.map_err(Refusal::Fetch)?;
    let document = document::read(id, fetched.text()).map_err(Refusal::Content)?;
    let text = fetched.text().to_owned();
    let Keys::At(uri) = document.keys() else { return Ok((text, None, fetched.fresh_for())) };
    let url = clients.keys.url(uri);
    let url = url.map_err(|_| Refusal::Content("its jwks_uri cannot be fetched"))?;
    let keys = apart(clients.keys.fetch(&url)).await.map_err(Refusal::Fetch)?;
    document::check_keys(keys.text()).map_err(Refusal::Content)?;
    let fresh = fetched.fresh_for().min(keys.fresh_for()).min(MAX_FRESH_KEYS);
    Ok((text, Some(keys.text().to_owned()), fresh))
}

fn seconds(duration: Duration) -> Seconds {
    Seconds::try_from(duration.as_secs()).unwrap_or(Seconds::MAX)
}
