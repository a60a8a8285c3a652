use token_service::store::{Exchange, Store};

use super::*;

#[tokio::test]
async fn a_code_is_exchanged_once_and_a_second_time_revokes_the_grant() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        assert!(store.add_code(&code("code", "alice")).await.unwrap());
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
        // So that no purge looks at it before.
        let used = store.code("code").await.unwrap().unwrap();
        assert_eq!(used.expires_at, grant("one", "alice").expires_at);

        // Also after the code has expired, and what has expired was deleted.
        store.purge(100, NOW + 100 + PURGE_MARGIN).await.unwrap();
        assert_eq!(exchange("two", None, NOW + 100).await, Exchange::Reused);
        assert!(!is_in_force(store, "one").await);
        assert!(store.grant("two").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_used_code_stays_as_long_as_its_grant() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        add_grant(store, &grant("one", "alice"), None).await;
        // As an earlier version of the program left it: it expires before its grant.
        let used = Code { grant_id: Some("one".to_owned()), ..code("used", "alice") };
        assert!(store.add_code(&used).await.unwrap());
        assert!(store.add_code(&code("unused", "alice")).await.unwrap());
        assert_eq!(store.purge(9, NOW + 60 + PURGE_MARGIN).await.unwrap(), 1);
        assert!(store.code("used").await.unwrap().is_some());
        // The grant and the session too.
        assert_eq!(store.purge(9, NOW + 30 * DAY + PURGE_MARGIN).await.unwrap(), 3);
        assert!(store.code("used").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn an_unknown_expired_or_disabled_code_gives_nothing() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        assert!(store.add_code(&code("code", "alice")).await.unwrap());
        let exchange = async |hash: &str, now: i64| {
            store.exchange_code(hash, &grant("grant", "alice"), None, now).await.unwrap()
        };
        assert_eq!(exchange("unknown", NOW).await, Exchange::Invalid);
        assert_eq!(exchange("code", NOW + 60).await, Exchange::Invalid);
        assert!(store.grant("grant").await.unwrap().is_none());
        // Its codes are deleted with it.
        store.disable_user("alice", NOW).await.unwrap();
        assert_eq!(exchange("code", NOW).await, Exchange::Invalid);
        assert!(store.grant("grant").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_exchanges_at_once_one_is_granted() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        assert!(store.add_code(&code("code", "alice")).await.unwrap());
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
async fn a_surplus_code_that_is_used_in_the_meantime_stays() {
    let Ok(server) = std::env::var("POSTGRES_URL") else { return };
    let url = new_database(&server).await;
    let store = SqlStore::open(&url).await.unwrap();
    add_alice(&store).await;
    for number in 0..MAX_CODES {
        let expires_at = NOW + 60 + i64::from(number);
        let code = Code { expires_at, ..code(&number.to_string(), "alice") };
        assert!(store.add_code(&code).await.unwrap());
    }
    // Another instance exchanges the code that is deleted next.
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    let used = "BEGIN; UPDATE codes SET grant_id = 'grant' WHERE code_hash = '0'";
    sqlx::raw_sql(used).execute(&mut other).await.unwrap();
    let last = Code { expires_at: NOW + 120, ..code("last", "alice") };
    let add = store.add_code(&last);
    // A third one, since a transaction sees the activity of its beginning.
    let mut watching = sqlx::PgConnection::connect(&url).await.unwrap();
    let commit = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watching).await.unwrap() == 0 {}
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    };
    let (added, ()) = tokio::join!(add, commit);
    assert!(added.unwrap());
    add_grant(&store, &grant("grant", "alice"), None).await;
    let replay = store.exchange_code("0", &grant("another", "alice"), None, NOW).await.unwrap();
    assert_eq!(replay, Exchange::Reused);
    assert!(!is_in_force(&store, "grant").await);
}

#[tokio::test]
async fn grants_are_found_by_user_and_client_while_in_force() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        add_grant(store, &grant("one", "alice"), None).await;
        let other = Grant { client_id: "other".into(), ..grant("two", "alice") };
        add_grant(store, &other, None).await;
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
        // The first time stays.
        store.revoke_grant("one", NOW + 1).await.unwrap();
        assert_eq!(store.grant("one").await.unwrap().as_ref(), Some(&one));
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
        store.purge(100, NOW + 9 + PURGE_MARGIN).await.unwrap();
        assert!(store.is_revoked("jti").await.unwrap());
        store.purge(100, NOW + 10 + PURGE_MARGIN).await.unwrap();
        assert!(!store.is_revoked("jti").await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_and_new_passwords_do_not_wait_for_each_other_for_ever() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        let code = |number: u32| Code { session_id: None, ..code(&number.to_string(), "alice") };
        for number in 0..20 {
            assert!(store.add_code(&code(number)).await.unwrap());
        }
        let exchanges = (0..20).map(async |number: u32| {
            let grant = grant(&number.to_string(), "alice");
            store.exchange_code(&number.to_string(), &grant, None, NOW).await.unwrap();
        });
        let passwords = (0..20).map(async |number: u32| {
            assert!(store.set_password("alice", &number.to_string(), NOW).await.unwrap());
        });
        let (exchanges, passwords) =
            (futures_util::future::join_all(exchanges), futures_util::future::join_all(passwords));
        futures_util::future::join(exchanges, passwords).await;
        assert!(store.set_password("alice", "last", NOW).await.unwrap());
        for number in 0..20 {
            let grant = store.grant(&number.to_string()).await.unwrap();
            assert!(grant.is_none_or(|grant| grant.revoked_at.is_some()), "{number}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_oldest_of_too_many_grants_to_one_client_is_deleted() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        let count = i64::from(MAX_GRANTS);
        for number in 0..=count {
            let created_at = NOW + number;
            let grant = Grant { created_at, ..grant(&number.to_string(), "alice") };
            add_grant(store, &grant, Some(&refresh_token(&number.to_string()))).await;
        }
        let other = Grant { client_id: "other".into(), ..grant("other", "alice") };
        add_grant(store, &other, None).await;
        assert!(store.grant("0").await.unwrap().is_none());
        assert!(store.refresh_token("0").await.unwrap().is_none());
        assert!(store.grant("1").await.unwrap().is_some());
        let grants = store.grants_to("alice", "app", NOW).await.unwrap();
        assert_eq!(grants.len() as i64, count);
    })
    .await;
}

#[tokio::test]
async fn a_session_has_a_limit_of_unused_codes_and_the_oldest_goes() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        add_session(store, "other", "alice").await;
        let other = Code { session_id: Some("other".to_owned()), ..code("other", "alice") };
        assert!(store.add_code(&other).await.unwrap());
        assert!(store.add_code(&code("used", "alice")).await.unwrap());
        let exchange = store.exchange_code("used", &grant("grant", "alice"), None, NOW).await;
        assert_eq!(exchange.unwrap(), Exchange::Granted);
        for number in 0..=i64::from(MAX_CODES) {
            let expires_at = NOW + 60 + number;
            let code = Code { expires_at, ..code(&number.to_string(), "alice") };
            assert!(store.add_code(&code).await.unwrap());
        }
        for (hash, is_there) in
            [("0", false), ("1", true), ("20", true), ("other", true), ("used", true)]
        {
            assert_eq!(store.code(hash).await.unwrap().is_some(), is_there, "{hash}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_grant_of_a_token_is_hidden_once_that_token_is_revoked() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        add_grant(store, &grant("one", "alice"), None).await;
        let found = async |id: &str, jti: &str| store.grant_of_token(id, jti).await.unwrap();
        assert_eq!(found("one", "one.a").await, store.grant("one").await.unwrap());
        store.revoke_token("one.a", NOW + 60).await.unwrap();
        assert_eq!(found("one", "one.a").await, None);
        // Another token of the grant stays, until the grant is revoked.
        assert!(found("one", "one.b").await.unwrap().is_in_force(NOW));
        store.revoke_grant("one", NOW).await.unwrap();
        assert!(!found("one", "one.b").await.unwrap().is_in_force(NOW));
        for (id, jti) in [("two", "two.a"), ("", ""), ("one\0", "one.b"), ("one", "one\0")] {
            assert_eq!(found(id, jti).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_is_found_with_its_grant() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        let (one, first) = (grant("one", "alice"), refresh_token("first"));
        assert_ne!(one.expires_at, first.expires_at);
        add_grant(store, &one, Some(&first)).await;
        add_grant(store, &grant("two", "alice"), Some(&refresh_token("other"))).await;
        for (hash, id) in [("first", "one"), ("other", "two")] {
            let (token, grant) = store.refresh_token_and_grant(hash).await.unwrap().unwrap();
            assert_eq!(Some(&token), store.refresh_token(hash).await.unwrap().as_ref());
            assert_eq!(Some(&grant), store.grant(id).await.unwrap().as_ref());
        }
        store.revoke_grant("one", NOW).await.unwrap();
        let (_, grant) = store.refresh_token_and_grant("first").await.unwrap().unwrap();
        assert!(!grant.is_in_force(NOW));
        for unknown in ["", "third", "first\0"] {
            assert_eq!(store.refresh_token_and_grant(unknown).await.unwrap(), None);
        }
    })
    .await;
}
