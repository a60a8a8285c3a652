//! The program on a database that fails.

use std::time::Duration;

use sqlx::migrate::Migrate;
use sqlx::{Connection, PgConnection};
use token_service::store::SqlStore;
use tokio::time::{Instant, timeout};

use super::{Faulty, through, within};
use crate::process::{Server, program};
use crate::store::new_database;

fn with_password(url: &str) -> String {
    url.replace("service@", "service:hunter2@")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_database_is_one_sentence() {
    let Some(faulty) = Faulty::new().await else { return };
    let url = with_password(&through(&faulty.proxy, &faulty.url));
    let start = || {
        let url = url.clone();
        let began = Instant::now();
        let serve = ["--listen=127.0.0.1:0", "--issuer=https://issuer.example", "--database"];
        let output = program(&[&serve[..], &[&url]].concat()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains("the database cannot be opened") && !said.contains("hunter2"),
            "{said}"
        );
        began.elapsed()
    };
    faulty.proxy.refuse().await;
    assert!(start() < Duration::from_secs(5));
    faulty.proxy.accept().await;
    faulty.proxy.freeze();
    assert!(start() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_start_does_not_wait_for_another_instance_that_migrates_unless_it_has_to() {
    let Some(faulty) = Faulty::new().await else { return };
    let open = async |url: &str| {
        let opened = timeout(Duration::from_secs(30), SqlStore::open(url)).await;
        opened.expect("it waits").map(drop).map_err(|error| error.to_string())
    };
    let mut migrates = PgConnection::connect(&faulty.url).await.unwrap();
    migrates.lock().await.unwrap();
    open(&faulty.url).await.unwrap();
    let new = new_database(&std::env::var("POSTGRES_URL").unwrap()).await;
    let mut migrates_new = PgConnection::connect(&new).await.unwrap();
    migrates_new.lock().await.unwrap();
    let lock = "BEGIN; LOCK TABLE _sqlx_migrations";
    sqlx::raw_sql(lock).execute(&mut migrates).await.unwrap();
    let (silent, waiting) = tokio::join!(open(&faulty.url), open(&new));
    assert_eq!(silent.unwrap_err(), "the database cannot be opened");
    assert_eq!(waiting.unwrap_err(), "the tables of the database cannot be made");
    drop((migrates, migrates_new));
    within(10, "opened", async || open(&new).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_it_once_a_second_and_never_the_password() {
    let Some(faulty) = Faulty::new().await else { return };
    let url = with_password(&through(&faulty.proxy, &faulty.url));
    let flags = ["--issuer=https://issuer.example", "--requests-per-second=0", "--database", &url];
    let server = Server::start(&flags);
    let token = server.token("alice", "wonderland");
    let began = Instant::now();
    for fail in ["refuse", "freeze"] {
        match fail {
            "refuse" => faulty.proxy.refuse().await,
            _ => faulty.proxy.freeze(),
        }
        let (began, mut asked) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_secs(3) {
            assert_eq!(server.protected(&token), 503, "{fail}");
            asked += 1;
        }
        assert!(asked > 10 || fail == "freeze", "{asked}");
        match fail {
            "refuse" => faulty.proxy.accept().await,
            _ => faulty.proxy.thaw(),
        }
        let back = Instant::now();
        while server.protected(&token) != 200 {
            assert!(back.elapsed() < Duration::from_secs(10), "{fail}");
        }
    }
    let lines = began.elapsed().as_secs() as usize + 10;
    let (_, log) = server.stop();
    assert!(!log.contains("hunter2") && !log.contains(&token), "{log}");
    assert!((2..lines).contains(&log.lines().count()), "{log}");
}
