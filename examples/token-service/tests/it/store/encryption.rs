//! The keys in the store, encrypted.

use sqlx::{AnyConnection, Connection, Row};
use token_service::store::{
    KeyEncryption, KeyEncryptionKey, KeyRow, Protection, SqlStore, Store, StoreError, StoredKey,
    Target,
};

use super::keys::seen;
use super::{DAY, NOW, in_folder, new_database};

const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";

/// A key of one byte, again and again.
fn text(byte: char) -> String {
    format!("{}A", String::from(byte).repeat(42))
}

fn encryption(keys: &str) -> KeyEncryption {
    KeyEncryption::new(keys.chars().map(|byte| KeyEncryptionKey::from_text(&text(byte)).unwrap()))
}

/// The ID of the first key.
fn id(keys: &str) -> String {
    encryption(keys).keys()[0].id().to_owned()
}

fn signing_key(kid: &str, signs_from: i64) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        private_key: format!("{PRIVATE} {kid}").into(),
        created_at: NOW,
        signs_from,
        token_lifetime: DAY,
    }
}

/// A store, and where it is, unless it is in memory.
struct Database {
    store: SqlStore,
    url: Option<String>,
}

impl Database {
    /// Another instance, which has these keys.
    fn with(&self, keys: &str) -> SqlStore {
        self.store.clone().with_key_encryption(encryption(keys))
    }

    async fn connect(&self) -> Option<AnyConnection> {
        Some(AnyConnection::connect(self.url.as_deref()?).await.unwrap())
    }

    /// The IDs of the keys that encrypt the rows, `None` for those in plaintext.
    async fn key_ids(&self) -> Vec<Option<String>> {
        let rows = self.store.key_rows().await.unwrap();
        let id = |row: &token_service::store::StoredText| match row.protection() {
            Protection::Plaintext => None,
            Protection::Encrypted { key_id } => Some(key_id.to_owned()),
            Protection::Unknown => panic!("{row:?}"),
        };
        rows.iter().map(id).collect()
    }
}

/// Runs a test over a database in memory, one in a file, and one of PostgreSQL if `POSTGRES_URL` names a server.
async fn over_every_database(test: impl AsyncFn(&Database)) {
    test(&Database { store: SqlStore::in_memory().await.unwrap(), url: None }).await;
    let folder = tempfile::tempdir().unwrap();
    let mut urls = vec![in_folder(&folder)];
    if let Ok(server) = std::env::var("POSTGRES_URL") {
        urls.push(new_database(&server).await);
    }
    for url in urls {
        let store = SqlStore::open(&url).await.unwrap();
        let database = Database { store, url: Some(url) };
        test(&database).await;
        database.store.close().await;
    }
}

/// Two signing keys and a secret.
async fn fill(store: &SqlStore) {
    assert!(store.add_signing_key(&signing_key("a", NOW), &[]).await.unwrap());
    assert!(store.add_signing_key(&signing_key("b", NOW + 1), &seen(&["a"])).await.unwrap());
    assert_eq!(store.secret("refresh", "secret").await.unwrap(), "secret");
}

/// Asserts that this instance reads all that [`fill`] stored.
#[track_caller]
fn assert_reads(read: Result<(Vec<StoredKey>, String), StoreError>) {
    let (keys, secret) = read.unwrap();
    for key in keys {
        assert_eq!(*key.private_key, format!("{PRIVATE} {}", key.kid));
    }
    assert_eq!(secret, "secret");
}

async fn read(store: &SqlStore) -> Result<(Vec<StoredKey>, String), StoreError> {
    Ok((store.signing_keys().await?, store.secret("refresh", "another").await?))
}

