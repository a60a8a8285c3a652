//! The contract of tower: who is called, who is cloned, and who holds what, by real middleware.
//!
//! Each for a verdict that is known at once and for one that takes time, by a rule of one's own and
//! by a verifier whose keys have to be waited for.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tokio::sync::watch;
use tower::buffer::Buffer;
use tower::limit::rate::Rate;
use tower::limit::{ConcurrencyLimit, RateLimit};
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, EmptyBody, JwtAuthLayer, JwtVerifier, KeyCandidates, KeyLookup, KeyQuery, KeySource,
    PresentedToken, RegisteredClaims, Rejection, ResponseFuture, VerificationKey, VerifiedToken,
    verify_async_fn, verify_fn,
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

#[tokio::test]
async fn an_inner_service_is_never_called_without_being_polled_ready() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let mut service = when.layer(&Gate::open()).layer(inner);
        for round in 0..3 {
            assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
            let mut clone = service.clone();
            assert_eq!(status(&mut clone, good()).await.unwrap(), 200, "{when:?}");
            assert_eq!(log.calls(), 2 * (round + 1), "{when:?}");
        }
    }
}

#[tokio::test]
async fn requests_of_one_service_overlap_and_each_has_a_ready_instance() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let mut service = when.layer(&gate).layer(inner);
        let mut waiting = Vec::new();
        for token in [good(), forged(), good()] {
            let mut future = Box::pin(ready(&mut service).await.call(bearer(token)));
            assert!(poll(future.as_mut()).is_pending());
            waiting.push(future);
        }
        assert_eq!(log.calls(), 0, "{when:?}");
        gate.set_open();
        let mut statuses = Vec::new();
        for future in waiting.into_iter().rev() {
            statuses.push(future.await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 401, 200], "{when:?}");
        // Those that were polled ready for these requests, in the order of their ends.
        assert_eq!(*log.called.lock().unwrap(), [2, 0], "{when:?}");
    }
}

#[tokio::test]
async fn a_good_verdict_at_once_clones_nothing_and_others_clone_once() {
    for when in When::ALL {
        for (token, expected, clones) in
            [(good(), 200, usize::from(when.is_pending())), (forged(), 401, 1), ("no-jwt", 401, 1)]
        {
            let (inner, log) = Strict::new();
            let mut service = when.layer(&Gate::open()).layer(inner);
            assert_eq!(status(&mut service, token).await.unwrap(), expected, "{when:?}");
            assert_eq!(log.clones.load(Ordering::Relaxed), clones, "{when:?} {expected}");
        }
    }
}

#[tokio::test]
async fn the_instance_that_was_polled_ready_is_the_one_that_is_called() {
    for when in When::ALL {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let mut service = when.layer(&gate).layer(inner);
        let response = ready(&mut service).await.call(bearer(good()));
        // The one that is left behind is another.
        assert!(is_ready(&mut service));
        gate.set_open();
        assert_eq!(response.await.unwrap().status(), 200);
        assert_eq!(*log.called.lock().unwrap(), [0], "{when:?}");
        assert_eq!(log.readied.load(Ordering::Relaxed), 2, "{when:?}");
    }
}

#[tokio::test]
async fn a_refusal_leaves_no_permit_with_an_idle_service() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let mut refused = when.layer(&Gate::open()).layer(ConcurrencyLimit::new(inner, 1));
        let mut other = refused.clone();
        let mut response = Box::pin(ready(&mut refused).await.call(bearer(forged())));
        if !when.is_pending() {
            assert!(is_ready(&mut other), "{when:?}: free before the answer is fetched");
        }
        assert_eq!(response.as_mut().await.unwrap().status(), 401);
        // Both the service that refused and its future are still there.
        let mut another = other.clone();
        if !when.is_pending() {
            drop(other);
        }
        assert!(is_ready(&mut another), "{when:?}");
        assert_eq!(another.call(bearer(good())).await.unwrap().status(), 200, "{when:?}");
        assert_eq!(log.calls(), 1);
        drop((response, refused));
    }
}

