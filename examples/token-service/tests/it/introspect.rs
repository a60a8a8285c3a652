//! `POST /introspect`.

use std::time::Duration;

use serde_json::{Value, json};
use token_service::Settings;
use token_service::store::Store;

use crate::grants::{code, exchange, refresh, refresh_token, register_app};
use crate::support::{Client, GOOD, ISSUER, NOW, basic, claims};

async fn introspect(client: &Client, token: &str) -> Value {
    let answer = client.post_as_demo("/introspect", &format!("token={token}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

#[track_caller]
fn assert_inactive(answer: &Value) {
    assert_eq!(*answer, json!({"active": false}));
}

#[tokio::test]
async fn an_access_token_is_shown_as_it_is() {
    let (client, _) = Client::with_clock(Settings::new(ISSUER)).await;
    let token = client.post(GOOD).await.text("access_token");
    assert_eq!(
        introspect(&client, &token).await,
        json!({
            "active": true,
            "scope": "read",
            "client_id": "token-service",
            "username": "alice",
            "token_type": "bearer",
            "token_use": "access_token",
            "exp": NOW + 1800,
            "iat": NOW,
            "auth_time": NOW,
            "sub": "alice",
            "aud": ISSUER,
            "iss": ISSUER,
            "jti": claims(&token)["jti"],
        })
    );
}

#[tokio::test]
async fn a_token_of_the_client_itself_has_no_username() {
    let client = Client::new().await;
    let answer = client.post_as_demo("/token", "grant_type=client_credentials").await;
    let shown = introspect(&client, &answer.text("access_token")).await;
    assert_eq!((&shown["active"], &shown["sub"]), (&json!(true), &json!("demo")));
    assert!(shown.get("username").is_none() && shown.get("auth_time").is_none());
}

#[tokio::test]
async fn a_token_for_another_resource_is_shown_too() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences = vec!["https://api.example".to_owned()];
    let client = Client::with(settings).await;
    let answer = client.post(&format!("{GOOD}&resource=https://api.example")).await;
    let token = answer.text("access_token");
    assert_eq!(introspect(&client, &token).await["aud"], json!("https://api.example"));
    // It is not one for this service.
    assert_eq!(client.get_with("/protected", &format!("Bearer {token}")).await.status, 401);
    let answer = client.post_as_demo("/revoke", &format!("token={token}")).await;
    answer.assert_error(400, "invalid_grant");
    assert_eq!(introspect(&client, &token).await["active"], true);
    client.post_to("/revoke", &format!("token={token}"), &[]).await;
    assert_inactive(&introspect(&client, &token).await);
}

#[tokio::test]
async fn a_refresh_token_is_shown_to_its_client_and_is_no_bearer_token() {
    let (client, clock) = Client::with_clock(Settings::new(ISSUER)).await;
    let code = code(&client, |_| ()).await;
    let answer = client.post_as_demo("/token", &exchange(&code)).await;
    let token = refresh_token(&answer);
    assert_eq!(
        introspect(&client, &token).await,
        json!({
            "active": true,
            "scope": "openid read write",
            "client_id": "demo",
            "username": "alice",
            "token_use": "refresh_token",
            "exp": NOW + 14 * 86_400,
            "auth_time": NOW - 100,
            "sub": "alice",
            "iss": ISSUER,
        })
    );
    let next = refresh_token(&client.post_as_demo("/token", &refresh(&token)).await);
    assert_inactive(&introspect(&client, &token).await);
    clock.advance(Duration::from_secs(14 * 86_400));
    assert_inactive(&introspect(&client, &next).await);
    // That of another client.
    let of_nobody = refresh_token(&client.post(GOOD).await);
    assert_inactive(&introspect(&client, &of_nobody).await);
}

#[tokio::test]
async fn what_is_no_longer_in_force_is_inactive_at_once() {
    let (client, clock) = Client::with_clock(Settings::new(ISSUER)).await;
    let expired = client.token().await;
    clock.advance(Duration::from_secs(1800));
    let of_another_service = Client::new().await.token().await;
    let spoiled = format!("{}A", client.token().await);
    for token in [&expired, &of_another_service, &spoiled, "unknown", "a.b.c"] {
        assert_inactive(&introspect(&client, token).await);
    }
    let revoked = client.token().await;
    client.post_to("/revoke", &format!("token={revoked}"), &[]).await;
    assert_inactive(&introspect(&client, &revoked).await);
    let of_disabled = client.token().await;
    assert_eq!(introspect(&client, &of_disabled).await["active"], true);
    client.store.disable_user("alice", NOW).await.unwrap();
    assert_inactive(&introspect(&client, &of_disabled).await);
}

#[tokio::test]
async fn an_id_token_is_inactive() {
    let (client, _) = Client::with_clock(Settings::new(ISSUER)).await;
    let code = code(&client, |_| ()).await;
    let answer = client.post_as_demo("/token", &exchange(&code)).await;
    assert_inactive(&introspect(&client, &answer.text("id_token")).await);
}

#[tokio::test]
async fn only_confidential_clients_may_ask() {
    let client = Client::new().await;
    register_app(&client).await;
    let token = client.token().await;
    for form in ["", "&client_id=app", "&client_id=nobody", "&client_id=demo"] {
        let answer = client.post_to("/introspect", &format!("token={token}{form}"), &[]).await;
        answer.assert_error(401, "invalid_client");
    }
    let wrong = basic("demo", "wrong");
    let headers = [("authorization", wrong.as_str())];
    let answer = client.post_to("/introspect", &format!("token={token}"), &headers).await;
    answer.assert_error(401, "invalid_client");
    // The token itself is no proof.
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let answer = client.post_to("/introspect", &format!("token={token}"), &headers).await;
    answer.assert_error(401, "invalid_client");
    client.post_as_demo("/introspect", "token=").await.assert_error(400, "invalid_request");
    let answer = client.get("/introspect").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
}
