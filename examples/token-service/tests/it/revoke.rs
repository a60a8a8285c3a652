//! `POST /revoke`.

use axum::body::Body;
use axum::http::Request;
use token_service::Settings;

use crate::grants::{code, exchange, refresh, refresh_token, register_app};
use crate::support::{Answer, Client, GOOD, ISSUER, basic};

async fn revoke(client: &Client, form: &str) -> Answer {
    client.post_to("/revoke", form, &[]).await
}

#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("cache-control"), "no-store");
}

async fn status(client: &Client, access_token: &str) -> u16 {
    client.get_with("/protected", &format!("Bearer {access_token}")).await.status.as_u16()
}

#[tokio::test]
async fn a_refresh_token_is_revoked_with_its_whole_grant() {
    let client = Client::new().await;
    let first = client.post(GOOD).await;
    let second = client.post(&refresh(&refresh_token(&first))).await;
    for hint in ["", "&token_type_hint=refresh_token", "&token_type_hint=access_token"] {
        assert_done(&revoke(&client, &format!("token={}{hint}", refresh_token(&second))).await);
    }
    client.post(&refresh(&refresh_token(&second))).await.assert_error(400, "invalid_grant");
    for answer in [first, second] {
        assert_eq!(status(&client, &answer.text("access_token")).await, 401);
    }
}

#[tokio::test]
async fn an_access_token_is_revoked_alone() {
    let client = Client::new().await;
    let answer = client.post(GOOD).await;
    let access = answer.text("access_token");
    assert_eq!(status(&client, &access).await, 200);
    assert_done(&revoke(&client, &format!("token={access}&token_type_hint=access_token")).await);
    for route in ["/protected", "/user", "/items"] {
        let refused = client.get_with(route, &format!("Bearer {access}")).await;
        assert_eq!((refused.status.as_u16(), refused.text("error")), (401, "invalid_token".into()));
    }
    let next = client.post(&refresh(&refresh_token(&answer))).await;
    assert_eq!(status(&client, &next.text("access_token")).await, 200);
}

#[tokio::test]
async fn a_token_of_the_client_itself_is_revoked() {
    let client = Client::new().await;
    let answer = client.post_as_demo("/token", "grant_type=client_credentials").await;
    let access = answer.text("access_token");
    assert_eq!(status(&client, &access).await, 200);
    assert_done(&client.post_as_demo("/revoke", &format!("token={access}")).await);
    assert_eq!(status(&client, &access).await, 401);
}

#[tokio::test]
async fn the_token_of_another_client_is_refused_as_long_as_it_is_in_force() {
    let client = Client::new().await;
    register_app(&client).await;
    let of_nobody = client.post(GOOD).await;
    let of_app = client.post(&format!("{GOOD}&client_id=app")).await;
    let of_demo = client.post_as_demo("/token", GOOD).await;
    for (owner, answer) in [("", &of_nobody), ("app", &of_app), ("demo", &of_demo)] {
        for token in [refresh_token(answer), answer.text("access_token")] {
            let form = format!("token={token}");
            let mut refused = Vec::new();
            if owner != "demo" {
                refused.push(client.post_as_demo("/revoke", &form).await);
            }
            if owner != "app" {
                refused.push(revoke(&client, &format!("{form}&client_id=app")).await);
            }
            if !owner.is_empty() {
                refused.push(revoke(&client, &form).await);
            }
            for refused in refused {
                refused.assert_error(400, "invalid_grant");
            }
        }
        assert_eq!(status(&client, &answer.text("access_token")).await, 200, "{owner}");
    }
    assert_eq!(client.post(&refresh(&refresh_token(&of_nobody))).await.status, 200);
    let form = format!("token={}", refresh_token(&of_app));
    assert_done(&revoke(&client, &format!("{form}&client_id=app")).await);
    assert_eq!(status(&client, &of_app.text("access_token")).await, 401);
    // It is invalid now, for every client.
    assert_done(&client.post_as_demo("/revoke", &form).await);
    let form = format!("token={}", of_app.text("access_token"));
    assert_done(&client.post_as_demo("/revoke", &form).await);
}

#[tokio::test]
async fn an_unknown_client_revokes_what_the_password_grant_gave_and_nothing_else() {
    let client = Client::new().await;
    let answer = client.post(GOOD).await;
    let form = format!("token={}", refresh_token(&answer));
    let of_a_client = client.post_as_demo("/token", GOOD).await;
    let other = format!("token={}&client_id=nobody", refresh_token(&of_a_client));
    revoke(&client, &other).await.assert_error(401, "invalid_client");
    assert_eq!(status(&client, &of_a_client.text("access_token")).await, 200);
    // As the password grant, for a token that came of it.
    assert_eq!(status(&client, &answer.text("access_token")).await, 200);
    assert_done(&revoke(&client, &format!("{form}&client_id=nobody")).await);
    assert_eq!(status(&client, &answer.text("access_token")).await, 401);
}

#[tokio::test]
async fn an_unknown_token_is_fine_and_a_missing_one_malformed() {
    let client = Client::new().await;
    for token in ["unknown", "a.b.c", &"x".repeat(5000)] {
        assert_done(&revoke(&client, &format!("token={token}")).await);
    }
    let of_another_service = Client::new().await.token().await;
    assert_done(&revoke(&client, &format!("token={of_another_service}")).await);
    for form in ["", "token=", "token_type_hint=access_token"] {
        revoke(&client, form).await.assert_error(400, "invalid_request");
    }
    revoke(&client, "token=a&token=b").await.assert_error(400, "invalid_request");
    let large = format!("token={}", "x".repeat(20_000));
    revoke(&client, &large).await.assert_error(413, "invalid_request");
    let answer = client.get("/revoke").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    let json = Request::post("/revoke").header("content-type", "application/json");
    let answer = client.send(json.body(Body::from("{}")).unwrap()).await;
    answer.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_client_with_wrong_credentials_revokes_nothing() {
    let client = Client::new().await;
    let answer = client.post_as_demo("/token", GOOD).await;
    let form = format!("token={}", refresh_token(&answer));
    let wrong = basic("demo", "wrong");
    let refused = client.post_to("/revoke", &form, &[("authorization", &wrong)]).await;
    refused.assert_error(401, "invalid_client");
    revoke(&client, &format!("{form}&client_id=demo")).await.assert_error(401, "invalid_client");
    assert_eq!(status(&client, &answer.text("access_token")).await, 200);
}

#[tokio::test]
async fn a_used_refresh_token_still_revokes_its_grant() {
    let (client, _) = Client::with_clock(Settings::new(ISSUER)).await;
    let code = code(&client, |_| ()).await;
    let first = client.post_as_demo("/token", &exchange(&code)).await;
    let second = client.post_as_demo("/token", &refresh(&refresh_token(&first))).await;
    assert_done(&client.post_as_demo("/revoke", &format!("token={}", refresh_token(&first))).await);
    let third = client.post_as_demo("/token", &refresh(&refresh_token(&second))).await;
    third.assert_error(400, "invalid_grant");
}
