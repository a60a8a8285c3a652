//! How an instance follows the signing keys in the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use token_service::store::{SqlStore, Store};
use token_service::{keys, upkeep};
use tokio::time::timeout;

use crate::failing_store::{self, Gate};

/// As `keys rotate --revoke-others` does.
async fn replace_keys(store: &SqlStore) -> String {
    let rows = store.signing_keys().await.unwrap();
    let seen: Vec<String> = rows.iter().map(|row| row.kid.clone()).collect();
    let key = keys::generate(rows[0].created_at, rows[0].signs_from + 1).unwrap();
    assert!(store.replace_signing_keys(&key, &seen).await.unwrap());
    key.kid
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_the_keys_that_is_late_does_not_put_a_removed_key_back() {
    let (client, store) = failing_store::service().await;
    let leaked = format!("Bearer {}", client.token().await);
    let follow = || {
        let service = Arc::clone(&client.service);
        tokio::spawn(async move { upkeep::follow_keys(&service).await })
    };
    let gate = Arc::new(Gate::default());
    *store.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let late = follow();
    timeout(Duration::from_secs(10), gate.is_reached.notified()).await.unwrap();
    let kid = replace_keys(&client.store).await;
    let mut after = follow();
    // It may have ended by then, or wait for the other one.
    let ended = timeout(Duration::from_millis(300), &mut after).await;
    gate.is_open.notify_one();
    late.await.unwrap().unwrap();
    match ended {
        Ok(result) => result.unwrap().unwrap(),
        Err(_) => after.await.unwrap().unwrap(),
    }
    assert_eq!(client.get_with("/protected", &leaked).await.status, 401);
    let keys = client.get("/jwks.json").await.json()["keys"].clone();
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["kid"]), (1, &kid.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_read_the_keys_twice() {
    let (client, store) = failing_store::service().await;
    let gate = Arc::new(Gate::default());
    *store.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let before = store.key_reads.load(Ordering::Relaxed);
    let first = upkeep::follow_keys(&client.service);
    let others = async {
        gate.is_reached.notified().await;
        let calls = (0..50).map(|_| upkeep::follow_keys(&client.service));
        let all = futures_util::future::join_all(calls);
        // All of them wait before the gate opens.
        let (results, ()) = tokio::join!(biased; all, async { gate.is_open.notify_one() });
        results
    };
    let both = async { tokio::join!(first, others) };
    let (result, results) = timeout(Duration::from_secs(10), both).await.unwrap();
    result.unwrap();
    assert!(results.into_iter().all(|result| result.is_ok()));
    assert_eq!(store.key_reads.load(Ordering::Relaxed) - before, 2);
}
