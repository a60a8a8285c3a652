//! The service: from the flags to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use token_service::exposition::Metrics;
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

fn install() -> Result<Metrics, Failure> {
    Metrics::install().map_err(|error| Failure::bad_because(&*error))
}

/// Listens on this address. Returns it with the port.
async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::bad(format!("cannot listen on {address:?}: {}", with_causes(&error)))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::bad_because(&error))?;
    Ok((listener, address))
}

/// Serves until SIGTERM or Ctrl-C.
pub(super) async fn serve(database: &Database, flags: Serve) -> Result<(), Failure> {
    if !flags.demo {
        options::check_issuer_is_given(database, &flags)?;
    }
    let (listener, address) = listen(&flags.listen).await?;
    let metrics = match &flags.metrics_listen {
        Some(metrics) => Some((listen(metrics).await?, install()?)),
        None => None,
    };
    let settings = options::settings(&flags, format!("http://{address}"))?;
    let limits = ConnectionLimits::new(settings.trusted_proxies.clone());

    let (store, secret) = if flags.demo {
        let (store, secret) = demo::store(&settings).await?;
        (store, Some(secret))
    } else {
        (options::open(database).await?, None)
    };
    let on_disk = (!flags.demo).then(|| store.clone());
    let (store, metrics): (Arc<dyn Store>, _) = match metrics {
        Some((listening, metrics)) => {
            let (store, metrics) = metrics.measure(store);
            (store, Some((listening, metrics)))
        }
        None => (Arc::new(store), None),
    };
    let issuer = settings.issuer.clone();
    let service = Service::new(settings, Arc::clone(&store)).await;
    let service = Arc::new(service.map_err(|error| Failure::bad_because(&*error))?);
    let router = Arc::clone(&service).router().map_err(|error| Failure::bad_because(&error))?;

    announcement::warn(&issuer, address);
    announcement::warn_of_hosts(&flags.dangerous_client_metadata_host);
    let watch = match on_disk {
        Some(store) => {
            let seen = key_encryption::warn(&store).await?;
            Some(tokio::spawn(key_encryption::watch(store, seen)))
        }
        None => None,
    };
    let termination = Termination::new().map_err(|error| Failure::bad_because(&error))?;
    let stop = end(termination, Arc::clone(&service), Duration::from_secs(flags.drain.into()));
    let measured_service = Arc::clone(&service);
    let upkeep = tokio::spawn(upkeep::run(service));
    let metrics_address = metrics.as_ref().map(|((_, address), _)| *address);
    announcement::announce(address, secret.as_deref(), metrics_address, !flags.no_docs)
        .map_err(|error| Failure::bad_because(&error))?;
    // The metrics stay until the last request has ended.
    let metrics = metrics
        .map(|((listener, _), metrics)| tokio::spawn(metrics.serve(listener, measured_service)));
    connections::serve(listener, router, limits, stop).await;
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    upkeep.abort();
    if let Some(watch) = watch {
        watch.abort();
    }
    let _ = timeout(CLOSING, store.close()).await;
    Ok(())
}

/// Completes when connections are to end: after a signal and the time for proxies to notice, or after a second signal.
async fn end(mut termination: Termination, service: Arc<Service>, drain: Duration) {
    termination.next().await;
    service.begin_stop();
    let _ = timeout(drain, termination.next()).await;
}
