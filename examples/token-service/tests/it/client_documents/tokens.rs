//! Clients that prove who they are, by the keys of their documents.

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use super::host::{Host, Page};
use super::{code, exchange, refresh, request, with_clock};
use crate::browser::Browser;
use crate::support::{Client, ISSUER};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Signs the assertions of a client.
fn signer(id: &str, clock: &ManualClock) -> TokenIssuer {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    TokenIssuer::new(id, key).unwrap().with_clock(clock.clone())
}

fn jwk_set(signer: &TokenIssuer) -> Value {
    serde_json::from_str(&signer.jwk_set()).unwrap()
}

/// The form with an assertion.
fn signed(form: &str, signer: &TokenIssuer, id: &str) -> String {
    let assertion = signer.issue(&json!({"sub": id, "aud": ISSUER})).unwrap();
    format!("{form}&client_assertion_type={JWT_BEARER}&client_assertion={assertion}")
}

async fn assert_only_signed_requests_are_accepted(
    client: &Client,
    id: &str,
    own: &TokenIssuer,
    other: &TokenIssuer,
) {
    let code = code(client, id).await;
    let form = exchange(id, &code);
    client.post(&form).await.assert_error(401, "invalid_client");
    client.post(&signed(&form, other, id)).await.assert_error(401, "invalid_client");
    let answer = client.post(&signed(&form, own, id)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = answer.text("refresh_token");
    client.post(&refresh(id, &token)).await.assert_error(401, "invalid_client");
    assert_eq!(client.post(&signed(&refresh(id, &token), own, id)).await.status, 200);
    // Without `client_id`, the assertion names the client.
    let form = signed("token=x", own, id);
    assert_eq!(client.post_to("/revoke", &form, &[]).await.status, 200);
    // Anyone can publish a key, so it is no right to look into the tokens of others.
    let form = signed("token=x", own, id);
    client.post_to("/introspect", &form, &[]).await.assert_error(401, "invalid_client");
    let form = signed("grant_type=client_credentials", own, id);
    client.post(&form).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn keys_in_the_document_authenticate_the_client() {
    let host = Host::start().await;
    let (client, clock) = with_clock(&host).await;
    let id = host.url("/app");
    let (own, other) = (signer(&id, &clock), signer(&id, &clock));
    host.publish(
        "/app",
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwk_set(&own)}),
    );
    assert_only_signed_requests_are_accepted(&client, &id, &own, &other).await;
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn keys_at_a_jwks_uri_authenticate_the_client() {
    let host = Host::start().await;
    let (client, clock) = with_clock(&host).await;
    let id = host.url("/app");
    let (own, other) = (signer(&id, &clock), signer(&id, &clock));
    host.serve("/jwks", Page::json(own.jwk_set()));
    host.publish(
        "/app",
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/jwks")}),
    );
    assert_only_signed_requests_are_accepted(&client, &id, &own, &other).await;
    assert_eq!(host.asked(), 2);

    // New keys are known after 5 minutes.
    host.serve("/jwks", Page::json(other.jwk_set()));
    let query = request(&id, &[("prompt", "consent")]);
    let code = Browser::new(&client).allow(&query).await["code"].clone();
    let form = exchange(&id, &code);
    client.post(&signed(&form, &other, &id)).await.assert_error(401, "invalid_client");
    clock.advance(Duration::from_secs(300));
    let token = "grant_type=refresh_token&refresh_token=x";
    client.post(&signed(token, &own, &id)).await.assert_error(401, "invalid_client");
    client.post(&signed(token, &other, &id)).await.assert_error(400, "invalid_grant");
    assert_eq!(host.asked(), 4);
}

#[tokio::test]
async fn keys_that_cannot_be_used_make_the_document_unusable() {
    let host = Host::start().await;
    let (client, clock) = with_clock(&host).await;
    let id = host.publish(
        "/app",
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/jwks")}),
    );
    let own = signer(&id, &clock);
    let mut private = jwk_set(&own);
    private["keys"][0]["d"] = "secret".into();
    for page in [
        Page::json("{}").status(404),
        Page::json("{}"),
        Page::json(r#"{"keys": []}"#),
        Page::json(private.to_string()),
        Page::json(own.jwk_set() + &" ".repeat(16 * 1024)),
        Page::json(own.jwk_set()).header("content-type", "text/plain"),
    ] {
        host.serve("/jwks", page);
        clock.advance(Duration::from_secs(60));
        assert_eq!(super::authorize(&client, &id).await.status, 400);
    }
    let page = Page::json(own.jwk_set()).header("content-type", "application/jwk-set+json");
    host.serve("/jwks", page);
    clock.advance(Duration::from_secs(60));
    assert_eq!(super::authorize(&client, &id).await.status, 200);
}

/// Only the keys may be stale then.
#[tokio::test]
async fn a_changed_document_counts_although_its_keys_cannot_be_fetched() {
    let host = Host::start().await;
    let (client, clock) = with_clock(&host).await;
    let id = host.url("/app");
    let (own, jwks) = (signer(&id, &clock), host.url("/jwks"));
    let by_key = |changes: Value| {
        let mut all =
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks.clone()});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all
    };
    let uses_key = async || {
        let token = signed("grant_type=refresh_token&refresh_token=x", &own, &id);
        client.post(&token).await.status
    };
    host.serve("/jwks", Page::json(own.jwk_set()));
    host.publish("/app", by_key(json!({})));
    assert_eq!(super::authorize(&client, &id).await.status, 200);
    assert_eq!(uses_key().await, 400);

    host.serve("/jwks", Page::json("{}").status(503));
    host.publish("/app", by_key(json!({"redirect_uris": ["https://app.example/back"]})));
    clock.advance(Duration::from_secs(300));
    // The redirect URI is withdrawn, and the key is still good.
    assert_eq!(super::authorize(&client, &id).await.status, 400);
    assert_eq!(uses_key().await, 400);
    // There is another try each minute, and an hour in all.
    let asked = host.asked();
    clock.advance(Duration::from_secs(60));
    assert_eq!(uses_key().await, 400);
    assert_eq!(host.asked(), asked + 2);
    clock.advance(Duration::from_secs(3539));
    assert_eq!(uses_key().await, 400);
    clock.advance(Duration::from_secs(1));
    assert_eq!(uses_key().await, 503);
}

#[tokio::test]
async fn earlier_keys_are_not_used_for_a_document_with_another_jwks_uri() {
    let host = Host::start().await;
    let (client, clock) = with_clock(&host).await;
    let id = host.url("/app");
    let own = signer(&id, &clock);
    let by_key_at = |path: &str| json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url(path)});
    host.serve("/jwks", Page::json(own.jwk_set()));
    host.publish("/app", by_key_at("/jwks"));
    assert_eq!(super::authorize(&client, &id).await.status, 200);
    host.serve("/other", Page::json("{}").status(503));
    host.publish("/app", by_key_at("/other"));
    clock.advance(Duration::from_secs(300));
    // The client may try again.
    let token = signed("grant_type=refresh_token&refresh_token=x", &own, &id);
    client.post(&token).await.assert_error(503, "temporarily_unavailable");
    for _ in 0..10 {
        assert_ne!(super::authorize(&client, &id).await.status, 200);
    }
}
