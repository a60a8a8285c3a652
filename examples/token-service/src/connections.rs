//! Serves connections, with limits on their time and number: a client that is slow on purpose holds none for long.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::io::InspectReader;
use tower::ServiceExt;

use crate::client_address::{is_trusted, network};
use crate::header_time::HeaderTimer;

/// The limits on connections.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// How long the first request's header may take, and each later one's in HTTP/1 from its first byte.
    pub header: Duration,
    /// How long a connection may be without a new request. A proxy must keep it for less than that.
    pub idle: Duration,
    /// The number of connections. Further ones wait to be accepted.
    pub connections: usize,
    /// The number of connections from one address. Further ones are closed.
    pub per_address: u32,
    /// Addresses without a limit of their own: the proxies in front.
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests may take to end when the service stops.
    pub grace: Duration,
}

impl ConnectionLimits {
    /// The defaults: 10 seconds for a header, a minute without a request, 1024 connections, 128 from one address, and 5
    /// seconds at the end.
    pub fn new(trusted_proxies: Vec<IpNet>) -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            connections: 1024,
            per_address: 128,
            trusted_proxies,
            grace: Duration::from_secs(5),
        }
    }
}

/// The largest header of a request; also the buffer of a connection.
const MAX_HEADER: u32 = 64 * 1024;
/// The requests that one HTTP/2 connection may have at once.
const MAX_STREAMS: u32 = 64;
/// How long a new connection gets for its first request when the service stops: it may be on its way.
const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// How long to wait when the system has no more files.
const NO_FILES: Duration = Duration::from_millis(200);

/// Serves until `stop` completes. Requests that are handled then are answered, for a while, as are the first requests of
/// connections that were just made.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let addresses = Arc::new(Addresses::default());
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let spawn =
        |connections: &mut JoinSet<()>, stream, peer, held: (OwnedSemaphorePermit, Share)| {
            let (router, limits, stopped) = (router.clone(), limits.clone(), stopped.clone());
            connections.spawn(async move {
                let _held = held;
                connection(stream, peer, router, &limits, stopped).await;
            });
        };
    let mut stop = pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else { continue };
        let Some(share) = addresses.share(peer.ip(), &limits) else { continue };
        spawn(&mut connections, stream, peer, (slot, share));
    }
    // Their clients take the connection for made.
    for (stream, peer) in waiting(listener) {
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { break };
        let Some(share) = addresses.share(peer.ip(), &limits) else { continue };
        spawn(&mut connections, stream, peer, (slot, share));
    }
    drop(stopping);
    let all = async { while connections.join_next().await.is_some() {} };
    // Connections that take longer are closed.
    let _ = timeout(limits.grace, all).await;
}

/// The connections that wait to be accepted. Later ones are refused.
fn waiting(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accepted = std::iter::from_fn(|| listener.accept().ok());
    let made = accepted.filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    });
    made.collect()
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // It only makes small responses faster.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, slot))
        }
        Err(error) => {
            tracing::debug!(%error, "a connection could not be accepted");
            sleep(NO_FILES).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &ConnectionLimits,
    mut stopped: watch::Receiver<()>,
) {
    let activity = Arc::new(Activity::new());
    let of_requests = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let running = Running::new(&of_requests);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = router.clone().oneshot(request);
        async move {
            let response: Result<Response, Infallible> = response.await;
            drop(running);
            response
        }
    });
    let has_bytes = Arc::new(AtomicBool::new(false));
    let timer = HeaderTimer::new(Arc::clone(&has_bytes), limits.header);
    let stream = InspectReader::new(stream, move |bytes| {
        if !bytes.is_empty() {
            has_bytes.store(true, Ordering::Relaxed);
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(timer)
        // Until the first byte of the next header. Then the timer ends it after `limits.header`.
        .header_read_timeout(limits.idle)
        .max_buf_size(MAX_HEADER as usize)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_header_list_size(MAX_HEADER)
        .max_concurrent_streams(MAX_STREAMS);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = served.as_mut() => return,
        () = activity.end(limits) => {}
        _ = stopped.changed() => {
            if activity.is_new() {
                tokio::select! {
                    _ = served.as_mut() => return,
                    () = activity.first.notified() => {}
                    () = sleep(FIRST_REQUEST) => {}
                }
            }
            served.as_mut().graceful_shutdown();
            let _ = timeout(limits.grace, served).await;
            return;
        }
    }
    // Too slow or idle. A client that closes in order gets a moment for it.
    served.as_mut().graceful_shutdown();
    let _ = timeout(Duration::from_millis(500), served).await;
}

/// When a connection had its last request.
struct Activity {
    state: Mutex<State>,
    /// When the first request begins.
    first: Notify,
}

struct State {
    /// The requests that are handled.
    running: usize,
    /// When the last one ended, or the connection began.
    since: Instant,
    is_new: bool,
}

impl Activity {
    fn new() -> Self {
        let state = State { running: 0, since: Instant::now(), is_new: true };
        Self { state: Mutex::new(state), first: Notify::new() }
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_new(&self) -> bool {
        self.with(|state| state.is_new)
    }

    /// Completes when the connection has been without a request for too long.
    async fn end(&self, limits: &ConnectionLimits) {
        loop {
            let (is_running, until) = self.with(|state| {
                let limit = if state.is_new { limits.header } else { limits.idle };
                (state.running > 0, state.since + limit)
            });
            if is_running {
                sleep(limits.idle).await;
            } else if until <= Instant::now() {
                return;
            } else {
                sleep_until(until).await;
            }
        }
    }
}

/// A request that is handled.
struct Running(Arc<Activity>);

impl Running {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.with(|state| {
            state.running += 1;
            state.is_new = false;
        });
        activity.first.notify_one();
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.running -= 1;
            state.since = Instant::now();
        });
    }
}

/// The connections of each address.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, u32>>);

/// The share of one connection.
struct Share(Option<(Arc<Addresses>, IpAddr)>);

impl Addresses {
    fn share(self: &Arc<Self>, address: IpAddr, limits: &ConnectionLimits) -> Option<Share> {
        if is_trusted(address, &limits.trusted_proxies) {
            return Some(Share(None));
        }
        let address = network(address);
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = connections.entry(address).or_default();
        if *number >= limits.per_address {
            return None;
        }
        *number += 1;
        drop(connections);
        Some(Share(Some((Arc::clone(self), address))))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((addresses, address)) = &self.0 else { return };
        let mut connections = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = connections.get_mut(address) {
            *number -= 1;
            if *number == 0 {
                connections.remove(address);
            }
        }
    }
}
