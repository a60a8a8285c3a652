//! One fetch of a document, and what becomes of the earlier one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::{DocumentError, DocumentErrorKind};

use super::client_id::ClientId;
use super::document::{self, Keys};
use super::{Clients, Fault, budgets};
use crate::Service;
use crate::store::deadline::apart;
use crate::store::{ClientDocument, Seconds, StoreError};

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
    /// A budget is used up.
    Budget,
    Store(Arc<StoreError>),
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
    let refusal = match fetch_all(service, clients, id, earlier.is_some()).await {
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
    match (refusal.fault(), earlier) {
        // Its host has replaced or removed it.
        (Fault::Document, Some(_)) => {
            store.remove_client_document(id.as_str()).await?;
            Err(Fault::Document)
        }
        // Its host is down.
        (Fault::Unreachable | Fault::Busy, Some(earlier)) => keep(service, earlier).await,
        (fault, _) => Err(fault),
    }
}

impl Refusal {
    /// What the sender of the request learns of it.
    fn fault(&self) -> Fault {
        match self {
            Self::Fetch(error) => fault(error.kind()),
            Self::Content(_) => Fault::Document,
            Self::Budget => Fault::Busy,
            Self::Store(error) => Fault::Store(Arc::clone(error)),
        }
    }

    fn log(&self, id: &ClientId) {
        match self {
            Self::Fetch(error) => {
                let error: &dyn Error = error;
                tracing::debug!(error, "the document of a client cannot be fetched");
            }
            Self::Budget | Self::Store(_) => {}
            Self::Content(why) => {
                tracing::debug!(why, host = id.host(), "the document of a client cannot be used");
            }
        }
    }
}

/// A name in the network here leads to an address that is not connected to. It must look like a host that is down: else anyone
/// could ask which names there are.
fn fault(kind: DocumentErrorKind) -> Fault {
    match kind {
        DocumentErrorKind::Busy => Fault::Busy,
        DocumentErrorKind::Forbidden | DocumentErrorKind::Unreachable => Fault::Unreachable,
        _ => Fault::Document,
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
    service: &Service,
    clients: &Clients,
    id: &ClientId,
    is_known: bool,
) -> Result<(String, Option<String>, Duration), Refusal> {
    let fetched = apart(clients.documents.fetch(id.fetch_url())).await.map_err(Refusal::Fetch)?;
    let document = document::read(id, fetched.text()).map_err(Refusal::Content)?;
    let text = fetched.text().to_owned();
    let Keys::At(uri) = document.keys() else { return Ok((text, None, fetched.fresh_for())) };
    let url = clients.keys.url(uri);
    let url = url.map_err(|_| Refusal::Content("its jwks_uri cannot be fetched"))?;
    if !budgets::of_keys(service, id, is_known)
        .await
        .map_err(|error| Refusal::Store(Arc::new(error)))?
    {
        return Err(Refusal::Budget);
    }
    let keys = apart(clients.keys.fetch(&url)).await.map_err(Refusal::Fetch)?;
    document::check_keys(keys.text()).map_err(Refusal::Content)?;
    let fresh = fetched.fresh_for().min(keys.fresh_for()).min(MAX_FRESH_KEYS);
    Ok((text, Some(keys.text().to_owned()), fresh))
}

fn seconds(duration: Duration) -> Seconds {
    Seconds::try_from(duration.as_secs()).unwrap_or(Seconds::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_connected_to_looks_like_a_host_that_is_down() {
        for kind in [DocumentErrorKind::Forbidden, DocumentErrorKind::Unreachable] {
            assert!(matches!(fault(kind), Fault::Unreachable), "{kind:?}");
        }
        assert!(matches!(fault(DocumentErrorKind::Busy), Fault::Busy));
        assert!(matches!(fault(DocumentErrorKind::Unusable), Fault::Document));
    }
}