/// The error with its causes, which contains no key.
fn message(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let message = format!("{error}: {}", cause.unwrap_or_default());
    for shown in [message.clone(), format!("{error:?}")] {
        let secrets = [PRIVATE, "encrypted:1:", &text('B'), &text('C')];
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
    message
}

#[tokio::test]
async fn a_new_database_is_encrypted_from_the_beginning() {
    over_every_database(async |database: &Database| {
        fill(&database.with("B")).await;
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 3]);
        assert_reads(read(&database.with("B")).await);
        assert_reads(read(&database.with("CB")).await);
        for keys in ["", "C"] {
            let other = database.with(keys);
            let error = message(&other.signing_keys().await.unwrap_err());
            let expected = format!("the signing key \"a\" is encrypted with the key {}", id("B"));
            assert!(error.contains(&expected), "{error}");
            let error = message(&other.secret("refresh", "x").await.unwrap_err());
            assert!(error.contains("the secret \"refresh\" is encrypted with the key"), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_cannot_encrypt_as_the_others_do_adds_nothing() {
    over_every_database(async |database: &Database| {
        fill(&database.with("B")).await;
        for keys in ["", "C"] {
            let other = database.with(keys);
            let key = signing_key("c", NOW + 2);
            let error =
                message(&other.add_signing_key(&key, &seen(&["a", "b"])).await.unwrap_err());
            assert!(error.contains("cannot be encrypted as the other keys"), "{error}");
            other.replace_signing_keys(&key, &seen(&["a", "b"])).await.unwrap_err();
            message(&other.secret("new", "value").await.unwrap_err());
        }
        assert_eq!(database.key_ids().await.len(), 3);
        let own = database.with("B");
        assert!(
            own.replace_signing_keys(&signing_key("c", NOW), &seen(&["a", "b"])).await.unwrap()
        );
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 2]);
    })
    .await;
}

#[tokio::test]
async fn keys_are_replaced_although_the_row_of_one_is_damaged() {
    over_every_database(async |database: &Database| {
        let Some(mut connection) = database.connect().await else { return };
        let store = database.with("");
        fill(&store).await;
        sqlx::query("UPDATE signing_keys SET private_key = 'encrypted:1:' WHERE kid = 'a'")
            .execute(&mut connection)
            .await
            .unwrap();
        store.signing_keys().await.unwrap_err();
        let kids = store.signing_key_ids().await.unwrap();
        assert_eq!(kids, ["a", "b"]);
        // The row that goes seems to be encrypted, and that does not hinder a store that encrypts nothing.
        assert!(store.replace_signing_keys(&signing_key("c", NOW), &kids).await.unwrap());
        assert_eq!(store.signing_key_ids().await.unwrap(), ["c"]);
        assert_eq!(database.key_ids().await, [None, None]);
    })
    .await;
}

#[tokio::test]
async fn a_readable_database_stays_readable_for_all_until_it_is_encrypted() {
    over_every_database(async |database: &Database| {
        let (with_key, without) = (database.with("B"), database.with(""));
        fill(&without).await;
        assert_reads(read(&with_key).await);
        // The instance with a key rotates, and the one without follows.
        let key = signing_key("c", NOW + 2);
        assert!(with_key.add_signing_key(&key, &seen(&["a", "b"])).await.unwrap());
        with_key.secret("forms", "value").await.unwrap();
        assert_reads(read(&without).await);

        let mut changed = Vec::new();
        with_key
            .store_keys_as(Target::FirstKey, |row| changed.push(row.row().to_string()))
            .await
            .unwrap();
        assert_eq!(changed.len(), 5);
        assert!(changed.contains(&KeyRow::SigningKey("c").to_string()));
        assert!(changed.contains(&KeyRow::Secret("forms").to_string()));
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 5]);
        assert_reads(read(&with_key).await);
        message(&read(&without).await.unwrap_err());

        // From now on new keys are encrypted.
        assert!(
            with_key
                .add_signing_key(&signing_key("d", NOW + 3), &seen(&["a", "b", "c"]))
                .await
                .unwrap()
        );
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 6]);
        with_key.store_keys_as(Target::FirstKey, |row| panic!("{row:?}")).await.unwrap();

        with_key.store_keys_as(Target::Plaintext, |_| {}).await.unwrap();
        assert_eq!(database.key_ids().await, vec![None; 6]);
        assert_reads(read(&without).await);
    })
    .await;
}

