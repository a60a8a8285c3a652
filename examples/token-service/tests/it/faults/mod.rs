//! The database gone, frozen, slow, full, failed over.
//!
//! With `POSTGRES_URL`, a server whose user may do everything; without it there is nothing to see here.

mod calls;
mod errors;
mod failover;
mod full;
mod gone;
mod program;
mod proxy;
mod server;
mod urls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use token_service::store::{SqlStore, Store};
use token_service::{Settings, demo};
use tokio::time::Instant;
use url::Url;

use self::calls::Call;
use self::proxy::Proxy;
use crate::store::new_database;
use crate::support::{Client, ISSUER};

/// A service whose way to the database can fail.
struct Faulty {
    proxy: Proxy,
    /// Its store is behind the proxy; the one that tests look into is not.
    client: Client,
    /// The database, without the proxy.
    url: String,
}

impl Faulty {
    /// On a new database of the server for the tests, if there is one.
    async fn new() -> Option<Self> {
        let server = std::env::var("POSTGRES_URL").ok()?;
        Some(Self::on(new_database(&server).await).await)
    }

    /// On this database.
    async fn on(url: String) -> Self {
        let proxy = Proxy::new(address(&url)).await;
        let through = through(&proxy, &url);
        let store = Arc::new(SqlStore::open(&through).await.unwrap());
        let inner = Arc::new(SqlStore::open(&url).await.unwrap());
        let mut settings = Settings::new(ISSUER);
        settings.requests_per_second = 0;
        let (demo, secret) = demo::store(&settings).await.unwrap();
        inner.add_user(&demo.user(demo::USER).await.unwrap().unwrap()).await.unwrap();
        inner.add_client(&demo.client(demo::CLIENT).await.unwrap().unwrap()).await.unwrap();
        let client = Client::over(settings, store, inner, secret).await;
        Self { proxy, client, url }
    }

    async fn calls(&self) -> Vec<Call> {
        calls::all(&self.client).await
    }

    /// Runs a statement, without the proxy.
    async fn run(&self, statement: &str) {
        run_on(&self.url, statement).await;
    }

    /// The number that a query has as its result, without the proxy.
    async fn number(&self, query: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let number = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await;
        connection.close().await.unwrap();
        number.unwrap()
    }

    /// Waits until it is ready, for a few seconds at most.
    async fn ready(&self) {
        within(10, "ready again", async || self.client.get("/readyz").await.status == 200).await;
    }

    async fn assert_all_served(&self, calls: &[Call]) {
        for call in calls {
            call.assert_served(&self.client).await;
        }
    }

    /// What needs no database is there.
    async fn assert_documents(&self) {
        for path in ["/jwks.json", "/.well-known/openid-configuration", "/healthz", "/openapi.json"]
        {
            let began = Instant::now();
            assert_eq!(self.client.get(path).await.status, 200, "{path}");
            assert!(began.elapsed() < Duration::from_secs(3), "{path}");
        }
    }
}

async fn run_on(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn address(url: &str) -> SocketAddr {
    let url = Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()).parse().unwrap()
}

/// The URL of the same database behind the proxy.
fn through(proxy: &Proxy, url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_ip_host(proxy.address.ip()).unwrap();
    url.set_port(Some(proxy.address.port())).unwrap();
    url.to_string()
}

/// Waits until the condition is true, so many seconds at most.
async fn within(seconds: u64, what: &str, condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < Duration::from_secs(seconds), "not {what} within {seconds} s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
