//! How long a document is used.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use token_service::Settings;
use token_service::store::Store;
use tower_jwt_auth::test_util::ManualClock;

use super::host::{Host, Page};
use super::{authorize, code, document, exchange, refresh, request, service, settings, with_clock};
use crate::support::{Client, NOW};

fn advance(clock: &ManualClock, seconds: u64) {
    clock.advance(Duration::from_secs(seconds));
}

/// Publishes a good document with a header.
fn publish_with(host: &Host, name: &'static str, value: &str) -> String {
    let id = host.url("/app");
    host.serve("/app", Page::json(document(&id, json!({}))).header(name, value));
    id
}

#[tokio::test]
async fn a_document_is_fetched_again_when_it_is_no_longer_fresh() {
    for (header, value, seconds) in [
        ("cache-control", "max-age=120", 120),
        ("cache-control", "max-age=1", 60),
        ("cache-control", "no-store", 60),
        ("cache-control", "max-age=31536000", 86_400),
        ("expires", "0", 60),
        ("x-nothing", "", 600),
    ] {
        let host = Host::start().await;
        let id = publish_with(&host, header, value);
        let (client, clock) = with_clock(&host).await;
        for (pass, asked) in [(0, 1), (seconds - 1, 1), (1, 2), (1, 2)] {
            advance(&clock, pass);
            assert_eq!(authorize(&client, &id).await.status, 200);
            assert_eq!(host.asked(), asked, "{value}: after {pass}");
        }
    }
}

#[tokio::test]
async fn a_redirect_uri_that_was_withdrawn_is_refused_from_then_on() {
    let host = Host::start().await;
    let id = publish_with(&host, "cache-control", "max-age=120");
    let (client, clock) = with_clock(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    host.publish("/app", json!({"redirect_uris": ["https://app.example/back"]}));
    advance(&clock, 119);
    assert_eq!(authorize(&client, &id).await.status, 200);
    advance(&clock, 1);
    let answer = authorize(&client, &id).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("redirect_uri is not registered"), "{}", answer.body);
}

#[tokio::test]
async fn a_document_is_used_for_another_hour_while_its_host_is_down() {
    let host = Host::start().await;
    let id = publish_with(&host, "cache-control", "max-age=120");
    let (client, clock) = with_clock(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    host.serve("/app", Page::json("{}").status(503));
    // There is one try a minute.
    for (pass, asked) in [(120, 2), (1, 2), (58, 2), (1, 3), (59, 3)] {
        advance(&clock, pass);
        assert_eq!(authorize(&client, &id).await.status, 200, "after {pass}");
        assert_eq!(host.asked(), asked, "after {pass}");
    }
    advance(&clock, 3600 - 120);
    host.stop();
    assert_eq!(authorize(&client, &id).await.status, 200);
    advance(&clock, 1);
    assert_eq!(authorize(&client, &id).await.status, 400);
}

#[tokio::test]
async fn a_refresh_token_outlives_a_host_that_is_down() {
    let host = Host::start().await;
    let id = publish_with(&host, "cache-control", "max-age=120");
    let (client, clock) = with_clock(&host).await;
    let code = code(&client, &id).await;
    let token = client.post(&exchange(&id, &code)).await.text("refresh_token");
    host.serve("/app", Page::json("{}").status(500));
    advance(&clock, 3719);
    let token = client.post(&refresh(&id, &token)).await.text("refresh_token");
    advance(&clock, 1);
    // The client can try again: the token is not used up.
    let answer = client.post(&refresh(&id, &token)).await;
    answer.assert_error(503, "temporarily_unavailable");
    publish_with(&host, "cache-control", "max-age=120");
    advance(&clock, 60);
    assert_eq!(client.post(&refresh(&id, &token)).await.status, 200);
}

#[tokio::test]
async fn a_document_that_was_removed_or_became_bad_is_not_used() {
    for page in [
        Page::json("{}").status(404),
        Page::json("{}").status(301),
        Page::json("{}"),
        Page::json("<html>").header("content-type", "text/html"),
    ] {
        let host = Host::start().await;
        let id = publish_with(&host, "cache-control", "max-age=60");
        let (client, clock) = with_clock(&host).await;
        assert_eq!(authorize(&client, &id).await.status, 200);
        host.serve("/app", page);
        advance(&clock, 60);
        assert_eq!(authorize(&client, &id).await.status, 400);
        // The earlier one is gone, also if the host cannot be reached now.
        host.stop();
        assert_eq!(authorize(&client, &id).await.status, 400);
        assert!(client.store.client_document(&id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_error_is_not_stored() {
    let host = Host::start().await;
    let id = host.url("/app");
    let client = service(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 400);
    assert!(client.store.client_document(&id).await.unwrap().is_none());
    host.publish_app();
    assert_eq!(authorize(&client, &id).await.status, 200);
}

#[tokio::test]
async fn every_instance_uses_the_stored_document() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let code = code(&client, &id).await;
    let other = client.restarted(settings(&host)).await;
    assert_eq!(other.post(&exchange(&id, &code)).await.status, 200);
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn many_requests_at_once_cause_one_fetch() {
    let host = Host::start().await;
    let id = host.url("/app");
    host.serve("/app", Page::json(document(&id, json!({}))).delayed(Duration::from_millis(300)));
    let client = service(&host).await;
    let answers = join_all((0..15).map(|_| authorize(&client, &id))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn an_earlier_document_is_read_by_the_rules_of_today() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    let mut stored = client.store.client_document(&id).await.unwrap().unwrap();
    stored.document = document(&id, json!({"client_secret": "x"}));
    client.store.put_client_document(&stored, 10, NOW).await.unwrap();
    assert_eq!(authorize(&client, &id).await.status, 200);
    assert_eq!(host.asked(), 2);
}

#[tokio::test]
async fn a_stored_document_is_useless_once_its_host_is_no_longer_listed() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    let mut strict = Settings::new(crate::support::ISSUER);
    strict.dangerous_client_metadata_hosts.clear();
    let client: Client = client.restarted(strict).await;
    let answer = client.get(&format!("/authorize?{}", request(&id, &[]))).await;
    assert_eq!(answer.status, 400);
}
