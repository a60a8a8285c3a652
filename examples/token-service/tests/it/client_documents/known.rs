//! Clients that are known here: made-up URLs and hosts that are down for long do not keep them out.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::{AnyConnection, Connection, Row};
use token_service::store::{ClientDocument, DOCUMENTS_KEPT, PURGE_MARGIN, SqlStore, Store};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{Clock, NumericDate};

use super::host::{Host, Page};
use super::limits::{authorize_from, behind_proxy, service};
use super::{authorize, code, document, exchange, refresh, settings, with_clock};
use crate::support::{Client, NOW};

fn advance(clock: &ManualClock, seconds: i64) {
    clock.advance(Duration::from_secs(seconds.try_into().unwrap()));
}

/// Uses up what may be fetched of unknown clients from this host.
async fn use_up(client: &Client, host: &Host) {
    for number in 0..61 {
        let missing = host.url(&format!("/missing-{number}"));
        authorize_from(client, &format!("192.0.2.{number}"), &missing).await;
    }
    let unknown = host.publish("/unknown", json!({}));
    assert_eq!(authorize_from(client, "192.0.2.200", &unknown).await.status, 503);
}

/// A document that is used no longer.
fn expired(id: &str) -> ClientDocument {
    ClientDocument {
        url: id.to_owned(),
        document: document(id, json!({})),
        jwk_set: None,
        fetched_at: NOW - 9000,
        fresh_until: NOW - 5000,
        expires_at: NOW - 1000,
        used_at: NOW - 5000,
    }
}

#[tokio::test]
async fn a_client_stays_known_although_its_host_was_down_for_long() {
    let host = Host::start().await;
    let id = host.publish_app();
    let (client, clock) = Client::with_clock(behind_proxy(settings(&host))).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    for hours in [3, 20 * 24] {
        advance(&clock, hours * 3600);
        let now = clock.now().unix_seconds();
        client.store.purge(9, now).await.unwrap();
        use_up(&client, &host).await;
        // What is stored is not used any more.
        host.serve("/app", Page::json("{}").status(503));
        assert_eq!(authorize(&client, &id).await.status, 400);
        host.publish_app();
        assert_eq!(authorize(&client, &id).await.status, 200, "after {hours} hours");
    }
}

#[tokio::test]
async fn a_client_with_a_grant_in_force_is_known_without_its_document() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(settings(&host)).await;
    let code = code(&client, &id).await;
    let token = client.post(&exchange(&id, &code)).await.text("refresh_token");
    client.store.remove_client_document(&id).await.unwrap();
    use_up(&client, &host).await;
    let answer = client.post(&refresh(&id, &token)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // A grant that was revoked counts no more.
    let form = format!("token={}&client_id={id}", answer.text("refresh_token"));
    assert_eq!(client.post_to("/revoke", &form, &[]).await.status, 200);
    client.store.remove_client_document(&id).await.unwrap();
    assert_eq!(authorize(&client, &id).await.status, 503);
}

