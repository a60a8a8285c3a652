use token_service::store::{Store, StoredKey};

use super::*;

fn key(kid: &str, signs_from: i64) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        private_key: format!("private key of {kid}").into(),
        created_at: NOW,
        signs_from,
        token_lifetime: DAY,
    }
}

pub(super) fn seen(kids: &[&str]) -> Vec<String> {
    kids.iter().map(|kid| (*kid).to_owned()).collect()
}

async fn kids(store: &dyn Store) -> Vec<String> {
    store.signing_keys().await.unwrap().into_iter().map(|key| key.kid).collect()
}

#[tokio::test]
async fn a_key_is_added_if_the_caller_has_seen_all_others() {
    over_every_store(async |store: &dyn Store| {
        assert!(!store.add_signing_key(&key("b", NOW), &seen(&["a"])).await.unwrap());
        assert!(store.add_signing_key(&key("a", NOW), &[]).await.unwrap());
        assert!(!store.add_signing_key(&key("b", NOW + 1), &[]).await.unwrap());
        assert!(store.add_signing_key(&key("b", NOW + 1), &seen(&["a"])).await.unwrap());
        assert!(!store.add_signing_key(&key("c", NOW + 2), &seen(&["a"])).await.unwrap());
        // Also if it signs between the others.
        assert!(!store.add_signing_key(&key("c", NOW), &seen(&["b"])).await.unwrap());
        let all = seen(&["a", "b", "removed since"]);
        assert!(store.add_signing_key(&key("c", NOW), &all).await.unwrap());
        assert!(!store.add_signing_key(&key("d", NOW + 2), &all).await.unwrap());
        store.remove_signing_key("c").await.unwrap();
        assert_eq!(kids(store).await, ["a", "b"]);
        store.remove_signing_key("a").await.unwrap();
        assert_eq!(kids(store).await, ["b"]);
        let keys = store.signing_keys().await.unwrap();
        assert_eq!(*keys[0].private_key, "private key of b");
        assert!(!format!("{keys:?}").contains("private key"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_rotations_at_once_one_adds_its_key() {
    over_every_store(async |store: &dyn Store| {
        store.add_signing_key(&key("first", NOW), &[]).await.unwrap();
        let rotations = (0..10).map(async |number| {
            let key = key(&number.to_string(), NOW + 1);
            store.add_signing_key(&key, &seen(&["first"])).await.unwrap()
        });
        let added = futures_util::future::join_all(rotations).await;
        assert_eq!(added.iter().filter(|added| **added).count(), 1);
        assert_eq!(kids(store).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn keys_of_one_second_are_in_the_order_of_their_bytes() {
    over_every_store(async |store: &dyn Store| {
        for (kid, before) in [("a", &[][..]), ("B", &["a"]), ("c", &["a", "B"])] {
            assert!(store.add_signing_key(&key(kid, NOW), &seen(before)).await.unwrap());
        }
        assert_eq!(kids(store).await, ["B", "a", "c"]);
    })
    .await;
    let Ok(server) = std::env::var("POSTGRES_URL") else { return };
    let url = new_database(&server).await;
    let store = SqlStore::open(&url).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    // A database may compare texts as people do, with `a` before `B`.
    let collation = "ALTER TABLE signing_keys ALTER COLUMN kid TYPE TEXT COLLATE \"en-x-icu\"";
    sqlx::raw_sql(collation).execute(&mut connection).await.unwrap();
    store.add_signing_key(&key("a", NOW), &[]).await.unwrap();
    store.add_signing_key(&key("B", NOW), &seen(&["a"])).await.unwrap();
    assert_eq!(kids(&store).await, ["B", "a"]);
}

#[tokio::test]
async fn a_key_replaces_all_others_at_once_or_none() {
    over_every_store(async |store: &dyn Store| {
        store.add_signing_key(&key("a", NOW), &[]).await.unwrap();
        store.add_signing_key(&key("b", NOW + 1), &seen(&["a"])).await.unwrap();
        assert!(!store.replace_signing_keys(&key("c", NOW), &seen(&["a"])).await.unwrap());
        assert_eq!(kids(store).await, ["a", "b"]);
        assert!(store.replace_signing_keys(&key("c", NOW), &seen(&["a", "b"])).await.unwrap());
        assert_eq!(kids(store).await, ["c"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_keeps_the_longest_lifetime_of_its_tokens() {
    over_every_store(async |store: &dyn Store| {
        store.add_signing_key(&key("a", NOW), &[]).await.unwrap();
        for (lifetime, longest) in [(7 * DAY, 7 * DAY), (2 * DAY, 7 * DAY)] {
            store.raise_token_lifetime(lifetime).await.unwrap();
            assert_eq!(store.signing_keys().await.unwrap()[0].token_lifetime, longest);
        }
    })
    .await;
}

#[tokio::test]
async fn the_first_value_of_a_secret_stays() {
    over_every_store(async |store: &dyn Store| {
        assert_eq!(store.secret("name", "first").await.unwrap(), "first");
        assert_eq!(store.secret("name", "second").await.unwrap(), "first");
        assert_eq!(store.secret("other", "third").await.unwrap(), "third");
    })
    .await;
}

#[tokio::test]
async fn a_database_is_kept_for_its_owner_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&in_folder(&folder)).await.unwrap();
    store.add_user(&user("alice")).await.unwrap();
    store.close().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("store.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let store = SqlStore::open(&in_folder(&folder)).await.unwrap();
    assert!(store.user("alice").await.unwrap().is_some());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_database_that_a_newer_version_has_broken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    SqlStore::open(&in_folder(&folder)).await.unwrap().close().await;
    let pool = sqlx::SqlitePool::connect(&in_folder(&folder)).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'breaking the users', TRUE, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let error = SqlStore::open(&in_folder(&folder)).await.unwrap_err();
    assert!(error.to_string().contains("newer version of this program"), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text");
    std::fs::write(&file, "no database, but a text that is long enough to have a header".repeat(9))
        .unwrap();
    for url in [
        format!("sqlite:{}", file.display()),
        format!("sqlite:{}", folder.path().display()),
        format!("sqlite:{}/missing/store.db", folder.path().display()),
        "sqlite:".to_owned(),
        "sqlite::memory:".to_owned(),
        "mysql://localhost".to_owned(),
        String::new(),
    ] {
        SqlStore::open(&url).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_start_on_a_new_database_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut urls = vec![in_folder(&folder)];
    if let Ok(server) = std::env::var("POSTGRES_URL") {
        urls.push(new_database(&server).await);
    }
    for url in urls {
        let opened = futures_util::future::join_all((0..5).map(|_| SqlStore::open(&url))).await;
        for store in opened {
            let store = store.unwrap();
            assert!(store.users().await.unwrap().is_empty());
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_start_waits_while_another_process_makes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let url = in_folder(&folder);
    let mut other = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
    sqlx::raw_sql("BEGIN; CREATE TABLE other (id TEXT)").execute(&mut other).await.unwrap();
    let commit = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    };
    let (opened, ()) = tokio::join!(SqlStore::open(&url), commit);
    assert!(opened.unwrap().users().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_memory_survives_operations_that_are_cancelled() {
    let store = SqlStore::in_memory().await.unwrap();
    store.add_user(&user("alice")).await.unwrap();
    for wait in 0..400 {
        let (id, wait) = (wait.to_string(), std::time::Duration::from_micros(wait));
        let grant = grant(&id, "alice");
        let grant = store.add_grant(&grant, None, HASH);
        let _ = tokio::time::timeout(wait, grant).await;
        let _ = tokio::time::timeout(wait, store.use_once(&id, NOW)).await;
        let _ = tokio::time::timeout(wait, store.user("alice")).await;
    }
    assert!(store.user("alice").await.unwrap().is_some());
}
