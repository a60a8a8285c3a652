//! How often documents are fetched.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use token_service::Settings;
use token_service::store::{ClientDocument, Store};

use super::host::Host;
use super::{authorize, document, exchange, request, settings};
use crate::support::{Answer, Client, NOW};

/// A service behind a proxy, so that requests can come from several addresses.
pub fn behind_proxy(mut settings: Settings) -> Settings {
    settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    settings.requests_per_second = 0;
    settings
}

/// The same, with a clock that stands still.
pub async fn service(settings: Settings) -> Client {
    Client::with_clock(behind_proxy(settings)).await.0
}

pub async fn authorize_from(client: &Client, address: &str, id: &str) -> Answer {
    let path = format!("/authorize?{}", request(id, &[]));
    let request = Request::get(path).header("x-forwarded-for", address);
    client.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_address_may_ask_for_so_many_unknown_documents() {
    let host = Host::start().await;
    let known = host.publish_app();
    let client = service(settings(&host)).await;
    assert_eq!(authorize_from(&client, "192.0.2.9", &known).await.status, 200);
    for number in 0..20 {
        let id = host.url(&format!("/missing-{number}"));
        assert_eq!(authorize_from(&client, "192.0.2.1", &id).await.status, 400);
    }
    let id = host.url("/missing");
    let answer = authorize_from(&client, "192.0.2.1", &id).await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(answer.header("retry-after"), "6");
    assert_eq!(host.asked(), 21);
    // Neither for a known document nor from another address.
    assert_eq!(authorize_from(&client, "192.0.2.1", &known).await.status, 200);
    assert_eq!(authorize_from(&client, "192.0.2.2", &id).await.status, 400);
    assert_eq!(host.asked(), 22);
}

#[tokio::test]
async fn the_token_endpoint_has_the_same_limit() {
    let host = Host::start().await;
    let client = service(settings(&host)).await;
    for number in 0..20 {
        let id = host.url(&format!("/missing-{number}"));
        client.post(&exchange(&id, "code")).await.assert_error(401, "invalid_client");
    }
    let id = host.url("/missing");
    let answer = client.post(&exchange(&id, "code")).await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(authorize(&client, &id).await.status, 429);
    assert_eq!(host.asked(), 20);
}

#[tokio::test]
async fn a_bad_document_is_fetched_a_few_times_only() {
    let host = Host::start().await;
    let client = service(settings(&host)).await;
    let id = host.url("/missing");
    for number in 0..20 {
        let answer = authorize_from(&client, &format!("192.0.2.{number}"), &id).await;
        assert_eq!(answer.status, if number < 5 { 400 } else { 503 }, "{number}");
    }
    assert_eq!(host.asked(), 5);
}

#[tokio::test]
async fn a_host_and_all_hosts_are_asked_so_often() {
    let mut hosts = Vec::new();
    for number in 1..7 {
        hosts.push(Host::start_at(&format!("127.0.0.{number}")).await);
    }
    let mut settings = Settings::new(crate::support::ISSUER);
    settings.dangerous_client_metadata_hosts = hosts.iter().map(Host::authority).collect();
    let client = service(settings).await;
    let mut address = 0_u32;
    for host in &hosts {
        for number in 0..62 {
            let from = std::net::Ipv4Addr::from(0xc633_6400 + address);
            address += 1;
            let id = host.url(&format!("/missing-{number}"));
            let answer = authorize_from(&client, &from.to_string(), &id).await;
            assert!(matches!(answer.status.as_u16(), 400 | 503), "{}", answer.body);
        }
    }
    let asked: Vec<usize> = hosts.iter().map(Host::asked).collect();
    assert_eq!(asked, [60, 60, 60, 60, 60, 0]);
}

#[tokio::test]
async fn made_up_urls_do_not_keep_known_clients_out() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(settings(&host)).await;
    assert_eq!(authorize(&client, &id).await.status, 200);
    for number in 0..62 {
        let missing = host.url(&format!("/missing-{number}"));
        authorize_from(&client, &format!("192.0.2.{number}"), &missing).await;
    }
    let asked = host.asked();
    assert_eq!(asked, 60);
    // It is no longer fresh, and is fetched again.
    let mut stored = client.store.client_document(&id).await.unwrap().unwrap();
    stored.fresh_until = NOW;
    client.store.put_client_document(&stored, 10, NOW).await.unwrap();
    assert_eq!(authorize(&client, &id).await.status, 200);
    assert_eq!(host.asked(), asked + 1);
}

#[tokio::test]
async fn a_known_document_is_used_when_the_limits_are_reached() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(settings(&host)).await;
    let stored = ClientDocument {
        url: id.clone(),
        document: document(&id, json!({})),
        jwk_set: None,
        fetched_at: NOW - 100,
        fresh_until: NOW - 10,
        expires_at: NOW + 100,
        used_at: NOW - 100,
    };
    for _ in 0..10 {
        client.store.put_client_document(&stored, 10, NOW).await.unwrap();
        assert_eq!(authorize(&client, &id).await.status, 200);
    }
    assert_eq!(host.asked(), 5);
}
