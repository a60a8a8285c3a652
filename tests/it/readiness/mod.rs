//! The contract of tower: who is called, who is cloned, and who holds what, by real middleware.
//!
//! Each for a verdict that is known at once and for one that takes time, by a rule of one's own and
//! by a verifier whose keys have to be waited for.

mod futures;
mod instances;
mod middleware;

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tokio::sync::watch;
use tower::{BoxError, Service, ServiceExt};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, JwtVerifier, KeyCandidates, KeyLookup, KeyQuery, KeySource,
    PresentedToken, RegisteredClaims, Rejection, VerificationKey, verify_async_fn, verify_fn,
};

use crate::support::requests::{bearer, poll};
use crate::support::{AUDIENCE, ISSUER, claims, key, now};

/// How the verdict comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    ReadyRule,
    ReadyKeys,
    PendingRule,
    PendingKeys,
}

impl When {
    const ALL: [Self; 4] = [Self::ReadyRule, Self::ReadyKeys, Self::PendingRule, Self::PendingKeys];
    const PENDING: [Self; 2] = [Self::PendingRule, Self::PendingKeys];

    fn is_pending(self) -> bool {
        Self::PENDING.contains(&self)
    }

    /// A layer whose pending verdicts wait until the gate is open.
    fn layer(self, gate: &Gate) -> JwtAuthLayer {
        let judge = |token: &str| match token == good() {
            true => Ok(RegisteredClaims::default()),
            false => Err(Rejection::invalid_token()),
        };
        let gate = gate.clone();
        match self {
            Self::ReadyRule => {
                JwtAuthLayer::new(verify_fn(move |token: &PresentedToken| judge(token.as_str())))
            }
            Self::ReadyKeys => JwtAuthLayer::new(key(Algorithm::HS256).verifier()),
            Self::PendingRule => {
                JwtAuthLayer::new(verify_async_fn(move |token: PresentedToken| {
                    let gate = gate.clone();
                    async move {
                        gate.pass().await;
                        judge(token.as_str())
                    }
                }))
            }
            Self::PendingKeys => {
                let keys = GatedKeys { gate, key: key(Algorithm::HS256).verification_key() };
                let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap();
                JwtAuthLayer::new(verifier.with_clock(now()))
            }
        }
    }
}

/// A good token.
fn good() -> &'static str {
    static TOKEN: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| key(Algorithm::HS256).token(&claims()));
    &TOKEN
}

/// A token that is refused only once its signature is looked at.
fn forged() -> &'static str {
    static TOKEN: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let (message, _) = good().rsplit_once('.').unwrap();
        format!("{message}.{}", crate::support::b64([0; 32]))
    });
    &TOKEN
}

/// What pending verdicts wait for.
#[derive(Clone, Debug)]
struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    fn open() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }

    fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    fn set_open(&self) {
        self.0.send_replace(true);
    }

    /// How many wait.
    fn waiting(&self) -> usize {
        self.0.receiver_count()
    }

    /// Never ready at the first poll, even when it is open.
    async fn pass(self) {
        let mut gate = self.0.subscribe();
        tokio::task::yield_now().await;
        gate.wait_for(|open| *open).await.unwrap();
    }
}

#[derive(Debug)]
struct GatedKeys {
    gate: Gate,
    key: VerificationKey,
}

impl KeySource for GatedKeys {
    fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
        let (gate, key) = (self.gate.clone(), self.key.clone());
        KeyLookup::pending(async move {
            gate.pass().await;
            Ok(KeyCandidates::from(key))
        })
    }
}

/// A service that panics when it is called without being polled ready, and keeps count.
struct Strict {
    /// Given by `poll_ready`, taken by `call`; a clone has none.
    ready: Option<usize>,
    log: Arc<Log>,
    /// What the response waits for.
    gate: Gate,
}

#[derive(Default)]
struct Log {
    readied: AtomicUsize,
    clones: AtomicUsize,
    /// The ids of the instances that were called.
    called: Mutex<Vec<usize>>,
}

impl Log {
    fn calls(&self) -> usize {
        self.called.lock().unwrap().len()
    }
}

impl Strict {
    fn new() -> (Self, Arc<Log>) {
        Self::answering_after(Gate::open())
    }

    fn answering_after(gate: Gate) -> (Self, Arc<Log>) {
        let log = Arc::new(Log::default());
        (Self { ready: None, log: Arc::clone(&log), gate }, log)
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        self.log.clones.fetch_add(1, Ordering::Relaxed);
        Self { ready: None, log: Arc::clone(&self.log), gate: self.gate.clone() }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Vec<u8>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.ready.is_none() {
            self.ready = Some(self.log.readied.fetch_add(1, Ordering::Relaxed));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let id = self.ready.take().expect("called without being polled ready");
        self.log.called.lock().unwrap().push(id);
        let gate = self.gate.clone();
        async move {
            gate.pass().await;
            Ok(Response::new(b"inner".to_vec()))
        }
        .boxed()
    }
}

async fn ready<S: Service<Request<()>, Error: std::fmt::Debug>>(service: &mut S) -> &mut S {
    in_time(service.ready()).await.unwrap()
}

/// A fault of readiness is a request that waits for ever: let it fail.
async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("waits for ever")
}

/// Whether the service is ready by one poll.
fn is_ready<S: Service<Request<()>>>(service: &mut S) -> bool {
    match poll(pin!(service.ready())) {
        Poll::Ready(ready) => ready.is_ok(),
        Poll::Pending => false,
    }
}

async fn status<S, E>(service: &mut S, token: &str) -> Result<StatusCode, E>
where
    S: Service<Request<()>, Response = Response<Vec<u8>>, Error = E>,
{
    let answer = async { service.ready().await?.call(bearer(token)).await };
    Ok(in_time(answer).await?.status())
}

type Ready = std::future::Ready<Result<Response<()>, BoxError>>;