#[tokio::test]
async fn the_key_encryption_key_is_replaced_beside_instances_that_have_both() {
    over_every_database(async |database: &Database| {
        let (old, both, new) = (database.with("B"), database.with("CB"), database.with("C"));
        fill(&old).await;
        // Before the change, an instance that has both writes what the others can read.
        let key = signing_key("c", NOW + 2);
        assert!(both.add_signing_key(&key, &seen(&["a", "b"])).await.unwrap());
        assert_reads(read(&old).await);

        let planned = both.key_rows_to_change(Target::FirstKey).await.unwrap();
        assert_eq!(planned.len(), 4);
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 4]);
        both.store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
        assert_eq!(database.key_ids().await, vec![Some(id("C")); 4]);
        assert_reads(read(&both).await);
        assert_reads(read(&new).await);
        message(&read(&old).await.unwrap_err());
    })
    .await;
}

#[tokio::test]
async fn what_was_interrupted_is_readable_and_is_done_by_the_next_call() {
    over_every_database(async |database: &Database| {
        fill(&database.with("")).await;
        let store = database.with("B");
        let (sender, interrupted) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let change = store.store_keys_as(Target::FirstKey, |_| {
            let _ = sender.take().map(|sender| sender.send(()));
        });
        tokio::select! {
            biased;
            _ = interrupted => {}
            done = change => done.unwrap(),
        }
        assert!(database.key_ids().await.contains(&Some(id("B"))));
        assert_reads(read(&store).await);
        // What is half encrypted counts as encrypted.
        assert!(
            store.add_signing_key(&signing_key("c", NOW + 2), &seen(&["a", "b"])).await.unwrap()
        );
        let ids = database.key_ids().await;
        assert_eq!(ids[2], Some(id("B")), "{ids:?}");
        store.store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 4]);
        assert_reads(read(&store).await);
    })
    .await;
}

