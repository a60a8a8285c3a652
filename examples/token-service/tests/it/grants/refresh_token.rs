use std::time::Duration;

use serde_json::json;
use token_service::Settings;
use token_service::store::Store;

use super::*;
use crate::support::{GOOD, ISSUER, claims};

const DAY: Duration = Duration::from_secs(86_400);

/// A service with a manual clock, and the first refresh token of a password grant without a client.
async fn start() -> (Client, tower_jwt_auth::test_util::ManualClock, String) {
    let (client, clock) = Client::with_clock(Settings::new(ISSUER)).await;
    let answer = client.post(&format!("{GOOD}&scope=read+write")).await;
    let token = refresh_token(&answer);
    (client, clock, token)
}

#[tokio::test]
async fn a_password_grant_without_a_client_is_refreshed_without_a_client() {
    let (client, clock, first) = start().await;
    clock.advance(Duration::from_secs(1000));
    let answer = client.post(&refresh(&first)).await;
    let second = refresh_token(&answer);
    assert_ne!(first, second);
    assert_eq!(answer.text("scope"), "read write");
    let access = claims(&answer.text("access_token"));
    assert_eq!((&access["sub"], &access["client_id"]), (&json!("alice"), &json!("token-service")));
    // The time of the login.
    assert_eq!((&access["auth_time"], &access["iat"]), (&json!(NOW), &json!(NOW + 1000)));
    // An unregistered name changes nothing.
    let answer = client.post(&format!("{}&client_id=my-app", refresh(&second))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_lost_answer_can_be_had_again_within_the_grace() {
    let (client, clock, first) = start().await;
    let second = refresh_token(&client.post(&refresh(&first)).await);
    clock.advance(Duration::from_secs(30));
    assert_eq!(refresh_token(&client.post(&refresh(&first)).await), second);
    let third = refresh_token(&client.post(&refresh(&second)).await);
    assert_ne!(third, second);
}

#[tokio::test]
async fn a_reuse_after_the_grace_revokes_the_family() {
    let (client, clock, first) = start().await;
    let answer = client.post(&refresh(&first)).await;
    let second = refresh_token(&answer);
    let bearer = format!("Bearer {}", answer.text("access_token"));
    assert_eq!(client.get_with("/protected", &bearer).await.status, 200);
    clock.advance(Duration::from_secs(31));
    client.post(&refresh(&first)).await.assert_error(400, "invalid_grant");
    client.post(&refresh(&second)).await.assert_error(400, "invalid_grant");
    assert_eq!(client.get_with("/protected", &bearer).await.status, 401);
}

#[tokio::test]
async fn a_reuse_after_the_successor_was_used_revokes_the_family() {
    let (client, _, first) = start().await;
    let second = refresh_token(&client.post(&refresh(&first)).await);
    let third = refresh_token(&client.post(&refresh(&second)).await);
    client.post(&refresh(&first)).await.assert_error(400, "invalid_grant");
    client.post(&refresh(&third)).await.assert_error(400, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refreshes_at_once_give_the_same_successor() {
    let (client, _, first) = start().await;
    let form = refresh(&first);
    let answers = futures_util::future::join_all((0..10).map(|_| client.post(&form))).await;
    let tokens: Vec<_> = answers.iter().map(refresh_token).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert_eq!(client.post(&refresh(&tokens[0])).await.status, 200);
}

#[tokio::test]
async fn the_scope_narrows_the_access_token_and_not_the_grant() {
    let (client, _, first) = start().await;
    let answer = client.post(&format!("{}&scope=read", refresh(&first))).await;
    assert_eq!(answer.text("scope"), "read");
    assert_eq!(claims(&answer.text("access_token"))["scope"], "read");
    let second = refresh_token(&answer);
    for scope in ["admin", "openid", "read+admin"] {
        let answer = client.post(&format!("{}&scope={scope}", refresh(&second))).await;
        answer.assert_error(400, "invalid_scope");
    }
    let answer = client.post(&format!("{}&resource=https://x.example", refresh(&second))).await;
    answer.assert_error(400, "invalid_target");
    // The refusals did not use the token up.
    let answer = client.post(&refresh(&second)).await;
    assert_eq!(answer.text("scope"), "read write");
}

#[tokio::test]
async fn a_refresh_token_is_bound_to_its_client() {
    let (client, _, of_nobody) = start().await;
    register_app(&client).await;
    let of_app = refresh_token(&client.post(&format!("{GOOD}&client_id=app")).await);
    let of_demo = refresh_token(&client.post_as_demo("/token", GOOD).await);

    client.post_as_demo("/token", &refresh(&of_nobody)).await.assert_error(400, "invalid_grant");
    client.post_as_demo("/token", &refresh(&of_app)).await.assert_error(400, "invalid_grant");
    for token in [&of_nobody, &of_demo] {
        let answer = client.post(&format!("{}&client_id=app", refresh(token))).await;
        answer.assert_error(400, "invalid_grant");
    }
    for token in [&of_app, &of_demo] {
        client.post(&refresh(token)).await.assert_error(400, "invalid_grant");
    }
    // A confidential client must prove who it is.
    let answer = client.post(&format!("{}&client_id=demo", refresh(&of_demo))).await;
    answer.assert_error(401, "invalid_client");

    assert_eq!(client.post(&refresh(&of_nobody)).await.status, 200);
    assert_eq!(client.post(&format!("{}&client_id=app", refresh(&of_app))).await.status, 200);
    assert_eq!(client.post_as_demo("/token", &refresh(&of_demo)).await.status, 200);
}

#[tokio::test]
async fn a_token_that_is_not_used_expires_and_the_grant_ends_in_any_case() {
    let (client, clock, first) = start().await;
    clock.advance(13 * DAY);
    let second = refresh_token(&client.post(&refresh(&first)).await);
    clock.advance(13 * DAY);
    let third = refresh_token(&client.post(&refresh(&second)).await);
    clock.advance(4 * DAY);
    client.post(&refresh(&third)).await.assert_error(400, "invalid_grant");

    let other = refresh_token(&client.post(GOOD).await);
    clock.advance(14 * DAY);
    client.post(&refresh(&other)).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_disabled_user_and_one_with_a_new_password_get_no_more_tokens() {
    let (client, _, first) = start().await;
    client.store.set_password("alice", "$argon2id$…", NOW).await.unwrap();
    client.post(&refresh(&first)).await.assert_error(400, "invalid_grant");
    let (client, _, first) = start().await;
    client.store.disable_user("alice", NOW).await.unwrap();
    client.post(&refresh(&first)).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn without_a_refresh_token_the_request_is_malformed() {
    let client = Client::new().await;
    client.post("grant_type=refresh_token").await.assert_error(400, "invalid_request");
    client.post(&refresh("unknown")).await.assert_error(400, "invalid_grant");
    // An access token is not one.
    let token = client.token().await;
    client.post(&refresh(&token)).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn resources_that_are_no_longer_configured_get_no_tokens() {
    let (one, two) = ("https://one.example", "https://two.example");
    let settings = |issuer: &str, audiences: &[&str]| {
        let mut settings = Settings::new(issuer);
        settings.audiences = audiences.iter().map(|one| (*one).to_owned()).collect();
        settings
    };
    let (before, clock) = Client::with_clock(settings(ISSUER, &[one, two])).await;
    let log_in = async |more: &str| before.post(&format!("{GOOD}{more}")).await;
    let of_both = log_in(&format!("&resource={one}&resource={two}")).await;
    let of_two = log_in(&format!("&resource={two}")).await;
    let of_none = log_in("").await;
    let of_code = code(&before, |code| code.resources = vec![two.to_owned()]).await;

    let mut only_one = settings(ISSUER, &[one]);
    only_one.clock = std::sync::Arc::new(clock.clone());
    let after = before.restarted(only_one).await;
    let refused = format!("{}&resource={two}", refresh(&refresh_token(&of_both)));
    after.post(&refused).await.assert_error(400, "invalid_target");
    let answer = after.post(&refresh(&refresh_token(&of_both))).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], one);
    let refused = refresh(&refresh_token(&of_two));
    after.post(&refused).await.assert_error(400, "invalid_target");
    let refused = exchange(&of_code);
    after.post_as_demo("/token", &refused).await.assert_error(400, "invalid_target");

    // Its access tokens can still be revoked.
    let form = format!("token={}", of_two.text("access_token"));
    let introspect = async || before.post_as_demo("/introspect", &form).await.json();
    assert_eq!(introspect().await["active"], true);
    assert_eq!(after.post_to("/revoke", &form, &[]).await.status, 200);
    assert_eq!(introspect().await["active"], false);

    // If none was asked for, it is the issuer of the day.
    let mut moved = settings("https://new.example", &[]);
    moved.clock = std::sync::Arc::new(clock);
    let answer = before.restarted(moved).await.post(&refresh(&refresh_token(&of_none))).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], "https://new.example");
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_grant() {
    let mut settings = Settings::new(ISSUER);
    settings.grant_lifetime = Duration::from_secs(3600);
    let (client, clock) = Client::with_clock(settings).await;
    let answer = client.post(GOOD).await;
    assert_eq!(answer.json()["expires_in"], 1800);
    clock.advance(Duration::from_secs(3000));
    let answer = client.post(&refresh(&refresh_token(&answer))).await;
    assert_eq!(answer.json()["expires_in"], 600);
    assert_eq!(claims(&answer.text("access_token"))["exp"], NOW + 3600);
}

#[tokio::test]
async fn a_refresh_gives_a_new_id_token_without_the_nonce() {
    let (client, _) = Client::with_clock(Settings::new(ISSUER)).await;
    let code = code(&client, |_| ()).await;
    let answer = client.post_as_demo("/token", &exchange(&code)).await;
    let answer = client.post_as_demo("/token", &refresh(&refresh_token(&answer))).await;
    let id = claims(&answer.text("id_token"));
    assert_eq!((&id["aud"], &id["sid"]), (&json!("demo"), &json!("session-1")));
    assert_eq!(id["auth_time"], NOW - 100);
    assert!(id.get("nonce").is_none());
    let form = format!("{}&scope=read", refresh(&refresh_token(&answer)));
    let answer = client.post_as_demo("/token", &form).await;
    assert!(answer.json().get("id_token").is_none());
}
