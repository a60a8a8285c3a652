//! One fetch of a document, and what becomes of the earlier one.

use std::error::Error;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tower_jwt_auth::{DocumentError, DocumentErrorKind, FetchedDocument};

use super::client_id::ClientId;
use super::document::{self, Keys};
use super::{Clients, Fault, budgets};
use crate::Service;
use crate::store::deadline::apart;
use crate::store::{ClientDocument, Seconds, StoreError, seconds};

/// How long a document may be used after it was fresh, while its host cannot be reached.
const STALE: Seconds = 3600;
/// How long it is used then until the next try.
const PAUSE: Duration = Duration::from_secs(60);
/// How long keys of a `jwks_uri` are fresh at most: a client that replaces its keys must not wait long.
const MAX_FRESH_KEYS: Duration = Duration::from_secs(300);
/// The documents that are stored at most. Then others are deleted, first those of clients without a grant.
const MAX_DOCUMENTS: u32 = 10_000;

/// Why a document is not used, for the log.
enum Refusal {
    Fetch(DocumentError),
    /// It took too long, together with its keys.
    Late,
    Content(&'static str),
    /// It names another `jwks_uri` than before, which cannot be fetched at the moment.
    NewKeys,
    /// A budget is used up.
    Budget,
    Store(Arc<StoreError>),
}

/// What was fetched.
struct Found {
    document: String,
    jwk_set: Option<String>,
    fresh: Duration,
    /// Until when it may be used, if its keys are earlier ones.
    expires_at: Option<Seconds>,
}

/// Fetches a document and stores it. `earlier` may be used if the host cannot be reached, or has not sent all of it by
/// `until`.
pub(super) async fn fetch(
    service: &Service,
    id: &ClientId,
    address: IpAddr,
    is_known: bool,
    earlier: Option<ClientDocument>,
    until: Instant,
) -> Result<ClientDocument, Fault> {
    let store = &service.store;
    if !budgets::of_target(service, id, address, is_known).await? {
        return keep(service, earlier.ok_or(Fault::Busy)?).await;
    }
    let clients = if is_known { &service.documents.again } else { &service.documents.first };
    let refusal = match fetch_all(service, clients, id, is_known, earlier.as_ref(), until).await {
        Ok(found) => {
            let now = service.now();
            let fresh_until = now.saturating_add(seconds(found.fresh));
            let expires_at = found.expires_at.unwrap_or(fresh_until.saturating_add(STALE));
            let new = ClientDocument {
                url: id.as_str().to_owned(),
                document: found.document,
                jwk_set: found.jwk_set,
                fetched_at: now,
                fresh_until: fresh_until.min(expires_at),
                expires_at,
                used_at: now,
            };
            store.put_client_document(&new, MAX_DOCUMENTS, now).await?;
            return Ok(new);
        }
        Err(refusal) => refusal,
    };
    refusal.log(id);
    match (refusal.fault(), earlier) {
        // Its host has replaced or removed it.
        (fault, _) if is_known && refusal.is_final() => {
            store.remove_client_document(id.as_str()).await?;
            Err(fault)
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
            Self::Late | Self::NewKeys => Fault::Unreachable,
            Self::Budget => Fault::Busy,
            Self::Store(error) => Fault::Store(Arc::clone(error)),
        }
    }

    /// Whether the earlier document must not be used any more.
    fn is_final(&self) -> bool {
        matches!(self, Self::NewKeys) || matches!(self.fault(), Fault::Document)
    }

    fn log(&self, id: &ClientId) {
        match self {
            Self::Fetch(error) => {
                let error: &dyn Error = error;
                tracing::debug!(error, "the document of a client cannot be fetched");
            }
            Self::Late => {
                tracing::debug!(host = id.host(), "the document of a client takes too long");
            }
            Self::Budget | Self::Store(_) => {}
            Self::NewKeys => {
                tracing::debug!(host = id.host(), "the new jwks_uri of a client cannot be fetched");
            }
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
    let until = service.now().saturating_add(seconds(PAUSE));
    service.store.keep_client_document(&earlier.url, until).await?;
    Ok(earlier)
}

/// The document, the keys at its `jwks_uri` if it has one, and how long they are fresh.
async fn fetch_all(
    service: &Service,
    clients: &Clients,
    id: &ClientId,
    is_known: bool,
    earlier: Option<&ClientDocument>,
    until: Instant,
) -> Result<Found, Refusal> {
    let fetched = in_time(until, clients.documents.fetch(id.fetch_url())).await?;
    let document = document::read(id, fetched.text()).map_err(Refusal::Content)?;
    let (text, fresh) = (fetched.text().to_owned(), fetched.fresh_for());
    let Keys::At(uri) = document.keys() else {
        return Ok(Found { document: text, jwk_set: None, fresh, expires_at: None });
    };
    let url = clients.keys.url(uri);
    let url = url.map_err(|_| Refusal::Content("its jwks_uri cannot be fetched"))?;
    let has_budget = budgets::of_keys(service, id, is_known).await;
    let keys = match has_budget {
        Ok(true) => in_time(until, clients.keys.fetch(&url)).await,
        Ok(false) => Err(Refusal::Budget),
        Err(error) => Err(Refusal::Store(Arc::new(error))),
    };
    let keys = match keys {
        Ok(keys) => keys,
        Err(refusal) => return with_earlier_keys(id, text, document.keys(), earlier, refusal),
    };
    document::check_keys(keys.text()).map_err(Refusal::Content)?;
    let fresh = fresh.min(keys.fresh_for()).min(MAX_FRESH_KEYS);
    Ok(Found { document: text, jwk_set: Some(keys.text().to_owned()), fresh, expires_at: None })
}

/// One fetch. Both together take less than the work of a request may, so that a slow host is no error in the log.
async fn in_time(
    until: Instant,
    fetch: impl Future<Output = Result<FetchedDocument, DocumentError>>,
) -> Result<FetchedDocument, Refusal> {
    match apart(timeout_at(until, fetch)).await {
        Ok(fetched) => fetched.map_err(Refusal::Fetch),
        Err(_) => Err(Refusal::Late),
    }
}

/// The document with the earlier keys, if they are from the same URL and the new ones cannot be fetched at the moment. Only
/// keys may be stale here, and no longer than they could be.
fn with_earlier_keys(
    id: &ClientId,
    text: String,
    keys: &Keys,
    earlier: Option<&ClientDocument>,
    refusal: Refusal,
) -> Result<Found, Refusal> {
    let is_temporary = matches!(refusal.fault(), Fault::Unreachable | Fault::Busy);
    let Some(earlier) = earlier.filter(|_| is_temporary) else { return Err(refusal) };
    let is_same = document::read(id, &earlier.document).is_ok_and(|one| one.keys() == keys);
    if !is_same || earlier.jwk_set.is_none() {
        return Err(Refusal::NewKeys);
    }
    refusal.log(id);
    Ok(Found {
        document: text,
        jwk_set: earlier.jwk_set.clone(),
        fresh: PAUSE,
        expires_at: Some(earlier.expires_at),
    })
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
