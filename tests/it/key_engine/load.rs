//! Many at once: one fetch for all of them, whatever the order in which they come.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::service::Service as HyperService;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tower::ServiceBuilder;
use tower_jwt_auth::JwtAuthLayer;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};

use super::{kind, pass, secs, unknown};

/// Seeded schedules on several threads: requests, cancellations, operators and probes in any order.
#[test]
fn one_fetch_at_a_time_in_any_order_of_events() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    for seed in 0..150_u8 {
        let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let issuer = MockIssuer::new();
        let verifier = issuer.verifier();
        let good = issuer.token().build();
        let accepted = Arc::new(AtomicUsize::new(0));
        let mut wanted = 0;
        runtime.block_on(async {
            let mut tasks = Vec::new();
            for n in 0..40 {
                let choice: u32 = random.next_u32() % 10;
                let pauses: u32 = random.next_u32() % 8;
                let (verifier, good) = (verifier.clone(), good.clone());
                let (strange, accepted) = (unknown(&issuer, &n.to_string()), accepted.clone());
                wanted += usize::from(choice < 5);
                let task = tokio::spawn(async move {
                    for _ in 0..pauses {
                        tokio::task::yield_now().await;
                    }
                    match choice {
                        0..5 => {
                            assert_eq!(kind(&verifier, &good).await, None);
                            accepted.fetch_add(1, Ordering::Relaxed);
                        }
                        5..8 => assert!(kind(&verifier, &strange).await.is_some()),
                        8 => drop(verifier.key_status()),
                        _ => {
                            let wait = verifier.verify(&strange);
                            let _ = tokio::time::timeout(secs(1) / 2000, wait).await;
                        }
                    }
                });
                if choice == 9 && random.next_u32().is_multiple_of(2) {
                    task.abort();
                }
                tasks.push(task);
            }
            for task in tasks {
                assert!(task.await.map_or_else(|error| error.is_cancelled(), |()| true));
            }
        });
        assert_eq!(accepted.load(Ordering::Relaxed), wanted, "seed {seed}");
        assert_eq!(issuer.most_at_once(), 1, "seed {seed}");
        // The first one, and those that unknown `kid`s may ask for.
        assert!(issuer.key_fetches() <= 4, "seed {seed}: {}", issuer.key_fetches());
    }
}

/// The soak: 20 rotations while good requests flow on 50 connections of HTTP/1.1 and HTTP/2, half of
/// the rotations without an overlap. Its figures stand in the docs of the key engine.
#[tokio::test(start_paused = true)]
async fn twenty_rotations_refuse_no_good_request() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.ready(secs(5)).await.unwrap();
    let layer: JwtAuthLayer = JwtAuthLayer::new(verifier.clone());
    let service = ServiceBuilder::new().layer(layer).service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..50)
        .map(|n| {
            let (issuer, stop, served) = (issuer.clone(), stop.clone(), served.clone());
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let mut connection = connect(service, n % 2 == 0).await;
                while !stop.load(Ordering::Relaxed) {
                    let authorization = format!("Bearer {}", issuer.token().build());
                    let request = Request::get("http://api.test/")
                        .header("host", "api.test")
                        .header("authorization", authorization)
                        .body(Empty::<Bytes>::new())
                        .unwrap();
                    assert_eq!(connection(request).await, StatusCode::OK);
                    served.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(secs(1)).await;
                }
            })
        })
        .collect();
    let before = issuer.key_fetches();
    for rotation in 0..20 {
        pass(11).await;
        match rotation % 2 {
            0 => issuer.rotate(),
            _ => issuer.rotate_and_drop(),
        }
    }
    pass(11).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let (fetches, served) = (issuer.key_fetches() - before, served.load(Ordering::Relaxed));
    assert!(fetches <= 3 * 20, "{fetches} fetches");
    assert!(served > 10_000, "{served}");
    assert_eq!(verifier.key_status().fetches_failed(), 0);
    println!("20 rotations, {served} good requests, none refused, {fetches} fetches");
}

/// A connection in memory to the service: what sends a request over it and answers its status.
async fn connect<S>(
    service: S,
    is_http2: bool,
) -> Box<dyn FnMut(Request<Empty<Bytes>>) -> BoxFuture<'static, StatusCode> + Send>
where
    S: HyperService<Request<Incoming>, Response = Response<Full<Bytes>>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (client, server) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(server), service)
            .await
            .unwrap();
    });
    let client = TokioIo::new(client);
    if is_http2 {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), client).await.unwrap();
        tokio::spawn(connection);
        return Box::new(move |request| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await.unwrap().status() }.boxed()
        });
    }
    let (mut sender, connection) = http1::handshake(client).await.unwrap();
    tokio::spawn(connection);
    Box::new(move |request| {
        let response = sender.send_request(request);
        async move { response.await.unwrap().status() }.boxed()
    })
}

/// The flood, beside clients that are good, while the issuer hangs.
#[tokio::test(start_paused = true)]
async fn a_flood_while_the_issuer_hangs_harms_nobody() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.ready(secs(5)).await.unwrap();
    issuer.set_answer(MockAnswer::Hang);
    let flood: Vec<_> = (0..10_000)
        .map(|n| {
            let (verifier, token) = (verifier.clone(), unknown(&issuer, &n.to_string()));
            tokio::spawn(async move { kind(&verifier, &token).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let start = tokio::time::Instant::now();
    for _ in 0..100 {
        assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    }
    assert_eq!(start.elapsed(), secs(0));
    for refused in flood {
        assert!(refused.await.unwrap().is_some());
    }
    let fetches = issuer.key_fetches();
    assert!(fetches <= 3, "{fetches}");
    println!(
        "10000 unknown kids while the issuer hangs: 100 good requests at once, {fetches} fetches"
    );
}
