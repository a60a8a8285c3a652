//! Where documents are fetched from, and what counts as one host.

use serde_json::json;
use token_service::Settings;
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use super::host::{Host, Page};
use super::limits::{authorize_from, service as service_behind_proxy};
use super::{authorize, exchange, request, service, settings};
use crate::support::{Client, ISSUER};

#[tokio::test]
async fn the_service_is_not_its_own_client() {
    let host = Host::start().await;
    let id = host.publish_app();
    let mut settings = Settings::new(host.url(""));
    settings.dangerous_client_metadata_hosts = vec![host.authority()];
    let client = Client::with(settings).await;
    let answer = authorize(&client, &id).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("at this service itself"), "{}", answer.body);
    client.post(&exchange(&id, "code")).await.assert_error(401, "invalid_client");
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn only_port_443_is_fetched_from_unless_the_host_is_listed() {
    let client = Client::new().await;
    for id in ["https://client.invalid:8443/app", "https://client.invalid:80/app"] {
        let answer = authorize(&client, id).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("a port"), "{}", answer.body);
        client.post(&exchange(id, "code")).await.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn the_ports_of_a_host_share_a_budget() {
    let (one, two) = (Host::start().await, Host::start().await);
    let mut settings = Settings::new(ISSUER);
    settings.dangerous_client_metadata_hosts = vec!["127.0.0.1".to_owned()];
    let client = service_behind_proxy(settings).await;
    for number in 0..40 {
        for (host, network) in [(&one, 1), (&two, 2)] {
            let from = format!("192.0.{network}.{number}");
            authorize_from(&client, &from, &host.url(&format!("/missing-{number}"))).await;
        }
    }
    assert_eq!((one.asked(), two.asked()), (30, 30));
}

#[tokio::test]
async fn the_keys_of_a_client_are_in_the_budget_of_its_host() {
    let host = Host::start().await;
    let client = service_behind_proxy(settings(&host)).await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let signer = TokenIssuer::new("https://app.example", key).unwrap();
    host.serve("/jwks", Page::json(signer.jwk_set()));
    let keys =
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/jwks")});
    // The 60th fetch is that of the 30th key set.
    for number in 0..32 {
        let id = host.publish(&format!("/app-{number}"), keys.clone());
        let answer = authorize_from(&client, &format!("192.0.2.{number}"), &id).await;
        assert_eq!(answer.status, if number < 30 { 200 } else { 503 }, "{number}");
    }
    assert_eq!(host.asked(), 60);
}

/// The document of Claude Code, with another ID.
#[tokio::test]
async fn an_application_that_listens_on_any_port_gets_its_code() {
    let host = Host::start().await;
    let client = service(&host).await;
    let document = |redirect_uris: &[&str]| {
        json!({
            "client_name": "Claude Code",
            "client_uri": "https://claude.ai",
            "redirect_uris": redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        })
    };
    let (name, address) = ("http://localhost/callback", "http://127.0.0.1/callback");
    let both = host.publish("/both", document(&[name, address]));
    let by_name = host.publish("/name", document(&[name]));
    let by_address = host.publish("/address", document(&[address]));
    let is_accepted = async |id: &str, uri: &str| {
        let query = request(id, &[("redirect_uri", uri)]);
        let answer = client.get(&format!("/authorize?{query}")).await;
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{}", answer.body);
        answer.status == 200
    };
    // `localhost` is not `127.0.0.1`: the name may lead to another program.
    for (uri, named, addressed) in [
        ("http://localhost:3118/callback", true, false),
        ("http://localhost:65535/callback", true, false),
        ("http://localhost/callback", true, false),
        ("http://127.0.0.1:3118/callback", false, true),
        ("http://127.0.0.1/callback", false, true),
        ("http://[::1]:3118/callback", false, false),
        ("https://localhost:3118/callback", false, false),
        ("http://localhost:3118/callback/", false, false),
        ("http://localhost:3118/callback?x", false, false),
        ("http://localhost.example:3118/callback", false, false),
        ("http://localhost:3118@app.example/callback", false, false),
    ] {
        assert_eq!(is_accepted(&by_name, uri).await, named, "{uri}");
        assert_eq!(is_accepted(&by_address, uri).await, addressed, "{uri}");
        assert_eq!(is_accepted(&both, uri).await, named || addressed, "{uri}");
    }
}
