//! The database gone, frozen or slow.

use std::time::Duration;

use tokio::time::Instant;

use super::{Call, Faulty, calls, within};
use crate::grants::{refresh, refresh_token};
use crate::support::GOOD;

/// The delay of each packet to a slow database.
const SLOW: Duration = Duration::from_millis(300);

impl Faulty {
    /// Lets all connections be opened, with the statements of these calls prepared, so that a test of what follows does not
    /// depend on that.
    async fn open_connections(&self, calls: &[Call]) {
        self.proxy.delay(Duration::from_millis(20));
        calls::at_once(&self.client, calls, 100).await;
    }
}

#[tokio::test]
async fn every_endpoint_is_503_while_the_database_is_gone_and_serves_once_it_is_back() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    faulty.proxy.refuse().await;
    for call in &calls {
        call.assert_unavailable(&faulty.client).await;
    }
    assert_eq!(calls::at_once(&faulty.client, &calls, 200).await, 0);
    faulty.assert_documents().await;
    faulty.proxy.accept().await;
    faulty.ready().await;
    faulty.assert_all_served(&calls).await;
}

#[tokio::test]
async fn requests_make_no_storm_of_connections() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    // It accepts connections, and cuts each at once.
    faulty.proxy.switch(([127, 0, 0, 1], 1).into());
    let (began, before) = (Instant::now(), faulty.proxy.accepted());
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(calls::at_once(&faulty.client, &calls, 200).await, 0);
    }
    let accepted = faulty.proxy.accepted() - before;
    // At most all of the pool at once, and then one after another with growing pauses.
    assert!(accepted <= 25, "{accepted} connections");
    faulty.proxy.switch(super::address(&faulty.url));
    faulty.ready().await;
    faulty.assert_all_served(&calls).await;
}

#[tokio::test]
async fn a_frozen_database_holds_up_no_request_and_takes_no_connection_for_ever() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    let (reads, writes): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| !call.writes);
    // All ten connections are in use when it freezes.
    faulty.proxy.delay(Duration::from_millis(100));
    let before = faulty.proxy.accepted();
    let freeze = async {
        let began = Instant::now();
        while faulty.proxy.accepted() < before + 9 && began.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Until all are open.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        faulty.proxy.freeze();
    };
    tokio::join!(calls::at_once(&faulty.client, &reads, 250), freeze);
    assert_eq!(calls::at_once(&faulty.client, &reads, 300).await, 0);
    faulty.assert_documents().await;
    faulty.proxy.delay(Duration::ZERO);
    faulty.proxy.thaw();
    faulty.ready().await;
    faulty.assert_all_served(&reads).await;
    faulty.assert_all_served(&writes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_database_serves_or_refuses_in_time() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    let reads: Vec<_> = calls.into_iter().filter(|call| !call.writes).collect();
    faulty.open_connections(&reads).await;
    faulty.proxy.delay(SLOW);
    // One after another, most are served.
    let mut served = 0;
    for call in &reads {
        served += usize::from(call.is_served(&faulty.client).await);
    }
    assert!(served >= reads.len() / 2, "{served} of {}", reads.len());
    // More at once than it can serve, each with several statements: those that have begun go first, so some end in time.
    // If all began, their first statements alone would take the time that a request has.
    let introspection: Vec<_> =
        reads.into_iter().filter(|call| call.name.starts_with("POST /introspect")).collect();
    faulty.open_connections(&introspection).await;
    faulty.proxy.delay(SLOW);
    let served = calls::at_once(&faulty.client, &introspection, 120).await;
    assert!((1..120).contains(&served), "{served} of 120");
    faulty.assert_documents().await;
    faulty.proxy.delay(Duration::ZERO);
    faulty.ready().await;
    faulty.assert_all_served(&introspection).await;
}

#[tokio::test]
async fn a_request_that_is_cancelled_leaves_no_transaction() {
    let Some(faulty) = Faulty::new().await else { return };
    let client = &faulty.client;
    let token = refresh_token(&client.post_as_demo("/token", GOOD).await);
    faulty.proxy.delay(Duration::from_millis(20));
    for milliseconds in (0..600).step_by(40) {
        let form = refresh(&token);
        let request = client.post_as_demo("/token", &form);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), request).await;
        within(2, "rolled back", async || {
            let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                        AND state LIKE 'idle in transaction%'";
            faulty.number(open).await == 0
        })
        .await;
    }
    // Whichever of them came through: it is the same successor within the grace.
    faulty.proxy.delay(Duration::ZERO);
    assert_eq!(client.post_as_demo("/token", &refresh(&token)).await.status, 200);
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_is_no_loss() {
    let Some(faulty) = Faulty::new().await else { return };
    let client = &faulty.client;
    let first = refresh_token(&client.post_as_demo("/token", GOOD).await);
    faulty.proxy.lose_commit();
    client
        .post_as_demo("/token", &refresh(&first))
        .await
        .assert_error(503, "temporarily_unavailable");
    // It was done, and the same request gives the same successor, which works.
    let second = refresh_token(&client.post_as_demo("/token", &refresh(&first)).await);
    assert_eq!(client.post_as_demo("/token", &refresh(&second)).await.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_lost_anywhere_is_503_or_as_if_it_had_arrived() {
    let Some(faulty) = Faulty::new().await else { return };
    let client = &faulty.client;
    let (mut refused, mut tried) = (0, 0);
    for packets in 0..40 {
        let login = client.post_as_demo("/token", GOOD).await;
        let (access, token) = (login.text("access_token"), refresh_token(&login));
        faulty.proxy.lose_after(packets);
        let answer = client.post_as_demo("/token", &refresh(&token)).await;
        let revoked = client.post_as_demo("/revoke", &format!("token={access}")).await;
        let has_lost = faulty.proxy.has_lost();
        refused += usize::from(answer.status == 503) + usize::from(revoked.status == 503);
        tried += 1;
        assert!([200, 503].contains(&answer.status.as_u16()), "{packets}: {}", answer.body);
        // Acknowledged or not, the same request is good.
        faulty.ready().await;
        let again = client.post_as_demo("/token", &refresh(&token)).await;
        assert_eq!(again.status, 200, "{packets}: {}", again.body);
        if revoked.status == 200 {
            let shown = client.post_as_demo("/introspect", &format!("token={access}")).await;
            assert_eq!(shown.json()["active"], false, "{packets}");
        }
        if !has_lost {
            break;
        }
    }
    assert!(tried > 10 && refused > 5, "{refused} of {tried}");
}

#[tokio::test]
async fn connections_that_the_server_has_closed_meanwhile_are_replaced_unseen() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    faulty
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    faulty.assert_all_served(&calls).await;
}
