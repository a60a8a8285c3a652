use sqlx::{AnyConnection, Connection, Row};
use token_service::store::{ClientDocument, DOCUMENTS_KEPT, PURGE_MARGIN, Store};
use tower_jwt_auth::NumericDate;
use tower_jwt_auth::test_util::ManualClock;

use super::*;

const URL: &str = "https://app.example/client";

fn document(url: &str, text: &str, at: i64) -> ClientDocument {
    ClientDocument {
        url: url.to_owned(),
        document: text.to_owned(),
        jwk_set: Some("{\"keys\": []}".to_owned()),
        fetched_at: at,
        fresh_until: at + 60,
        expires_at: at + 3660,
        used_at: at,
    }
}

async fn put(store: &dyn Store, document: &ClientDocument) {
    store.put_client_document(document, 3, NOW).await.unwrap();
}

/// A grant that came of the document of this client.
async fn add_grant_to(store: &dyn Store, client: &str, id: &str) {
    let grant = Grant {
        client_id: client.to_owned(),
        client_document: Some("hash".to_owned()),
        ..grant(id, "alice")
    };
    add_grant(store, &grant, None).await;
}

/// The documents that are left, by what their URLs have after [`URL`].
async fn left(store: &dyn Store) -> Vec<i64> {
    let mut left = Vec::new();
    for number in 0..20 {
        if find(store, &format!("{URL}{number}")).await.is_some() {
            left.push(number);
        }
    }
    left
}

async fn find(store: &dyn Store, url: &str) -> Option<ClientDocument> {
    store.client_document(url).await.unwrap()
}

