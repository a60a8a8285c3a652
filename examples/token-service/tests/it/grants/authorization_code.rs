use serde_json::json;
use token_service::Settings;
use token_service::store::Store;
use tower_jwt_auth::{JwkSet, JwtVerifier, NumericDate};

use super::*;
use crate::support::{ISSUER, claims};

async fn client() -> Client {
    let mut settings = Settings::new(ISSUER);
    settings.audiences = vec!["https://one.example".to_owned(), "https://two.example".to_owned()];
    Client::with_clock(settings).await.0
}

/// Exchanges a code as the demo client.
async fn exchanged(client: &Client, code: &str) -> Answer {
    client.post_as_demo("/token", &exchange(code)).await
}

#[tokio::test]
async fn a_code_gives_every_kind_of_token() {
    let client = client().await;
    let answer = exchanged(&client, &code(&client, |_| ()).await).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.text("scope"), "openid read write");
    assert_eq!(answer.text("token_type"), "bearer");
    assert_eq!(refresh_token(&answer).len(), 43);
    let access = claims(&answer.text("access_token"));
    assert_eq!(access["sub"], "alice");
    assert_eq!(access["client_id"], "demo");
    assert_eq!(access["aud"], json!(ISSUER));
    assert_eq!(access["auth_time"], NOW - 100);
    assert_eq!(access["scope"], "openid read write");
}

