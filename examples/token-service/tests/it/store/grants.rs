use token_service::store::{Exchange, Store};

use super::*;

#[tokio::test]
async fn a_code_is_exchanged_once_and_a_second_time_revokes_the_grant() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        store.add_code(&code("code", "alice")).await.unwrap();
        let stored = store.code("code").await.unwrap().unwrap();
        assert_eq!((stored.nonce.as_deref(), stored.grant_id), (Some("nonce"), None));
        assert_eq!(stored.scopes, ["read", "openid"]);

        let first = refresh_token("first");
        let exchange = async |id: &str, refresh: Option<&NewRefreshToken>, now: i64| {
            store.exchange_code("code", &grant(id, "alice"), refresh, now).await.unwrap()
        };
        assert_eq!(exchange("one", Some(&first), NOW).await, Exchange::Granted);
        assert!(is_in_force(store, "one").await);
        let refresh = store.refresh_token("first").await.unwrap().unwrap();
        assert_eq!((refresh.grant_id.as_str(), refresh.used_at), ("one", None));

        // Also after the code has expired.
        assert_eq!(exchange("two", None, NOW + 100).await, Exchange::Reused);
        assert!(!is_in_force(store, "one").await);
        assert!(store.grant("two").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn an_unknown_expired_or_disabled_code_gives_nothing() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        store.add_code(&code("code", "alice")).await.unwrap();
        let exchange = async |hash: &str, now: i64| {
            store.exchange_code(hash, &grant("grant", "alice"), None, now).await.unwrap()
        };
        assert_eq!(exchange("unknown", NOW).await, Exchange::Invalid);
        assert_eq!(exchange("code", NOW + 60).await, Exchange::Invalid);
        assert!(store.grant("grant").await.unwrap().is_none());
        store.disable_user("alice", NOW).await.unwrap();
        assert_eq!(exchange("code", NOW).await, Exchange::Invalid);
        assert!(store.grant("grant").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_exchanges_at_once_one_is_granted() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        store.add_code(&code("code", "alice")).await.unwrap();
        let exchanges = (0..20).map(async |number| {
            let grant = grant(&number.to_string(), "alice");
            store.exchange_code("code", &grant, None, NOW).await.unwrap()
        });
        let results = futures_util::future::join_all(exchanges).await;
        let granted = results.iter().filter(|result| **result == Exchange::Granted).count();
        assert_eq!(granted, 1);
        assert!(results.iter().all(|result| *result != Exchange::Invalid));
    })
    .await;
}

#[tokio::test]
async fn grants_are_found_by_user_and_client_while_in_force() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        store.add_grant(&grant("one", "alice"), None).await.unwrap();
        let other = Grant { client_id: "other".into(), ..grant("two", "alice") };
        store.add_grant(&other, None).await.unwrap();
        let found = async |now: i64| -> Vec<String> {
            let grants = store.grants_to("alice", "app", now).await.unwrap();
            grants.into_iter().map(|grant| grant.id).collect()
        };
        assert_eq!(found(NOW).await, ["one"]);
        assert_eq!(found(NOW + 30 * DAY).await, [""; 0]);
        store.revoke_grant("one", NOW).await.unwrap();
        store.revoke_grant("unknown", NOW).await.unwrap();
        assert_eq!(found(NOW).await, [""; 0]);
        let one = store.grant("one").await.unwrap().unwrap();
        assert_eq!(one.revoked_at, Some(NOW));
        assert_eq!(one.resources, ["https://api.example"]);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_stays_revoked() {
    over_every_store(async |store: &dyn Store| {
        assert!(!store.is_revoked("jti").await.unwrap());
        store.revoke_token("jti", NOW + 10).await.unwrap();
        store.revoke_token("jti", NOW + 10).await.unwrap();
        assert!(store.is_revoked("jti").await.unwrap());
        store.purge(100, NOW + 9).await.unwrap();
        assert!(store.is_revoked("jti").await.unwrap());
        store.purge(100, NOW + 10).await.unwrap();
        assert!(!store.is_revoked("jti").await.unwrap());
    })
    .await;
}
