//! The service: from the flags to its end.

use std::sync::Arc;
use std::time::Duration;

use token_service::store::Store;
use token_service::{ConnectionLimits, Service, connections, demo, upkeep};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::announcement;
use super::failure::{Failure, with_causes};
use super::flags::{Database, Serve};
use super::key_encryption;
use super::options;
use super::termination::Termination;

/// How long the database may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or Ctrl-C.
pub(super) async fn serve(database: &Database, flags: Serve) -> Result<(), Failure> {
    if !flags.demo {
        options::check_issuer_is_given(database, &flags)?;
    }
    let listener = TcpListener::bind(&flags.listen).await.map_err(|error| {
        Failure::bad(format!("cannot listen on {:?}: {}", flags.listen, with_causes(&error)))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::bad_because(&error))?;
    let settings = options::settings(&flags, format!("http://{address}"))?;
    let limits = ConnectionLimits::new(settings.trusted_proxies.clone());

    let mut on_disk = None;
    let (store, secret): (Arc<dyn Store>, _) = if flags.demo {
        let (store, secret) = demo::store(&settings).await?;
        (Arc::new(store), Some(secret))
    } else {
        let store = options::open(database).await?;
        on_disk = Some(store.clone());
        (Arc::new(store), None)
    };
    let issuer = settings.issuer.clone();
    let service = Service::new(settings, Arc::clone(&store)).await;
    let service = Arc::new(service.map_err(|error| Failure::bad_because(&*error))?);
    let router = Arc::clone(&service).router().map_err(|error| Failure::bad_because(&error))?;

    announcement::warn(&issuer, address);
    announcement::warn_of_hosts(&flags.dangerous_client_metadata_host);
    if let Some(store) = on_disk {
        key_encryption::warn(&store).await?;
    }
    let termination = Termination::new().map_err(|error| Failure::bad_because(&error))?;
    let stop = end(termination, Arc::clone(&service), Duration::from_secs(flags.drain.into()));
    let upkeep = tokio::spawn(upkeep::run(service));
    announcement::announce(address, secret.as_deref(), !flags.no_docs)
        .map_err(|error| Failure::bad_because(&error))?;
    connections::serve(listener, router, limits, stop).await;
    upkeep.abort();
    let _ = timeout(CLOSING, store.close()).await;
    Ok(())
}

/// Completes when connections are to end: after a signal and the time for proxies to notice, or after a second signal.
async fn end(mut termination: Termination, service: Arc<Service>, drain: Duration) {
    termination.next().await;
    service.begin_stop();
    let _ = timeout(drain, termination.next()).await;
}