#[tokio::test]
async fn an_id_token_is_for_the_client_and_belongs_to_the_access_token() {
    let client = client().await;
    let answer = exchanged(&client, &code(&client, |_| ()).await).await;
    let (id_token, access_token) = (answer.text("id_token"), answer.text("access_token"));
    let id = claims(&id_token);
    for (name, value) in [
        ("iss", json!(ISSUER)),
        ("sub", json!("alice")),
        ("aud", json!("demo")),
        ("nonce", json!("a nonce")),
        ("auth_time", json!(NOW - 100)),
        ("sid", json!("session-1")),
        ("iat", json!(NOW)),
    ] {
        assert_eq!(id[name], value, "{name}");
    }
    let hash = secret::hash(&access_token);
    // 16 bytes are 22 characters, of which the last one has 2 bits more.
    assert_eq!(id["at_hash"].as_str().unwrap()[..21], hash[..21]);

    let keys = JwkSet::from_json(&client.get("/jwks.json").await.body).unwrap();
    let verifier = JwtVerifier::new(ISSUER, "demo", keys).unwrap();
    let verifier =
        verifier.with_clock(tower_jwt_auth::FixedClock(NumericDate::from_unix_seconds(NOW)));
    assert!(verifier.clone().allow_at_hash().verify_now(&id_token).is_ok());
    // It is not an access token.
    assert!(verifier.verify_now(&id_token).is_err());
    let answer = client.get_with("/protected", &format!("Bearer {id_token}")).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn without_openid_there_is_no_id_token() {
    let client = client().await;
    let code = code(&client, |code| code.scopes = vec!["read".to_owned()]).await;
    let answer = exchanged(&client, &code).await;
    assert_eq!(answer.text("scope"), "read");
    assert!(answer.json().get("id_token").is_none());
}

#[tokio::test]
async fn a_wrong_request_does_not_use_the_code_up() {
    let client = client().await;
    register_app(&client).await;
    let code = code(&client, |_| ()).await;
    let good = exchange(&code);
    for (form, error) in [
        (good.replace(VERIFIER, &"a".repeat(43)), "invalid_grant"),
        (good.replace(VERIFIER, "short"), "invalid_request"),
        (good.replace(VERIFIER, &"a".repeat(129)), "invalid_request"),
        (good.replace(VERIFIER, &"+".repeat(50)), "invalid_request"),
        (good.replace(BACK, "https://app.example/back/"), "invalid_grant"),
        (good.replace(BACK, "https://app.example/BACK"), "invalid_grant"),
        (good.replace(BACK, ""), "invalid_request"),
        (good.replace(VERIFIER, ""), "invalid_request"),
        (good.replace(&code, ""), "invalid_request"),
        (good.replace(&code, "unknown"), "invalid_grant"),
        (format!("{good}&resource=https://one.example"), "invalid_target"),
    ] {
        client.post_as_demo("/token", &form).await.assert_error(400, error);
    }
    // Another client.
    let answer = client.post(&format!("{good}&client_id=app")).await;
    answer.assert_error(400, "invalid_grant");
    // No client, or one that does not prove who it is.
    client.post(&good).await.assert_error(401, "invalid_client");
    client.post(&format!("{good}&client_id=nobody")).await.assert_error(401, "invalid_client");
    client.post(&format!("{good}&client_id=demo")).await.assert_error(401, "invalid_client");
    assert_eq!(exchanged(&client, &code).await.status, 200);
}

#[tokio::test]
async fn a_second_exchange_revokes_what_the_first_one_gave() {
    let client = client().await;
    let code = code(&client, |_| ()).await;
    let answer = exchanged(&client, &code).await;
    let bearer = format!("Bearer {}", answer.text("access_token"));
    assert_eq!(client.get_with("/userinfo", &bearer).await.status, 200);
    exchanged(&client, &code).await.assert_error(400, "invalid_grant");
    assert_eq!(client.get_with("/userinfo", &bearer).await.status, 401);
    let again = client.post_as_demo("/token", &refresh(&refresh_token(&answer))).await;
    again.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn of_two_exchanges_at_once_one_is_granted_and_then_revoked() {
    let client = client().await;
    let code = code(&client, |_| ()).await;
    let (one, other) = tokio::join!(exchanged(&client, &code), exchanged(&client, &code));
    let (good, bad) = if one.status == 200 { (one, other) } else { (other, one) };
    bad.assert_error(400, "invalid_grant");
    let again = client.post_as_demo("/token", &refresh(&refresh_token(&good))).await;
    again.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn an_expired_code_and_one_of_a_disabled_user_give_nothing() {
    let (client, clock) = Client::with_clock(Settings::new(ISSUER)).await;
    let old = code(&client, |_| ()).await;
    clock.advance(std::time::Duration::from_secs(60));
    exchanged(&client, &old).await.assert_error(400, "invalid_grant");
    let new = code(&client, |code| code.expires_at = NOW + 120).await;
    client.store.disable_user("alice", NOW).await.unwrap();
    exchanged(&client, &new).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn the_resources_are_those_of_the_code_or_some_of_them() {
    let client = client().await;
    let granted = ["https://one.example", "https://two.example"].map(str::to_owned);
    let with_both = async || code(&client, |code| code.resources = granted.to_vec()).await;

    let answer = exchanged(&client, &with_both().await).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], json!(granted));

    let form = format!("{}&resource={}", exchange(&with_both().await), granted[0]);
    let answer = client.post_as_demo("/token", &form).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], json!(granted[0]));
    // The grant has both.
    let form = format!("{}&resource={}", refresh(&refresh_token(&answer)), granted[1]);
    let answer = client.post_as_demo("/token", &form).await;
    assert_eq!(claims(&answer.text("access_token"))["aud"], json!(granted[1]));

    let form = format!("{}&resource={ISSUER}", exchange(&with_both().await));
    client.post_as_demo("/token", &form).await.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn a_public_client_exchanges_its_code_without_a_secret() {
    let client = client().await;
    register_app(&client).await;
    let code = code(&client, |code| code.client_id = "app".to_owned()).await;
    let answer = client.post(&format!("{}&client_id=app", exchange(&code))).await;
    assert_eq!(claims(&answer.text("access_token"))["client_id"], "app");
}

#[tokio::test]
async fn a_client_uses_only_the_grants_that_it_is_registered_for() {
    let client = client().await;
    let only = [GrantType::AuthorizationCode];
    register(&client, "app", ClientAuthentication::None, &only).await;
    let code = code(&client, |code| code.client_id = "app".to_owned()).await;
    for form in [
        "grant_type=password&username=alice&password=wonderland",
        "grant_type=client_credentials",
        "grant_type=refresh_token&refresh_token=x",
    ] {
        let answer = client.post(&format!("{form}&client_id=app")).await;
        answer.assert_error(400, "unauthorized_client");
    }
    let answer = client.post(&format!("{}&client_id=app", exchange(&code))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json().get("refresh_token").is_none());
}