#[tokio::test]
async fn a_pending_request_holds_its_permit_until_its_response() {
    for when in When::PENDING {
        let (verdict, answer) = (Gate::closed(), Gate::closed());
        let (inner, log) = Strict::answering_after(answer.clone());
        let mut service = when.layer(&verdict).layer(ConcurrencyLimit::new(inner, 1));
        let mut other = service.clone();
        let mut response = Box::pin(ready(&mut service).await.call(bearer(good())));
        assert!(poll(response.as_mut()).is_pending());
        assert!(!is_ready(&mut other), "{when:?}: waits for the verdict");

        verdict.set_open();
        while log.calls() == 0 {
            assert!(poll(response.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(!is_ready(&mut other), "{when:?}: waits for the response");

        answer.set_open();
        assert_eq!(response.as_mut().await.unwrap().status(), 200);
        assert!(is_ready(&mut other), "{when:?}: done");
    }
}

#[tokio::test]
async fn a_cancelled_request_gives_its_permit_back_and_never_calls_the_inner_service() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let mut service = when.layer(&gate).layer(ConcurrencyLimit::new(inner, 1));
        let mut other = service.clone();
        let mut response = Box::pin(ready(&mut service).await.call(bearer(good())));
        assert!(poll(response.as_mut()).is_pending());
        assert!(!is_ready(&mut other), "{when:?}");
        drop(response);
        assert!(is_ready(&mut other), "{when:?}");
        gate.set_open();
        tokio::task::yield_now().await;
        assert_eq!(log.calls(), 0, "{when:?}");
        assert_eq!(other.call(bearer(good())).await.unwrap().status(), 200, "{when:?}");
    }
}

#[tokio::test]
async fn a_cancelled_look_up_leaves_the_other_waiters_alone() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let service = when.layer(&gate).layer(inner);
        let mut waiting: Vec<_> = [good(), good(), forged()]
            .into_iter()
            .map(|token| Box::pin(service.clone().oneshot(bearer(token))))
            .collect();
        for future in &mut waiting {
            assert!(poll(future.as_mut()).is_pending());
        }
        assert_eq!(gate.waiting(), 3, "{when:?}");
        drop(waiting.remove(0));
        assert_eq!(gate.waiting(), 2, "{when:?}");
        gate.set_open();
        let mut statuses = Vec::new();
        for future in waiting {
            statuses.push(future.await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 401], "{when:?}");
        assert_eq!(log.calls(), 1, "{when:?}: the cancelled request never got there");
    }
}

#[tokio::test]
async fn over_a_buffer_a_refusal_frees_its_place() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let mut refused = when.layer(&Gate::open()).layer(Buffer::new(inner, 1));
        for _ in 0..5 {
            assert_eq!(status(&mut refused, forged()).await.unwrap(), 401, "{when:?}");
        }
        // `refused` is idle and alive; the buffer has room for one.
        let mut other = refused.clone();
        assert!(is_ready(&mut other), "{when:?}");
        assert_eq!(other.call(bearer(good())).await.unwrap().status(), 200, "{when:?}");
        assert_eq!(log.calls(), 1);
    }
}

#[tokio::test]
async fn within_a_buffer() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let limited = ConcurrencyLimit::new(inner, 1);
        let mut service = Buffer::new(when.layer(&Gate::open()).layer(limited), 4);
        for _ in 0..3 {
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
            assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        }
        assert_eq!(log.calls(), 3);
    }
}

#[tokio::test]
async fn over_load_shed_only_good_requests_are_shed() {
    for when in When::ALL {
        let answer = Gate::closed();
        let (inner, _) = Strict::answering_after(answer.clone());
        let inner = LoadShed::new(ConcurrencyLimit::new(inner, 1));
        let mut service = when.layer(&Gate::open()).layer(inner);
        // `LoadShed` answers `Overloaded` when it is called without being polled ready, too.
        let first = tokio::spawn(ready(&mut service).await.call(bearer(good())));
        tokio::task::yield_now().await;
        assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
        let shed = status(&mut service, good()).await.unwrap_err();
        assert!(shed.is::<Overloaded>(), "{when:?}: {shed}");
        answer.set_open();
        assert_eq!(first.await.unwrap().unwrap().status(), 200, "{when:?}");
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
    }
}