#[tokio::test]
async fn a_document_replaces_the_earlier_one_of_its_url() {
    over_every_store(async |store: &dyn Store| {
        assert_eq!(find(store, URL).await, None);
        assert_eq!(find(store, "\0").await, None);
        let first = document(URL, "{\"client_name\": \"\u{e9}\"}", NOW);
        put(store, &first).await;
        assert_eq!(find(store, URL).await, Some(first.clone()));
        let mut other = document(URL, "{}", NOW + 10);
        other.jwk_set = None;
        put(store, &other).await;
        assert_eq!(find(store, URL).await, Some(other));

        store.remove_client_document(URL).await.unwrap();
        store.remove_client_document(URL).await.unwrap();
        assert_eq!(find(store, URL).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_document_is_kept_until_it_expires_and_not_longer() {
    over_every_store(async |store: &dyn Store| {
        put(store, &document(URL, "{}", NOW)).await;
        for (until, kept) in
            [(NOW + 100, 100), (NOW + 90, 100), (NOW + 5000, 3660), (NOW + 200, 3660)]
        {
            store.keep_client_document(URL, until).await.unwrap();
            let found = find(store, URL).await.unwrap();
            assert_eq!((found.fresh_until, found.expires_at), (NOW + kept, NOW + 3660));
        }
        store.keep_client_document("https://other.example/", NOW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_documents_that_were_not_used_for_longest_are_deleted() {
    over_every_store(async |store: &dyn Store| {
        for number in 0..3 {
            put(store, &document(&format!("{URL}{number}"), "{}", NOW + number)).await;
        }
        store.use_client_document(&format!("{URL}0"), NOW + 10).await.unwrap();
        store.use_client_document(&format!("{URL}0"), NOW + 9).await.unwrap();
        assert_eq!(find(store, &format!("{URL}0")).await.unwrap().used_at, NOW + 10);
        put(store, &document(&format!("{URL}3"), "{}", NOW + 3)).await;
        assert_eq!(left(store).await, [0, 2, 3]);
        // The new one stays, also if its time is an early one.
        put(store, &document(&format!("{URL}4"), "{}", NOW - 50)).await;
        assert_eq!(left(store).await, [0, 3, 4]);
    })
    .await;
}

#[tokio::test]
async fn a_document_with_a_grant_in_force_is_deleted_last() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        for number in 0..3 {
            let url = format!("{URL}{number}");
            put(store, &document(&url, "{}", NOW + number)).await;
            add_grant_to(store, &url, &format!("grant {number}")).await;
            assert!(store.has_grant_by_document(&url, NOW).await.unwrap());
            assert!(!store.has_grant_by_document(&url, NOW + 30 * DAY).await.unwrap());
        }
        for number in 3..6 {
            put(store, &document(&format!("{URL}{number}"), "{}", NOW + number)).await;
        }
        // One too many is stored with each, and goes with the next one.
        assert_eq!(left(store).await, [1, 2, 5]);
        store.revoke_grant("grant 2", NOW).await.unwrap();
        assert!(!store.has_grant_by_document(&format!("{URL}2"), NOW).await.unwrap());
        put(store, &document(&format!("{URL}6"), "{}", NOW + 6)).await;
        assert_eq!(left(store).await, [1, 5, 6]);
        // A grant to a registered client says nothing of a document.
        let grant = Grant { client_id: URL.to_owned(), ..grant("registered", "alice") };
        add_grant(store, &grant, None).await;
        assert!(!store.has_grant_by_document(URL, NOW).await.unwrap());
        assert!(!store.has_grant_by_document("\0", NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_document_is_purged_a_month_after_its_last_use_unless_it_has_a_grant() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        put(store, &document(URL, "{}", NOW)).await;
        let granted = document(&format!("{URL}0"), "{}", NOW);
        put(store, &granted).await;
        let grant = Grant {
            client_id: granted.url.clone(),
            client_document: Some("hash".to_owned()),
            expires_at: NOW + 90 * DAY,
            ..grant("grant", "alice")
        };
        add_grant(store, &grant, None).await;
        let gone = NOW + DOCUMENTS_KEPT + PURGE_MARGIN;
        store.purge(9, gone - 1).await.unwrap();
        assert!(find(store, URL).await.is_some());
        store.purge(9, gone).await.unwrap();
        assert_eq!((find(store, URL).await, left(store).await), (None, vec![0]));
        store.purge(9, NOW + 90 * DAY + PURGE_MARGIN).await.unwrap();
        assert_eq!(left(store).await, [0_i64; 0]);
    })
    .await;
}

/// Of two instances, one has a clock that is ten minutes ahead of the database.
#[tokio::test]
async fn the_times_of_a_document_are_by_the_clock_of_the_database() {
    let clock = |at| ManualClock::new(NumericDate::from_unix_seconds(at));
    let store = SqlStore::in_memory().await.unwrap().with_database_clock(clock(NOW));
    let good = store.clone().with_process_clock(clock(NOW));
    let ahead = store.with_process_clock(clock(NOW + 600));
    let stored = document(URL, "{}", NOW + 600);
    put(&ahead, &stored).await;
    assert_eq!(find(&ahead, URL).await, Some(stored));
    assert_eq!(find(&good, URL).await, Some(document(URL, "{}", NOW)));
    ahead.keep_client_document(URL, NOW + 600 + 90).await.unwrap();
    ahead.use_client_document(URL, NOW + 600 + 30).await.unwrap();
    let found = find(&good, URL).await.unwrap();
    assert_eq!((found.fresh_until, found.used_at), (NOW + 90, NOW + 30));
}

#[tokio::test]
async fn a_failure_to_delete_others_does_not_matter_to_a_new_document() {
    let folder = tempfile::tempdir().unwrap();
    let url = in_folder(&folder);
    let store = SqlStore::open(&url).await.unwrap();
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let trigger = "CREATE TRIGGER refused BEFORE DELETE ON client_documents \
        BEGIN SELECT RAISE(ABORT, 'refused'); END";
    sqlx::raw_sql(trigger).execute(&mut connection).await.unwrap();
    for number in 0..5 {
        put(&store, &document(&format!("{URL}{number}"), "{}", NOW)).await;
    }
    assert_eq!(left(&store).await, [0, 1, 2, 3, 4]);
}

/// On PostgreSQL, a purge waits for the other transaction, and has chosen the row already.
#[tokio::test]
async fn what_is_used_while_it_is_purged_stays() {
    let Ok(server) = std::env::var("POSTGRES_URL") else { return };
    let url = new_database(&server).await;
    let store = SqlStore::open(&url).await.unwrap();
    add_alice(&store).await;
    put(&store, &document(URL, "{}", NOW)).await;
    let mut other = AnyConnection::connect(&url).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    for change in [
        "UPDATE client_documents SET used_at = used_at + 9000000",
        "UPDATE sessions SET expires_at = expires_at + 9000000",
    ] {
        sqlx::query(change).execute(&mut *transaction).await.unwrap();
    }
    let mut watch = AnyConnection::connect(&url).await.unwrap();
    let purging = tokio::spawn({
        let store = store.clone();
        async move { store.purge(9, NOW + 40 * DAY).await }
    });
    // It waits for the session, which is the first of the two.
    wait_for_lock(&mut watch).await;
    transaction.commit().await.unwrap();
    purging.await.unwrap().unwrap();
    assert!(find(&store, URL).await.is_some());
    assert!(store.session("cookie of session", NOW + 40 * DAY).await.unwrap().is_some());
    store.close().await;
}

/// Waits until a statement waits for another transaction.
async fn wait_for_lock(watch: &mut AnyConnection) {
    for _ in 0..1000 {
        let waiting = "SELECT COUNT(*) AS number FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let row = sqlx::query(waiting).fetch_one(&mut *watch).await.unwrap();
        if row.get::<i64, _>("number") > 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing waits");
}
