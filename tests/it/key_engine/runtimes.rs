//! The task that fetches, and runtimes that end, stand still, or panic.

use std::time::Duration;

use tokio::runtime::Builder;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{JwksUrl, KeySource};

use super::{Scripted, answer, fetched, kind, secs};

#[tokio::test(start_paused = true)]
async fn whoever_waits_behind_a_fetch_that_panics_is_served_by_the_next() {
    let issuer = MockIssuer::new();
    let set = issuer.jwk_set();
    let fetch = Scripted::new(move |n, _| {
        let set = set.clone();
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            assert!(n != 1, "a fetcher that panics, once");
            answer(200, &[], set).await
        })
    });
    let verifier = fetched(&issuer, fetch);
    assert!(!verifier.key_status().is_ready());
    tokio::time::sleep(secs(1) / 2).await;
    // The first fetch is under way: this one is for the second.
    let refreshed = tokio::time::timeout(secs(3600), verifier.refresh()).await;
    assert!(refreshed.is_ok_and(|refreshed| refreshed.is_ok()), "it waits for ever");
}

#[test]
fn whoever_waits_is_served_when_the_runtime_of_the_task_ends() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    first.block_on(verifier.refresh()).unwrap();
    issuer.rotate();
    let second = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let waiting = second.spawn({
        let (verifier, token) = (verifier.clone(), issuer.token().build());
        async move { kind(&verifier, &token).await }
    });
    let refreshing = second.spawn({
        let verifier = verifier.clone();
        async move { tokio::time::timeout(secs(9), verifier.refresh()).await.is_ok() }
    });
    std::thread::sleep(secs(1) / 5);
    drop(first);
    second.block_on(async {
        let verdict = waiting.await.unwrap();
        let refreshed = refreshing.await.unwrap();
        assert_eq!((verdict, refreshed), (None, true));
    });
}

#[test]
fn a_runtime_that_nobody_drives_does_not_stop_the_keys() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    // `main` waits for the keys, keeps its runtime, and serves on another one.
    let start_up = Builder::new_current_thread().enable_all().build().unwrap();
    start_up.block_on(verifier.ready(secs(5))).unwrap();
    issuer.rotate();
    let serving = Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(serving.block_on(kind(&verifier, &issuer.token().build())), None);
    drop(start_up);
}

/// Runtimes come and go while others wait: nobody is forgotten.
#[test]
fn while_runtimes_come_and_go_nobody_is_forgotten() {
    for n in 0..100_u64 {
        let issuer = MockIssuer::new();
        let verifier = issuer.verifier();
        let first = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let second = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let spawn = |runtime: &tokio::runtime::Runtime, count: usize| {
            (0..count)
                .map(|m| {
                    let (verifier, token) = (verifier.clone(), issuer.token().build());
                    runtime.spawn(async move {
                        let start = tokio::time::Instant::now();
                        match m % 3 {
                            0 => drop(
                                tokio::time::timeout(secs(9), verifier.refresh()).await.unwrap(),
                            ),
                            1 => drop(verifier.verify(&token).await),
                            _ => tokio::time::timeout(secs(9), verifier.ready(secs(8)))
                                .await
                                .unwrap()
                                .unwrap(),
                        }
                        start.elapsed()
                    })
                })
                .collect::<Vec<_>>()
        };
        let gone = spawn(&first, 6);
        let b = spawn(&second, 9);
        std::thread::sleep(Duration::from_micros(n * 37 % 3000));
        first.shutdown_background();
        drop(gone);
        for task in b {
            let took = second.block_on(task).unwrap();
            assert!(took < secs(6), "round {n}: {took:?}");
        }
    }
}

/// Over connections that are kept alive, by one client on runtimes that come and go.
#[test]
fn one_client_serves_runtimes_that_come_and_go() {
    let issuer = MockIssuer::new();
    let set = issuer.jwk_set();
    let server = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = server.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(move || {
        let set = set.clone();
        async move { ([("content-type", "application/json")], set) }
    });
    server.spawn(async move { axum::serve(listener, router).await });
    let keys = JwksUrl::new(&url).unwrap();
    for n in 0..60 {
        let runtime = match n % 2 {
            0 => Builder::new_current_thread().enable_all().build().unwrap(),
            _ => Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        };
        runtime.block_on(async {
            keys.refresh().await.unwrap_or_else(|error| panic!("{n}: {error:?}"));
            keys.refresh().await.unwrap_or_else(|error| panic!("{n}: {error:?}"));
        });
        if n % 3 == 0 {
            runtime.shutdown_background();
        }
    }
}

/// The runtime of a fetch stands still in the middle of it, and is kept.
#[test]
fn a_fetch_whose_runtime_stands_still_is_replaced() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    issuer.set_answer(MockAnswer::Hang);
    let still = Builder::new_current_thread().enable_all().build().unwrap();
    still.block_on(async {
        assert!(tokio::time::timeout(secs(1) / 20, verifier.refresh()).await.is_err());
    });
    issuer.set_answer(MockAnswer::Good);
    let serving = Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(serving.block_on(kind(&verifier, &issuer.token().build())), None);
    assert_eq!(issuer.key_fetches(), 2);
    // The old one comes too late to change anything.
    still.block_on(tokio::task::yield_now());
    assert_eq!(verifier.key_status().fetches_failed(), 0);
}
