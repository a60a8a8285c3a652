//! How an instance follows the signing keys in the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use token_service::store::{KeyEncryption, KeyEncryptionKey, SqlStore, Store, Target};
use token_service::{Settings, keys, upkeep};
use tokio::time::timeout;

use crate::failing_store::{self, Gate};
use crate::support::{Client, GOOD, ISSUER, NOW};

/// As `keys rotate --revoke-others` does.
async fn replace_keys(store: &SqlStore) -> String {
    let seen = store.signing_key_ids().await.unwrap();
    let key = keys::generate(NOW, NOW).unwrap();
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

/// A key that no instance can read.
async fn add_damaged_key(store: &SqlStore, signs_from: i64) -> String {
    let mut key = keys::generate(signs_from, signs_from).unwrap();
    key.private_key = "not a key".to_owned().into();
    let seen = store.signing_key_ids().await.unwrap();
    assert!(store.add_signing_key(&key, &seen).await.unwrap());
    key.kid
}

#[tokio::test]
async fn an_instance_that_cannot_read_the_new_key_refuses_the_tokens_of_the_removed_one() {
    let client = Client::new().await;
    let leaked = format!("Bearer {}", client.token().await);
    assert_eq!(client.get_with("/protected", &leaked).await.status, 200);
    let key = KeyEncryptionKey::from_text(&KeyEncryptionKey::generate()).unwrap();
    let other = SqlStore::clone(&client.store).with_key_encryption(KeyEncryption::new([key]));
    other.store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
    // The row is there, so the key stays.
    upkeep::follow_keys(&client.service).await.unwrap_err();
    assert_eq!(client.get_with("/protected", &leaked).await.status, 200);

    replace_keys(&other).await;
    for _ in 0..2 {
        upkeep::follow_keys(&client.service).await.unwrap_err();
        assert_eq!(client.get_with("/protected", &leaked).await.status, 401);
        client.post(GOOD).await.assert_error(503, "temporarily_unavailable");
        assert_eq!(client.get("/readyz").await.status, 503);
    }
    // When it can read the keys, it serves again.
    other.store_keys_as(Target::Plaintext, |_| {}).await.unwrap();
    upkeep::follow_keys(&client.service).await.unwrap();
    assert_eq!(client.get("/readyz").await.status, 200);
    let bearer = format!("Bearer {}", client.token().await);
    assert_eq!(client.get_with("/protected", &bearer).await.status, 200);
}

#[tokio::test]
async fn a_damaged_row_keeps_no_key_whose_row_is_gone() {
    let (client, _) = Client::with_clock(Settings::new(ISSUER)).await;
    let first = client.store.signing_key_ids().await.unwrap();
    let next = keys::generate(NOW, NOW + 1).unwrap();
    assert!(client.store.add_signing_key(&next, &first).await.unwrap());
    upkeep::follow_keys(&client.service).await.unwrap();
    let leaked = format!("Bearer {}", client.token().await);
    add_damaged_key(&client.store, NOW + 2).await;
    client.store.remove_signing_key(&first[0]).await.unwrap();
    upkeep::follow_keys(&client.service).await.unwrap_err();
    assert_eq!(client.get_with("/protected", &leaked).await.status, 401);
    let set = client.get("/jwks.json").await;
    assert!(set.body.contains(&next.kid) && !set.body.contains(&first[0]), "{}", set.body);
    client.token().await;
}

#[tokio::test]
async fn an_instance_that_cannot_follow_the_keys_for_a_minute_is_not_ready() {
    let (client, clock) = Client::with_clock(Settings::new(ISSUER)).await;
    let damaged = add_damaged_key(&client.store, NOW + 1).await;
    upkeep::follow_keys(&client.service).await.unwrap_err();
    assert_eq!(client.get("/readyz").await.status, 200);
    clock.advance(Duration::from_secs(61));
    upkeep::follow_keys(&client.service).await.unwrap_err();
    assert_eq!(client.get("/readyz").await.status, 503);
    client.store.remove_signing_key(&damaged).await.unwrap();
    upkeep::follow_keys(&client.service).await.unwrap();
    assert_eq!(client.get("/readyz").await.status, 200);
    // A pause alone is no failure.
    clock.advance(Duration::from_secs(3600));
    assert_eq!(client.get("/readyz").await.status, 200);
}
