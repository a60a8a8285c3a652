//! `POST /token`.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use token_service::Settings;

use crate::support::{Client, GOOD, ISSUER, claims, token_request};

#[tokio::test]
async fn a_token_for_a_name_and_a_password() {
    let client = Client::new().await;
    let answer = client.post(GOOD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let body = answer.json();
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 1800);
    assert_eq!(body["scope"], "read");
    assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(body["refresh_token"].as_str().unwrap().len(), 43);
    assert!(body.get("id_token").is_none());
}

#[tokio::test]
async fn json_and_other_bodies_are_invalid_requests() {
    let client = Client::new().await;
    let json = r#"{"grant_type":"password","username":"alice","password":"wonderland"}"#;
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let request = Request::post("/token").header("content-type", content_type);
        let answer = client.send(request.body(Body::from(json)).unwrap()).await;
        answer.assert_error(400, "invalid_request");
    }
    let answer = client.send(Request::post("/token").body(Body::from(GOOD)).unwrap()).await;
    answer.assert_error(400, "invalid_request");
    // Parameters in the query would be in logs, so the query is not read.
    let request = Request::post(format!("/token?{GOOD}"))
        .header("content-type", "application/x-www-form-urlencoded");
    client.send(request.body(Body::empty()).unwrap()).await.assert_error(400, "invalid_request");
    client.post("username=alice&password=%ff").await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn wrong_credentials_are_401_with_a_bearer_challenge() {
    let client = Client::new().await;
    for form in [
        "grant_type=password&username=alice&password=looking-glass",
        "grant_type=password&username=bob&password=wonderland",
        "grant_type=password&username=Alice&password=wonderland",
        "grant_type=password&username=alice&password=wonderland+",
    ] {
        let answer = client.post(form).await;
        answer.assert_error(401, "invalid_grant");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"token-service\"");
    }
}