#[tokio::test]
async fn nothing_changes_if_one_row_cannot_be_decrypted() {
    over_every_database(async |database: &Database| {
        let Some(mut connection) = database.connect().await else { return };
        fill(&database.with("")).await;
        database.with("B").store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
        sqlx::query("UPDATE signing_keys SET private_key = 'plain' WHERE kid = 'a'")
            .execute(&mut connection)
            .await
            .unwrap();
        let before = database.key_ids().await;
        let error = database.with("C").store_keys_as(Target::FirstKey, |_| {}).await.unwrap_err();
        assert!(message(&error).contains("which is not given"));
        assert_eq!(database.key_ids().await, before);
        assert!(before.contains(&None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_added_during_the_encryption_are_encrypted_too() {
    over_every_database(async |database: &Database| {
        fill(&database.with("")).await;
        let (encrypting, rotating) = (database.with("B"), database.with("B"));
        let rotations = async {
            let mut stored = seen(&["a", "b"]);
            for number in 0..20 {
                let kid = format!("c{number:02}");
                let key = signing_key(&kid, NOW + 2 + number);
                assert!(rotating.add_signing_key(&key, &stored).await.unwrap());
                assert_reads(read(&rotating).await);
                stored.push(kid);
            }
        };
        let encryption = async {
            for _ in 0..5 {
                encrypting.store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
            }
        };
        tokio::join!(rotations, encryption);
        assert_eq!(database.key_ids().await, vec![Some(id("B")); 23]);
        assert_reads(read(&rotating).await);
    })
    .await;
}

/// The texts of two signing keys and of two secrets.
async fn texts(connection: &mut AnyConnection) -> [String; 4] {
    let mut texts = Vec::new();
    for query in [
        "SELECT private_key AS text FROM signing_keys WHERE kid = 'a'",
        "SELECT private_key AS text FROM signing_keys WHERE kid = 'b'",
        "SELECT value AS text FROM secrets WHERE name = 'refresh'",
        "SELECT value AS text FROM secrets WHERE name = 'forms'",
    ] {
        let row = sqlx::query(query).fetch_one(&mut *connection).await.unwrap();
        texts.push(row.get("text"));
    }
    texts.try_into().unwrap()
}

async fn set(connection: &mut AnyConnection, texts: [&str; 4]) {
    for (statement, text) in [
        "UPDATE signing_keys SET private_key = $1 WHERE kid = 'a'",
        "UPDATE signing_keys SET private_key = $1 WHERE kid = 'b'",
        "UPDATE secrets SET value = $1 WHERE name = 'refresh'",
        "UPDATE secrets SET value = $1 WHERE name = 'forms'",
    ]
    .into_iter()
    .zip(texts)
    {
        sqlx::query(statement).bind(text).execute(&mut *connection).await.unwrap();
    }
}

#[tokio::test]
async fn texts_that_were_exchanged_cut_or_changed_are_refused() {
    over_every_database(async |database: &Database| {
        let Some(mut connection) = database.connect().await else { return };
        let store = database.with("B");
        fill(&store).await;
        store.secret("forms", "other").await.unwrap();
        let texts = texts(&mut connection).await;
        assert!(texts.iter().all(|text| text.starts_with("encrypted:1:")));
        let [a, b, refresh, forms] = texts.each_ref().map(String::as_str);
        let cut = &a[..a.len() - 4];
        let changed = a.replace(&id("B"), &id("C"));
        for (wrong, why) in [
            ([b, a, refresh, forms], "another row"),
            ([a, b, forms, refresh], "another row"),
            ([refresh, b, refresh, forms], "another row"),
            ([a, b, a, forms], "another row"),
            ([cut, b, refresh, forms], "damaged"),
            ([&a[..20], b, refresh, forms], "damaged"),
            (["encrypted:", b, refresh, forms], "damaged"),
            (["encrypted:9:x", b, refresh, forms], "newer version"),
            ([&changed, b, refresh, forms], "not given"),
            ([a, b, "encrypted:1:", forms], "damaged"),
        ] {
            set(&mut connection, wrong).await;
            let error = message(&read(&store).await.unwrap_err());
            assert!(error.contains(why), "{error}");
        }
        set(&mut connection, [a, b, refresh, forms]).await;
        assert_reads(read(&store).await);
    })
    .await;
}

/// As OPERATING.md says for a key that is lost.
#[tokio::test]
async fn a_database_whose_key_is_lost_begins_again_with_a_new_key() {
    over_every_database(async |database: &Database| {
        let Some(mut connection) = database.connect().await else { return };
        fill(&database.with("B")).await;
        let statements = "DELETE FROM signing_keys; DELETE FROM secrets;";
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        let store = database.with("C");
        fill(&store).await;
        assert_eq!(database.key_ids().await, vec![Some(id("C")); 3]);
        assert_reads(read(&store).await);
    })
    .await;
}

#[tokio::test]
async fn a_file_has_no_plaintext_after_the_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let url = in_folder(&folder);
    let store = SqlStore::open(&url).await.unwrap();
    fill(&store).await;
    let contains_plaintext = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let is_plaintext =
            |bytes: &[u8]| bytes.windows(PRIVATE.len()).any(|w| w == PRIVATE.as_bytes());
        files.into_iter().any(|file| is_plaintext(&std::fs::read(file.unwrap().path()).unwrap()))
    };
    assert!(contains_plaintext());
    let store = store.with_key_encryption(encryption("B"));
    store.store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
    assert!(!contains_plaintext());
    store.close().await;
    assert!(!contains_plaintext());
}