#[tokio::test]
async fn a_document_that_is_used_is_kept() {
    let host = Host::start().await;
    let id = host.url("/app");
    let page = Page::json(document(&id, json!({})));
    host.serve("/app", page.header("cache-control", "max-age=86400"));
    let (client, clock) = with_clock(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    let used_at = async || client.store.client_document(&id).await.unwrap().unwrap().used_at;
    for (pass, used) in [(3599, 0), (1, 3600), (100, 3600)] {
        advance(&clock, pass);
        assert_eq!(authorize(&client, &id).await.status, 200);
        assert_eq!(used_at().await, NOW + used);
    }
    assert_eq!(host.asked(), 1);
    let gone = NOW + 3600 + DOCUMENTS_KEPT + PURGE_MARGIN;
    client.store.purge(9, gone - 1).await.unwrap();
    assert_eq!(used_at().await, NOW + 3600);
    client.store.purge(9, gone).await.unwrap();
    assert!(client.store.client_document(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn one_address_or_host_does_not_use_up_the_fetches_of_known_clients() {
    let host = Host::start().await;
    let mut settings = settings(&host);
    let other = host.authority().replace("127.0.0.1", "localhost");
    settings.dangerous_client_metadata_hosts.push(other.clone());
    let client = service(settings).await;
    let known = async |host: &Host, number: u32| {
        let id = host.publish(&format!("/app-{number}"), json!({}));
        client.store.put_client_document(&expired(&id), 1000, NOW).await.unwrap();
        id
    };
    for number in 0..40 {
        let id = known(&host, number).await;
        assert_eq!(authorize_from(&client, "192.0.2.1", &id).await.status, 200, "{number}");
    }
    let id = known(&host, 40).await;
    let answer = authorize_from(&client, "192.0.2.1", &id).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "3"));
    // What is still usable is used.
    let stale = ClientDocument { expires_at: NOW + 1, ..expired(&id) };
    client.store.put_client_document(&stale, 1000, NOW).await.unwrap();
    assert_eq!(authorize_from(&client, "192.0.2.1", &id).await.status, 200);
    assert_eq!(host.asked(), 40);
    for number in 41..61 {
        let id = known(&host, number).await;
        assert_eq!(authorize_from(&client, "192.0.2.2", &id).await.status, 200, "{number}");
    }
    let id = known(&host, 61).await;
    assert_eq!(authorize_from(&client, "192.0.2.2", &id).await.status, 503);
    let id = format!("http://{other}/other");
    host.serve("/other", Page::json(document(&id, json!({}))));
    client.store.put_client_document(&expired(&id), 1000, NOW).await.unwrap();
    assert_eq!(authorize_from(&client, "192.0.2.2", &id).await.status, 200);
}

#[tokio::test]
async fn a_document_from_a_wrong_clock_is_not_used() {
    const WEEK: i64 = 7 * 86_400;
    let host = Host::start().await;
    let id = host.url("/app");
    let page = Page::json(document(&id, json!({}))).header("cache-control", "max-age=86400");
    host.serve("/app", page);
    let (client, _) = with_clock(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    for (behind, asked) in [(60, 1), (WEEK, 2)] {
        let clock = ManualClock::new(NumericDate::from_unix_seconds(NOW - behind));
        let mut settings = settings(&host);
        settings.clock = Arc::new(clock.clone());
        let other = client.restarted(settings).await;
        if behind > 60 {
            // The budgets are from the future too: until they have one back, nothing is fetched, and the document not used.
            assert_eq!(authorize(&other, &id).await.status, 503);
            advance(&clock, 10);
        }
        for _ in 0..2 {
            assert_eq!(authorize(&other, &id).await.status, 200);
            assert_eq!(host.asked(), asked, "{behind}");
        }
    }
}

/// Made-up URLs do not fill the table of the budgets once nothing is fetched for them.
#[tokio::test]
async fn a_made_up_url_gets_no_row_when_nothing_may_be_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("store.db").display());
    let store = Arc::new(SqlStore::open(&url).await.unwrap());
    let host = Host::start().await;
    let mut settings = behind_proxy(settings(&host));
    settings.clock = Arc::new(ManualClock::new(NumericDate::from_unix_seconds(NOW)));
    let client = Client::over(settings, Arc::clone(&store), store, String::new()).await;
    use_up(&client, &host).await;
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let mut rows = async || -> i64 {
        let row = sqlx::query("SELECT COUNT(*) AS number FROM limits");
        row.fetch_one(&mut connection).await.unwrap().get("number")
    };
    let before = rows().await;
    for number in 0..10 {
        let id = host.url(&format!("/more-{number}"));
        assert_eq!(authorize_from(&client, "192.0.2.200", &id).await.status, 503);
    }
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn a_flood_of_unknown_clients_does_not_evict_a_client_with_a_grant() {
    let host = Host::start().await;
    let id = host.publish_app();
    let (client, _) = with_clock(&host).await;
    let code = code(&client, &id).await;
    assert_eq!(client.post(&exchange(&id, &code)).await.status, 200);
    for number in 0..9 {
        let made_up = format!("https://{number}.example/");
        let row = ClientDocument { used_at: NOW + 99, ..expired(&made_up) };
        client.store.put_client_document(&row, 3, NOW).await.unwrap();
    }
    assert!(client.store.client_document(&id).await.unwrap().is_some());
}