#[tokio::test]
async fn a_registered_client_with_a_wrong_password_gets_the_400_of_the_rfc() {
    let client = Client::new().await;
    let wrong = "grant_type=password&username=alice&password=wrong";
    client.post_as_demo("/token", wrong).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn the_challenge_is_basic_only_to_a_client_that_sent_basic() {
    let client = Client::new().await;
    let wrong = "grant_type=password&username=alice&password=wrong";
    let basic = ("authorization", "Basic Og==");
    let answer = client.post_with(wrong, &[basic]).await;
    answer.assert_error(401, "invalid_grant");
    assert!(answer.header("www-authenticate").starts_with("Basic realm="));

    // A page in a browser: it shows the error itself.
    let answer = client.post_with(wrong, &[basic, ("x-requested-with", "XMLHttpRequest")]).await;
    answer.assert_error(401, "invalid_grant");
    assert!(answer.header("www-authenticate").starts_with("Bearer realm="));
}

#[tokio::test]
async fn other_grants_are_unsupported_and_a_missing_one_is_password() {
    let client = Client::new().await;
    for grant in
        ["implicit", "Password", "password%20", "urn:ietf:params:oauth:grant-type:device_code"]
    {
        let form = format!("grant_type={grant}&username=alice&password=wonderland");
        client.post(&form).await.assert_error(400, "unsupported_grant_type");
    }

    assert_eq!(client.post("username=alice&password=wonderland").await.status, 200);
    assert_eq!(client.post("grant_type=&username=alice&password=wonderland").await.status, 200);
    for form in [
        "",
        "username=alice",
        "password=wonderland",
        "username=alice&password=",
        "grant_type=password",
        "grant_type=password&username=alice",
        "grant_type=password&password=wonderland",
        "grant_type=password&username=&password=wonderland",
    ] {
        client.post(form).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn an_unregistered_client_with_credentials_is_unknown() {
    let client = Client::new().await;
    // app:secret, app:, :secret, no base64.
    for credentials in ["YXBwOnNlY3JldA==", "YXBwOg==", "OnNlY3JldA==", "?"] {
        let authorization = format!("Basic {credentials}");
        let answer = client.post_with(GOOD, &[("authorization", &authorization)]).await;
        answer.assert_error(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic realm="));
    }
    let answer = client.post(&format!("{GOOD}&client_id=app&client_secret=secret")).await;
    answer.assert_error(401, "invalid_client");
    assert!(answer.header("www-authenticate").starts_with("Basic realm="));
}

#[tokio::test]
async fn to_show_nothing_is_no_error() {
    let client = Client::new().await;
    let answer = client.post_with(GOOD, &[("authorization", "Basic Og==")]).await;
    assert_eq!(answer.status, 200);
    let answer = client.post(&format!("{GOOD}&client_id=&client_secret=")).await;
    assert_eq!(answer.status, 200);
    let answer = client.post_with(GOOD, &[("authorization", "Bearer an.old.token")]).await;
    assert_eq!(answer.status, 200);

    let twice = [("authorization", "Basic Og=="), ("authorization", "Basic Og==")];
    client.post_with(GOOD, &twice).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_repeated_parameter_is_an_invalid_request() {
    let client = Client::new().await;
    for parameter in
        ["grant_type=password", "username=bob", "password=x", "scope=read&scope=read", "a&a"]
    {
        let answer = client.post(&format!("{GOOD}&{parameter}")).await;
        answer.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn the_user_may_have_read_and_write() {
    let client = Client::new().await;
    for (asked, granted) in [
        ("read", "read"),
        ("write", "write"),
        ("write+read", "write read"),
        ("read+read+write", "read write"),
        ("", "read"),
        ("openid+read+profile", "openid read profile"),
        ("offline_access", "offline_access"),
    ] {
        let answer = client.post(&format!("{GOOD}&scope={asked}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["scope"], granted);
    }
    for asked in [
        "admin",
        "read+admin",
        "Read",
        "read%09write",
        "read,write",
        "+",
        "read+",
        "read++write",
        "%22",
    ] {
        client.post(&format!("{GOOD}&scope={asked}")).await.assert_error(400, "invalid_scope");
    }
    // Without the password, nobody learns which scopes a user may have.
    let answer = client.post("username=alice&password=wrong&scope=admin").await;
    answer.assert_error(401, "invalid_grant");
}

#[tokio::test]
async fn without_audiences_the_only_resource_is_the_issuer() {
    let client = Client::new().await;
    for resource in ["", ISSUER] {
        assert_eq!(client.post(&format!("{GOOD}&resource={resource}")).await.status, 200);
    }
    let before = client.service.verifications();
    for resource in ["https://api.example", "http://127.0.0.1:8000/", "x"] {
        let answer = client.post(&format!("{GOOD}&resource={resource}")).await;
        answer.assert_error(400, "invalid_target");
    }
    assert_eq!(client.service.verifications(), before);
    let twice = format!("{GOOD}&resource={ISSUER}&resource={ISSUER}");
    assert_eq!(client.post(&twice).await.status, 200);
    for resources in [[ISSUER, "x"], ["x", ISSUER]] {
        let [first, second] = resources;
        let form = format!("{GOOD}&resource={first}&resource={second}");
        client.post(&form).await.assert_error(400, "invalid_target");
    }
}

#[tokio::test]
async fn a_resource_is_the_audience() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences = vec!["https://api.example".to_owned()];
    let client = Client::with(settings).await;
    for (asked, audience) in [
        ("", json!(ISSUER)),
        ("&resource=https://api.example", json!("https://api.example")),
        (
            "&resource=https://api.example&resource=http://127.0.0.1:8000&resource=https://api.example",
            json!(["https://api.example", ISSUER]),
        ),
    ] {
        let answer = client.post(&format!("{GOOD}{asked}")).await;
        assert_eq!(claims(&answer.text("access_token"))["aud"], audience);
    }
    let answer = client.post(&format!("{GOOD}&resource=https://api.example/")).await;
    answer.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn ten_wrong_guesses_per_user_and_the_right_ones_do_not_count() {
    let client = Client::new().await;
    let wrong = "username=alice&password=wrong";
    for _ in 0..9 {
        client.post(wrong).await.assert_error(401, "invalid_grant");
    }
    for _ in 0..12 {
        assert_eq!(client.post(GOOD).await.status, 200);
    }
    client.post(wrong).await.assert_error(401, "invalid_grant");
    // The budget grows by one guess in 6 s, which may have passed on a busy machine.
    for _ in 0..10 {
        if client.post(wrong).await.status == 429 {
            break;
        }
    }
    for form in [wrong, GOOD] {
        let answer = client.post(form).await;
        answer.assert_error(429, "too_many_attempts");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=6).contains(&seconds), "{seconds}");
    }
    client.post("username=bob&password=wrong").await.assert_error(401, "invalid_grant");
}

#[tokio::test]
async fn fifty_wrong_guesses_per_address() {
    let client = Client::new().await;
    for user in 0..50 {
        let answer = client.post(&format!("username=user{user}&password=wrong")).await;
        answer.assert_error(401, "invalid_grant");
    }
    // The budget of the address grows by one guess in 1.2 s, which may have passed.
    let mut answer = client.post("username=another&password=wrong").await;
    for user in 0..50 {
        if answer.status == 429 {
            break;
        }
        answer = client.post(&format!("username=other{user}&password=wrong")).await;
    }
    answer.assert_error(429, "too_many_attempts");
}

#[tokio::test]
async fn an_unknown_user_takes_the_one_verification_that_a_known_one_takes() {
    let client = Client::new().await;
    let mut before = 0;
    for form in [GOOD, "username=alice&password=wrong", "username=nobody&password=wrong"] {
        client.post(form).await;
        assert_eq!(client.service.verifications(), before + 1, "{form}");
        before += 1;
    }
    // A refusal for another reason takes nothing from the budget.
    client.post("username=alice").await;
    client.post(&format!("{GOOD}&grant_type=x")).await;
    client.post(&format!("{GOOD}&client_secret=x")).await;
    assert_eq!(client.service.verifications(), before);
}

#[tokio::test]
async fn another_method_is_not_allowed() {
    let client = Client::new().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/token").body(Body::empty()).unwrap();
        let answer = client.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"), "{method}");
    }
}

#[tokio::test]
async fn a_large_body_is_413_and_long_credentials_are_400() {
    let client = Client::new().await;
    let answer = client.post(&format!("{GOOD}&x={}", "x".repeat(20_000))).await;
    answer.assert_error(413, "invalid_request");
    let long = "x".repeat(2000);
    client.post(&format!("username={long}&password=x")).await.assert_error(400, "invalid_request");
    client.post(&format!("username=x&password={long}")).await.assert_error(400, "invalid_request");
    assert_eq!(client.service.verifications(), 0);
}

#[tokio::test]
async fn without_a_place_for_another_login_it_is_503() {
    let mut settings = Settings::new(ISSUER);
    settings.places = 0;
    let client = Client::with(settings).await;
    tokio::time::pause();
    let answer = client.send(token_request().body(Body::from(GOOD)).unwrap()).await;
    answer.assert_error(503, "temporarily_unavailable");
}
