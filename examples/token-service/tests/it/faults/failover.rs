//! A server that dies, and its standby that takes over.

use std::time::Duration;

use super::server::Server;
use super::{Faulty, calls, run_on, within};
use crate::grants::{refresh, refresh_token};
use crate::support::GOOD;

#[tokio::test]
async fn a_failover_loses_nothing_that_was_acknowledged() {
    if std::env::var("POSTGRES_URL").is_err() {
        return;
    }
    let mut first = Server::start(&["wal_level=replica"]).await;
    let mut second = first.standby().await;
    let faulty = Faulty::on(first.url()).await;
    let client = &faulty.client;
    faulty.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
    faulty.run("SELECT pg_reload_conf()").await;
    let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    within(10, "synchronous", async || faulty.number(synchronous).await == 1).await;

    // Acknowledged: a rotation, and two revocations.
    let used = refresh_token(&client.post_as_demo("/token", GOOD).await);
    let successor = refresh_token(&client.post_as_demo("/token", &refresh(&used)).await);
    let login = client.post_as_demo("/token", GOOD).await;
    let (access, family) = (login.text("access_token"), refresh_token(&login));
    for token in [&access, &family] {
        let revoked = client.post_as_demo("/revoke", &format!("token={token}")).await;
        assert_eq!(revoked.status, 200);
    }
    let calls = faulty.calls().await;

    // Without the standby no write is acknowledged: it would be lost.
    second.kill("INT");
    let (reads, writes): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| !call.writes);
    faulty.assert_all_served(&reads).await;
    let waiting = writes.iter().map(|call| call.assert_unavailable(client));
    futures_util::future::join_all(waiting).await;
    second.restart().await;
    within(10, "synchronous", async || faulty.number(synchronous).await == 1).await;
    faulty.ready().await;
    // What waited may have been done. Now all of it is new.
    let calls = faulty.calls().await;
    let (reads, writes): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| !call.writes);

    first.kill("KILL");
    // It may have been asked less than a second ago.
    within(3, "unready", async || client.get("/readyz").await.status == 503).await;
    for call in reads.iter().chain(&writes) {
        call.assert_unavailable(client).await;
    }
    // The standby only reads until it is promoted.
    faulty.proxy.switch(second.address);
    faulty.ready().await;
    for call in &reads {
        call.assert_served(client).await;
    }
    for call in &writes {
        call.assert_unavailable(client).await;
    }
    run_on(&second.url(), "SELECT pg_promote(true, 10)").await;
    // Nothing that was refused has happened.
    for call in &writes {
        within(5, "served", async || call.is_served(client).await).await;
    }
    for token in [&access, &family] {
        let shown = client.post_as_demo("/introspect", &format!("token={token}")).await;
        assert_eq!(shown.json()["active"], false, "{}", shown.body);
    }
    assert_eq!(client.post_as_demo("/token", &refresh(&successor)).await.status, 200);
}

#[tokio::test]
async fn a_repeated_revocation_is_acknowledged_once_the_standby_has_it() {
    if std::env::var("POSTGRES_URL").is_err() {
        return;
    }
    let mut server = Server::start(&["wal_level=replica"]).await;
    let faulty = Faulty::on(server.url()).await;
    let client = &faulty.client;
    let login = client.post_as_demo("/token", GOOD).await;
    faulty.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
    faulty.run("SELECT pg_reload_conf()").await;
    let synchronous = "SELECT count(*) FROM pg_settings \
                       WHERE name = 'synchronous_standby_names' AND setting = 'standby'";
    within(10, "synchronous", async || faulty.number(synchronous).await == 1).await;

    let tokens = [login.text("access_token"), refresh_token(&login)];
    let revoke = async |token: &str| {
        let revoked = client.post_as_demo("/revoke", &format!("token={token}")).await;
        revoked.assert_error(503, "temporarily_unavailable");
    };
    for token in &tokens {
        revoke(token).await;
    }
    // After a restart the server shows what it has written, although no standby has it.
    server.kill("KILL");
    server.restart().await;
    faulty.ready().await;
    for table in ["grants WHERE revoked_at IS NOT NULL", "revoked_tokens"] {
        assert_eq!(faulty.number(&format!("SELECT count(*) FROM {table}")).await, 1);
    }
    for token in &tokens {
        revoke(token).await;
    }
}

#[tokio::test]
async fn connections_to_a_server_that_only_reads_are_replaced() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    let name = faulty.url.rsplit_once('/').unwrap().1;
    // Each connection that is open reads only, as those to the old server do after a failover.
    faulty.run(&format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on")).await;
    faulty.proxy.cut();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    faulty.ready().await;
    assert!(calls::at_once(&faulty.client, &calls, calls.len()).await < calls.len());
    let reset = format!("ALTER DATABASE \"{name}\" RESET default_transaction_read_only");
    run_on(&std::env::var("POSTGRES_URL").unwrap(), &reset).await;
    for call in calls.iter().filter(|call| call.writes) {
        within(5, "served", async || call.is_served(&faulty.client).await).await;
    }
}
