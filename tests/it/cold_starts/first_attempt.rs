//! Unconfirmed keys before the first fetch has ended, and fetches and files that end in other ways than well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{Fetch, FetchFuture, FetchRequest, KeySource, RejectionKind};

use super::{Disk, of_initial_keys, published, verifier};
use crate::key_engine::{kind, pass, secs};

#[tokio::test(start_paused = true)]
async fn verify_now_accepts_no_key_that_no_fetch_has_tried_to_confirm() {
    let issuer = MockIssuer::new();
    let old = issuer.token().build();
    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    issuer.rotate_and_drop();
    let verifier = verifier(&issuer, keys);
    // The issuer is up, and has withdrawn the key. The first calls start the fetch.
    for _ in 0..3 {
        assert_eq!(verifier.verify_now(&old).unwrap_err().kind(), RejectionKind::Unavailable);
    }
    pass(1).await;
    assert_eq!(issuer.key_fetches(), 1);
    assert!(!verifier.key_status().is_unconfirmed());
    verifier.verify_now(&old).unwrap_err();
    verifier.verify_now(&issuer.token().build()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn verify_now_accepts_keys_of_a_file_when_the_first_fetch_has_ended() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Hang);
    let verifier = disk.verifier(&issuer);
    let token = issuer.token().build();
    for _ in 0..4 {
        assert_eq!(verifier.verify_now(&token).unwrap_err().kind(), RejectionKind::Unavailable);
        pass(1).await;
    }
    // The file was read, and the fetch still hangs.
    assert!(verifier.key_status().is_ready());
    pass(2).await;
    verifier.verify_now(&token).unwrap();
}

#[test]
fn without_a_runtime_unconfirmed_keys_are_not_used() {
    let issuer = MockIssuer::new();
    let verifier = of_initial_keys(&issuer);
    let refused = verifier.verify_now(&issuer.token().build()).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::Unavailable);
}

#[tokio::test(start_paused = true)]
#[cfg(feature = "token-cache")]
async fn token_cache_keeps_no_token_of_an_unconfirmed_key_beyond_the_fetch_that_withdraws_it() {
    let issuer = MockIssuer::new();
    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    let source = keys.clone();
    let verifier = verifier(&issuer, keys).with_token_cache(100).unwrap();
    let token = issuer.token().build();
    // Before the first fetch has ended, no result could be remembered.
    assert_eq!(source.generation(), None);
    issuer.set_answer(MockAnswer::Refuse);
    for _ in 0..3 {
        assert_eq!(kind(&verifier, &token).await, None);
        verifier.verify_now(&token).unwrap();
    }
    issuer.rotate_and_drop();
    issuer.set_answer(MockAnswer::Good);
    verifier.refresh().await.unwrap();
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::UnknownKey));
    verifier.verify_now(&token).unwrap_err();
}

/// A client that panics as long as the flag is set.
#[derive(Clone, Debug)]
struct Panicking(MockIssuer, Arc<AtomicBool>);

impl Fetch for Panicking {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        assert!(!self.1.load(Ordering::SeqCst), "this panic is part of the test");
        self.0.fetch(request)
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_panics_is_a_failed_fetch_after_which_the_file_is_used() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let panics = Arc::new(AtomicBool::new(true));
    let keys = disk.keys(&issuer).with_fetcher(Panicking(issuer.clone(), Arc::clone(&panics)));
    let verifier = verifier(&issuer, keys);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    let status = verifier.key_status();
    assert!(status.is_unconfirmed() && status.last_error().unwrap().contains("panicked"));
    panics.store(false, Ordering::SeqCst);
    pass(20).await;
    assert!(!verifier.key_status().is_unconfirmed());
}

#[test]
fn file_that_is_read_slower_than_two_seconds_is_used_when_it_has_been_read() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    // The only thread that may block is taken, as if the disk hung.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        disk.remember(&issuer).await;
        issuer.set_answer(MockAnswer::Refuse);
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let hanging = tokio::task::spawn_blocking(move || gate.recv());
        let verifier = disk.verifier(&issuer);
        let token = issuer.token().build();
        let start = tokio::time::Instant::now();
        assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
        let waited = start.elapsed();
        assert!((secs(2)..secs(4)).contains(&waited), "{waited:?}");
        open.send(()).unwrap();
        hanging.await.unwrap().unwrap();
        // The reading has gone on, without another one.
        while !verifier.key_status().is_ready() {
            tokio::time::sleep(secs(1) / 100).await;
        }
        assert_eq!(verifier.verify_now(&token).map(|_| ()).map_err(|e| e.kind()), Ok(()));
        assert!(verifier.key_status().is_unconfirmed());
    });
}

#[tokio::test(start_paused = true)]
#[cfg(unix)]
async fn file_that_the_system_cannot_read_at_first_is_read_after_a_later_failed_fetch() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Refuse);
    // The folder is not one yet, as with a mount that comes late.
    let late = disk.path().with_file_name("late");
    std::fs::write(&late, "").unwrap();
    let file = tower_jwt_auth::KeyFile::new(late.join("keys")).unwrap();
    let verifier = verifier(&issuer, issuer.keys().with_key_file(file));
    let token = issuer.token().build();
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
    std::fs::remove_file(&late).unwrap();
    std::fs::create_dir(&late).unwrap();
    std::fs::copy(disk.path(), late.join("keys")).unwrap();
    pass(20).await;
    assert_eq!(kind(&verifier, &token).await, None);
}
