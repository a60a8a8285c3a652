use serde_json::json;
use token_service::Settings;

use super::*;
use crate::support::{GOOD, ISSUER, claims};

const FORM: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_confidential_client_gets_a_token_for_itself_and_no_refresh_token() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences = vec!["https://api.example".to_owned()];
    let client = Client::with(settings).await;
    let answer = client.post_as_demo("/token", FORM).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.text("scope"), "read write");
    assert!(answer.json().get("refresh_token").is_none());
    assert!(answer.json().get("id_token").is_none());
    let access = claims(&answer.text("access_token"));
    assert_eq!((&access["sub"], &access["client_id"]), (&json!("demo"), &json!("demo")));
    assert_eq!(access["aud"], json!(ISSUER));
    assert!(access.get("auth_time").is_none());

    let form = format!("{FORM}&scope=read&resource=https://api.example");
    let answer = client.post_as_demo("/token", &form).await;
    assert_eq!(answer.text("scope"), "read");
    assert_eq!(claims(&answer.text("access_token"))["aud"], json!("https://api.example"));
    let answer = client.post_as_demo("/token", &format!("{FORM}&resource=https://x.example")).await;
    answer.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn scopes_that_the_client_may_not_have_are_refused() {
    let client = Client::new().await;
    // There is no user whose identity it could be.
    for scope in ["admin", "openid", "offline_access", "read+admin", "+"] {
        let answer = client.post_as_demo("/token", &format!("{FORM}&scope={scope}")).await;
        answer.assert_error(400, "invalid_scope");
    }
}

#[tokio::test]
async fn it_needs_an_authenticated_client() {
    let client = Client::new().await;
    register_app(&client).await;
    client.post(FORM).await.assert_error(401, "invalid_client");
    client.post(&format!("{FORM}&client_id=demo")).await.assert_error(401, "invalid_client");
    client.post(&format!("{FORM}&client_id=nobody")).await.assert_error(401, "invalid_client");
    client.post(&format!("{FORM}&client_id=app")).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn the_user_and_the_client_of_the_demo_may_have_every_scope_of_the_service() {
    let mut settings = Settings::new(ISSUER);
    settings.scopes =
        ["notes:read", "notes:write"].map(|one| (one.to_owned(), one.to_owned())).into();
    let client = Client::with(settings).await;
    let answer = client.post_as_demo("/token", FORM).await;
    assert_eq!(answer.text("scope"), "notes:read notes:write");
    let password = format!("{GOOD}&scope=notes:read+notes:write");
    assert_eq!(client.post(&password).await.text("scope"), "notes:read notes:write");
}