#[tokio::test]
async fn within_load_shed_a_refusal_takes_no_place() {
    for when in When::ALL {
        let (inner, _) = Strict::new();
        let limited = ConcurrencyLimit::new(inner, 1);
        let service = LoadShed::new(when.layer(&Gate::open()).layer(limited));
        let mut idle = service.clone();
        for _ in 0..3 {
            assert_eq!(status(&mut idle, forged()).await.unwrap(), 401, "{when:?}");
        }
        assert_eq!(status(&mut service.clone(), good()).await.unwrap(), 200, "{when:?}");

        let gate = Gate::closed();
        let (inner, _) = Strict::answering_after(gate.clone());
        let limited = ConcurrencyLimit::new(inner, 1);
        let mut service = LoadShed::new(when.layer(&gate).layer(limited));
        let mut first = Box::pin(ready(&mut service).await.call(bearer(good())));
        assert!(poll(first.as_mut()).is_pending());
        let shed = status(&mut service.clone(), good()).await.unwrap_err();
        assert!(shed.is::<Overloaded>(), "{when:?}: {shed}");
        drop(first);
        gate.set_open();
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_the_layer_bounds_the_look_up_too() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let limited = ConcurrencyLimit::new(inner, 1);
        let mut service = Timeout::new(when.layer(&gate).layer(limited), Duration::from_secs(2));
        let late = status(&mut service, good()).await.unwrap_err();
        assert!(late.is::<Elapsed>(), "{when:?}: {late}");
        assert_eq!((log.calls(), gate.waiting()), (0, 0), "{when:?}");
        gate.set_open();
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_within_the_layer_begins_after_the_verdict() {
    for when in When::ALL {
        let (verdict, answer) = (Gate::closed(), Gate::closed());
        let (inner, _) = Strict::answering_after(answer.clone());
        let inner = Timeout::new(inner, Duration::from_secs(2));
        let mut service = when.layer(&verdict).layer(inner);
        let slow = tokio::spawn({
            let (verdict, answer) = (verdict.clone(), answer.clone());
            async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                verdict.set_open();
                tokio::time::sleep(Duration::from_secs(1)).await;
                answer.set_open();
            }
        });
        let answered = status(&mut service, good()).await;
        match when.is_pending() {
            true => assert_eq!(answered.unwrap(), 200, "{when:?}"),
            false => assert!(answered.unwrap_err().is::<Elapsed>(), "{when:?}"),
        }
        slow.await.unwrap();
        assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn over_a_buffered_rate_limit_refusals_do_not_count() {
    for when in When::ALL {
        let (inner, _) = Strict::new();
        let limited = RateLimit::new(inner, Rate::new(2, Duration::from_secs(10)));
        let mut service = when.layer(&Gate::open()).layer(Buffer::new(limited, 4));
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
        }
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{when:?}: {:?}", start.elapsed());
        // The limit is shared by the clones that take the places of others.
        assert_eq!(status(&mut service.clone(), good()).await.unwrap(), 200, "{when:?}");
        assert!(start.elapsed() >= Duration::from_secs(10), "{when:?}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn readiness_and_its_errors_are_those_of_the_inner_service() {
    for when in When::ALL {
        let layer = when.layer(&Gate::open());
        let (mut service, mut handle) =
            tower_test::mock::spawn_with::<Request<()>, Response<Vec<u8>>, _, _>(|mock| {
                layer.layer(mock)
            });
        handle.allow(0);
        assert!(service.poll_ready().is_pending(), "{when:?}");
        handle.allow(1);
        assert!(service.poll_ready().is_ready(), "{when:?}");

        // The mock panics when it is called without being polled ready.
        let response = tokio::spawn(service.call(bearer(good())));
        let (seen, respond) = in_time(handle.next_request()).await.unwrap();
        let token = VerifiedToken::<RegisteredClaims>::from_extensions(seen.extensions());
        assert!(token.is_ok(), "{when:?}");
        respond.send_response(Response::new(b"mock".to_vec()));
        assert_eq!(response.await.unwrap().unwrap().body(), b"mock", "{when:?}");

        handle.send_error("the inner service is gone");
        let Poll::Ready(Err(error)) = service.poll_ready() else {
            panic!("{when:?}: no error");
        };
        assert!(error.to_string().contains("the inner service is gone"), "{when:?}: {error}");
    }
}

#[tokio::test]
async fn an_error_of_the_inner_service_passes() {
    for when in When::ALL {
        let layer = when.layer(&Gate::open());
        let (mut service, mut handle) =
            tower_test::mock::spawn_with::<Request<()>, Response<Vec<u8>>, _, _>(|mock| {
                layer.layer(mock)
            });
        handle.allow(1);
        assert!(service.poll_ready().is_ready());
        let response = tokio::spawn(service.call(bearer(good())));
        let (_, respond) = in_time(handle.next_request()).await.unwrap();
        respond.send_error("boom");
        assert_eq!(response.await.unwrap().unwrap_err().to_string(), "boom", "{when:?}");
    }
}

#[tokio::test]
async fn a_future_that_is_polled_again_does_not_panic() {
    for when in When::ALL {
        for token in [good(), forged()] {
            // The future of the inner service is an `async` block: polled again, it panics.
            let (inner, _) = Strict::new();
            let mut service = when.layer(&Gate::open()).layer(inner);
            let mut future = Box::pin(ready(&mut service).await.call(bearer(token)));
            future.as_mut().await.unwrap();
            assert!(poll(future.as_mut()).is_pending(), "{when:?}");
            assert!(poll(future.as_mut()).is_pending(), "{when:?}");
        }
    }
}

#[tokio::test]
async fn bodies_and_services_need_not_be_send() {
    for when in When::ALL {
        let layer = when.layer(&Gate::open());
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async move {
                let served = Rc::new(std::cell::Cell::new(0));
                let count = Rc::clone(&served);
                let inner = service_fn(move |request: Request<Rc<str>>| {
                    let count = Rc::clone(&count);
                    async move {
                        count.set(count.get() + 1);
                        let body: Rc<String> = Rc::new(request.body().to_string());
                        Ok::<_, Rc<str>>(Response::new(body))
                    }
                });
                let service = layer.layer(inner);
                for (token, expected) in [(good(), "body"), (forged(), "")] {
                    let request = bearer(token).map(|()| Rc::<str>::from("body"));
                    let future = service.clone().oneshot(request);
                    let response = tokio::task::spawn_local(future).await.unwrap().unwrap();
                    assert_eq!(response.body().as_str(), expected, "{when:?}");
                }
                assert_eq!(served.get(), 1, "{when:?}");
            })
            .await;
    }
}

/// A body of nothing but a `Default`.
#[derive(Debug, Default, PartialEq)]
struct NoBody;

async fn through<Q, A>(layer: JwtAuthLayer, body: Q, answer: fn() -> A, token: &str) -> (u16, A)
where
    A: Default,
{
    let inner =
        service_fn(
            move |_: Request<Q>| async move { Ok::<_, Infallible>(Response::new(answer())) },
        );
    let request = bearer(token).map(|()| body);
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    (response.status().as_u16(), response.into_body())
}

#[tokio::test]
async fn any_body_will_do() {
    for when in When::ALL {
        let layer = || when.layer(&Gate::open());
        assert_eq!(through(layer(), (), || (), good()).await, (200, ()));
        assert_eq!(through(layer(), NoBody, || NoBody, forged()).await, (401, NoBody));
        let bytes = through(layer(), vec![0_u8], || vec![1_u8], good()).await;
        assert_eq!(bytes, (200, vec![1]));
        let bytes = through(layer(), PhantomData::<Rc<()>>, || Some(1), forged()).await;
        assert_eq!(bytes, (401, None));
        let boxed = through(layer(), Box::new([0; 9]), || String::from("yes"), good()).await;
        assert_eq!(boxed, (200, String::from("yes")));
    }
}

type Ready = std::future::Ready<Result<Response<()>, BoxError>>;

#[test]
fn refusals_and_proofs_are_small() {
    assert!(size_of::<Rejection>() <= 16);
    assert!(size_of::<Result<(), Rejection>>() <= 16);
    // A pointer and the time at which the token expires, whatever its claims are.
    assert!(size_of::<VerifiedToken>() <= 32);
    assert_eq!(size_of::<VerifiedToken<[u64; 9]>>(), size_of::<VerifiedToken<()>>());
}

#[test]
fn the_future_of_a_request_that_need_not_wait_is_small() {
    // That of the inner service, or a response, and which of them. The headers for the response, and the way
    // back: the policy, the responder and the media type of a gRPC request.
    type Inner = Buffer<Request<[u64; 99]>, Ready>;
    let future = size_of::<ResponseFuture<Inner, RegisteredClaims, EmptyBody, [u64; 99]>>();
    let largest = size_of::<<Inner as Service<Request<[u64; 99]>>>::Future>()
        .max(size_of::<Option<Response<()>>>());
    let words = 1 + 1 + 1 + 3;
    assert!(future <= largest + words * size_of::<usize>(), "{future} for {largest}");
}
