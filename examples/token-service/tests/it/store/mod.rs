//! One suite for every store. Each test is one function over `&dyn Store`.

mod client_documents;
mod encryption;
mod grants;
mod keys;
mod limits;
mod newer;
mod rotation;
mod skew;
mod users;

use sqlx::Connection;
use token_service::store::{
    CLOCK_SKEW, Client, ClientAuthentication, Code, Grant, GrantType, MAX_CODES, MAX_GRANTS,
    MAX_SESSIONS, MAX_USED_TOKENS, NewRefreshToken, PURGE_MARGIN, Session, SqlStore, Store, User,
};

/// A time to begin with.
const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
/// The hash of every user's password.
const HASH: &str = "$argon2id$…";

/// Runs a test over a database in memory and over one in a file, and over PostgreSQL if `POSTGRES_URL` names a server.
async fn over_every_store(test: impl AsyncFn(&dyn Store)) {
    test(&SqlStore::in_memory().await.unwrap()).await;
    let folder = tempfile::tempdir().unwrap();
    test(&SqlStore::open(&in_folder(&folder)).await.unwrap()).await;
    if let Ok(server) = std::env::var("POSTGRES_URL") {
        let store = SqlStore::open(&new_database(&server).await).await.unwrap();
        test(&store).await;
        store.close().await;
    }
}

/// Makes a database of its own for the test. It goes with the server.
pub async fn new_database(server: &str) -> String {
    let name = format!("test_{}", token_service::secret::random_id()).replace('-', "$");
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}

fn in_folder(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("store.db").display())
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        password_hash: HASH.to_owned(),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        created_at: NOW,
        disabled_at: None,
    }
}

fn client(id: &str, authentication: ClientAuthentication) -> Client {
    Client {
        id: id.to_owned(),
        name: format!("The {id}"),
        authentication,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        redirect_uris: vec!["https://app.example/back".to_owned()],
        post_logout_redirect_uris: Vec::new(),
        scopes: vec!["read".to_owned()],
        created_at: NOW,
    }
}

fn session(id: &str, user: &str) -> Session {
    Session {
        cookie_hash: format!("cookie of {id}"),
        id: id.to_owned(),
        user: user.to_owned(),
        authenticated_at: NOW,
        expires_at: NOW + DAY,
    }
}

fn grant(id: &str, user: &str) -> Grant {
    Grant {
        id: id.to_owned(),
        client_id: "app".to_owned(),
        user: user.to_owned(),
        session_id: Some("session".to_owned()),
        scopes: vec!["read".to_owned()],
        resources: vec!["https://api.example".to_owned()],
        authenticated_at: NOW,
        created_at: NOW,
        expires_at: NOW + 30 * DAY,
        revoked_at: None,
        client_document: None,
    }
}

fn code(hash: &str, user: &str) -> Code {
    Code {
        code_hash: hash.to_owned(),
        client_id: "app".to_owned(),
        user: user.to_owned(),
        session_id: Some("session".to_owned()),
        redirect_uri: "https://app.example/back".to_owned(),
        code_challenge: "challenge".to_owned(),
        scopes: vec!["read".to_owned(), "openid".to_owned()],
        resources: Vec::new(),
        nonce: Some("nonce".to_owned()),
        authenticated_at: NOW,
        expires_at: NOW + 60,
        grant_id: None,
        client_document: None,
    }
}

fn refresh_token(hash: &str) -> NewRefreshToken {
    NewRefreshToken { token_hash: hash.to_owned(), expires_at: NOW + DAY }
}

async fn add_session(store: &dyn Store, id: &str, user: &str) {
    assert!(store.add_session(&session(id, user), HASH).await.unwrap());
}

async fn add_grant(store: &dyn Store, grant: &Grant, refresh: Option<&NewRefreshToken>) {
    assert!(store.add_grant(grant, refresh, HASH).await.unwrap());
}

/// Adds alice, with a session.
async fn add_alice(store: &dyn Store) {
    store.add_user(&user("alice")).await.unwrap();
    add_session(store, "session", "alice").await;
}

async fn is_in_force(store: &dyn Store, grant: &str) -> bool {
    store.grant(grant).await.unwrap().unwrap().is_in_force(NOW)
}
