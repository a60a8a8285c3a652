//! A newer version has migrated the database while this one works on it.

use sqlx::{AnyConnection, Connection};
use token_service::store::ClientDocument;

use super::*;

const TABLES: [&str; 9] = [
    "users",
    "clients",
    "client_documents",
    "sessions",
    "grants",
    "codes",
    "refresh_tokens",
    "signing_keys",
    "secrets",
];

/// Uses every statement that reads rows.
async fn read_all(store: &dyn Store) {
    assert!(store.user("alice").await.unwrap().is_some());
    assert_eq!(store.users().await.unwrap().len(), 1);
    assert!(store.client("app").await.unwrap().is_some());
    assert_eq!(store.clients().await.unwrap().len(), 1);
    assert!(store.client_document("https://app.example/").await.unwrap().is_some());
    assert!(store.session("cookie of session", NOW).await.unwrap().is_some());
    assert!(store.code("code").await.unwrap().is_some());
    assert!(store.grant("family").await.unwrap().is_some());
    assert_eq!(store.grants_to("alice", "app", NOW).await.unwrap().len(), 1);
    assert!(store.refresh_token("0").await.unwrap().is_some());
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    assert_eq!(store.secret("forms", "other").await.unwrap(), "value");
}

async fn add_document(store: &dyn Store) {
    let document = ClientDocument {
        url: "https://app.example/".to_owned(),
        document: "{}".to_owned(),
        jwk_set: None,
        fetched_at: NOW,
        fresh_until: NOW,
        expires_at: NOW,
        used_at: NOW,
    };
    store.put_client_document(&document, 10, NOW).await.unwrap();
}

/// The store has prepared its statements before the tables change.
async fn is_not_disturbed(url: &str) {
    let store = SqlStore::open(url).await.unwrap();
    add_alice(&store).await;
    store.add_client(&client("app", ClientAuthentication::None)).await.unwrap();
    add_document(&store).await;
    add_grant(&store, &grant("family", "alice"), Some(&refresh_token("0"))).await;
    store.add_code(&code("code", "alice")).await.unwrap();
    store.add_signing_key(&token_service::keys::generate(NOW, NOW).unwrap(), &[]).await.unwrap();
    store.secret("forms", "value").await.unwrap();
    read_all(&store).await;

    let mut newer = AnyConnection::connect(url).await.unwrap();
    for table in TABLES {
        let change = format!(
            "ALTER TABLE {table} ADD COLUMN added TEXT; \
             ALTER TABLE {table} ADD COLUMN counted BIGINT NOT NULL DEFAULT 0; \
             CREATE INDEX {table}_added ON {table} (added)"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&mut newer).await.unwrap();
    }
    newer.close().await.unwrap();

    read_all(&store).await;
    store.add_user(&user("bob")).await.unwrap();
    store.add_client(&client("other", ClientAuthentication::None)).await.unwrap();
    add_document(&store).await;
    add_session(&store, "second", "bob").await;
    add_grant(&store, &grant("second", "bob"), Some(&refresh_token("second"))).await;
    let rotated = store.rotate("0", &refresh_token("1"), std::time::Duration::ZERO, NOW).await;
    assert_eq!(rotated.unwrap(), token_service::store::Rotation::Successor);
    assert!(store.disable_user("alice", NOW).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn columns_and_indexes_of_a_newer_version_do_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    is_not_disturbed(&in_folder(&folder)).await;
    if let Ok(server) = std::env::var("POSTGRES_URL") {
        is_not_disturbed(&new_database(&server).await).await;
    }
}
