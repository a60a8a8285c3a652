use std::time::Duration;

use token_service::store::Store;

use super::*;

const PERIOD: Duration = Duration::from_secs(6);

async fn take(store: &dyn Store, id: &str, at: i64) -> Result<(), Duration> {
    store.take(id, 10, PERIOD, NOW * 1000 + at).await.unwrap()
}

#[tokio::test]
async fn a_budget_is_used_up_and_comes_back() {
    over_every_store(async |store: &dyn Store| {
        for _ in 0..10 {
            take(store, "alice", 0).await.unwrap();
        }
        assert_eq!(take(store, "alice", 0).await, Err(PERIOD));
        assert_eq!(take(store, "alice", 1500).await, Err(Duration::from_millis(4500)));
        take(store, "bob", 0).await.unwrap();
        take(store, "alice", 6000).await.unwrap();
        assert_eq!(take(store, "alice", 6000).await, Err(PERIOD));
        for _ in 0..10 {
            take(store, "alice", 100_000).await.unwrap();
        }
        take(store, "alice", 100_000).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn what_is_left_can_be_taken() {
    over_every_store(async |store: &dyn Store| {
        let left = async |at: i64| store.left("alice", 10, PERIOD, NOW * 1000 + at).await.unwrap();
        assert_eq!(left(0).await, Ok(10));
        for taken in 1..10 {
            take(store, "alice", 0).await.unwrap();
            assert_eq!(left(0).await, Ok(10 - taken));
        }
        take(store, "alice", 0).await.unwrap();
        assert_eq!(left(0).await, Err(PERIOD));
        assert_eq!(left(1500).await, Err(Duration::from_millis(4500)));
        assert_eq!(left(6000).await, Ok(1));
        assert_eq!(left(100_000).await, Ok(10));
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_can_be_taken_again() {
    over_every_store(async |store: &dyn Store| {
        for _ in 0..10 {
            take(store, "alice", 0).await.unwrap();
        }
        store.give_back("alice", PERIOD, NOW * 1000).await.unwrap();
        store.give_back("unknown", PERIOD, NOW * 1000).await.unwrap();
        take(store, "alice", 0).await.unwrap();
        take(store, "alice", 0).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn a_budget_heals_after_the_clock_was_set_back() {
    over_every_store(async |store: &dyn Store| {
        take(store, "alice", 1000 * DAY).await.unwrap();
        assert_eq!(take(store, "alice", 0).await, Err(PERIOD));
        take(store, "alice", 6000).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_no_more_than_the_budget() {
    over_every_store(async |store: &dyn Store| {
        let taken = futures_util::future::join_all((0..50).map(|_| take(store, "alice", 0))).await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 10);
    })
    .await;
}

#[tokio::test]
async fn an_id_is_used_once_until_it_expires() {
    over_every_store(async |store: &dyn Store| {
        // Also one that a client has chosen badly.
        for id in ["id".to_owned(), "\0".to_owned(), "x".repeat(10_000)] {
            assert!(store.use_once(&id, NOW + 10).await.unwrap());
            assert!(!store.use_once(&id, NOW + 20).await.unwrap());
            take(store, &id, 0).await.unwrap();
        }
        store.purge(9, NOW + 9 + PURGE_MARGIN).await.unwrap();
        assert!(!store.use_once("id", NOW + 20).await.unwrap());
        store.purge(9, NOW + 10 + PURGE_MARGIN).await.unwrap();
        assert!(store.use_once("id", NOW + 20).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_purge_deletes_all_that_has_expired_in_batches() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        assert!(store.add_code(&code("code", "alice")).await.unwrap());
        add_grant(store, &grant("grant", "alice"), Some(&refresh_token("0"))).await;
        store.use_once("id", NOW + 10).await.unwrap();
        store.use_once("id 2", NOW + 10).await.unwrap();
        take(store, "alice", 0).await.unwrap();

        let purge =
            async |limit: u32, at: i64| store.purge(limit, NOW + at + PURGE_MARGIN).await.unwrap();
        assert_eq!(purge(1, 5).await, 0);
        assert_eq!(purge(1, 10).await, 3);
        assert_eq!(purge(1, 10).await, 0);
        assert_eq!(purge(9, 60).await, 1);
        assert_eq!(purge(9, DAY).await, 2);
        assert!(is_in_force(store, "grant").await);
        assert_eq!(purge(9, 30 * DAY).await, 1);
        assert!(store.grant("grant").await.unwrap().is_none());
        assert!(store.user("alice").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_purge_that_fails_for_one_table_goes_on_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&in_folder(&folder)).await.unwrap();
    assert!(store.use_once("id", NOW).await.unwrap());
    let pool = sqlx::SqlitePool::connect(&in_folder(&folder)).await.unwrap();
    sqlx::query("DROP TABLE codes").execute(&pool).await.unwrap();
    pool.close().await;

    store.purge(9, NOW + DAY).await.unwrap_err();
    assert!(store.use_once("id", NOW).await.unwrap());
}
