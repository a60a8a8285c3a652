//! `/userinfo`.

use axum::body::Body;
use axum::http::Request;
use token_service::Settings;
use token_service::store::Store;

use crate::support::{Answer, Client, GOOD, ISSUER, NOW};

async fn post(client: &Client, bearer: &str) -> Answer {
    let request = Request::post("/userinfo").header("authorization", bearer);
    client.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn it_names_the_user_and_by_profile_the_name_too() {
    let client = Client::new().await;
    for (scope, body) in [
        ("openid", r#"{"sub":"alice"}"#),
        ("openid+profile", r#"{"sub":"alice","preferred_username":"alice"}"#),
    ] {
        let bearer = client.bearer(scope).await;
        for answer in [client.get_with("/userinfo", &bearer).await, post(&client, &bearer).await] {
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, body));
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn a_token_without_openid_is_403_and_no_token_401() {
    let client = Client::new().await;
    let bearer = client.bearer("read+profile").await;
    let answer = client.get_with("/userinfo", &bearer).await;
    assert_eq!((answer.status.as_u16(), answer.text("error")), (403, "insufficient_scope".into()));
    assert!(answer.header("www-authenticate").contains("scope=\"openid\""));
    for answer in [client.get("/userinfo").await, post(&client, "Basic YTpi").await] {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"token-service\"");
    }
    assert_eq!(client.get_with("/userinfo", "Bearer {}").await.status, 400);
    let put = Request::put("/userinfo").body(Body::empty()).unwrap();
    assert_eq!(client.send(put).await.status, 405);
}

#[tokio::test]
async fn a_revoked_token_and_that_of_a_disabled_user_are_401_at_once() {
    let client = Client::new().await;
    let answer = client.post(&format!("{GOOD}&scope=openid")).await;
    let token = answer.text("access_token");
    let bearer = format!("Bearer {token}");
    assert_eq!(client.get_with("/userinfo", &bearer).await.status, 200);
    client.post_to("/revoke", &format!("token={token}"), &[]).await;
    let refused = client.get_with("/userinfo", &bearer).await;
    assert_eq!((refused.status.as_u16(), refused.text("error")), (401, "invalid_token".into()));

    let bearer = client.bearer("openid").await;
    client.store.disable_user("alice", NOW).await.unwrap();
    assert_eq!(client.get_with("/userinfo", &bearer).await.status, 401);
}

#[tokio::test]
async fn a_token_for_another_resource_alone_is_not_accepted() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences = vec!["https://api.example".to_owned()];
    let client = Client::with(settings).await;
    let form = format!("{GOOD}&scope=openid&resource=https://api.example");
    let alone = format!("Bearer {}", client.post(&form).await.text("access_token"));
    assert_eq!(client.get_with("/userinfo", &alone).await.status, 401);
    let form = format!("{form}&resource={ISSUER}");
    let both = format!("Bearer {}", client.post(&form).await.text("access_token"));
    assert_eq!(client.get_with("/userinfo", &both).await.status, 200);
}
