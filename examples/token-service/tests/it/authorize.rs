//! Authorization requests, up to the code.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use token_service::Settings;
use token_service::secret;
use token_service::store::{Client as Registered, ClientAuthentication, GrantType, Store};
use tower_jwt_auth::NumericDate;
use tower_jwt_auth::test_util::ManualClock;

use crate::browser::{Browser, CALLBACK, CHALLENGE, request, response, unescape};
use crate::support::{Answer, Client, ISSUER};

/// Registers a client that is like the one of `--demo`, after a change.
pub async fn register(client: &Client, change: impl FnOnce(&mut Registered)) {
    let mut registered = client.store.client("demo").await.unwrap().unwrap();
    registered.id = "other".to_owned();
    registered.name = "Other <b>client</b>".to_owned();
    change(&mut registered);
    assert!(client.store.add_client(&registered).await.unwrap());
}

/// A service whose time a test turns.
pub async fn with_clock() -> (Client, ManualClock) {
    let clock = ManualClock::new(NumericDate::from_unix_seconds(1_800_000_000));
    let mut settings = Settings::new(ISSUER);
    settings.clock = Arc::new(clock.clone());
    (Client::with(settings).await, clock)
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.body.contains("role=\"alert\""), "{}", answer.body);
    assert!(answer.body.contains(text), "{text}: {}", answer.body);
    assert!(!answer.headers.contains_key("location"));
}

#[tokio::test]
async fn a_login_and_an_allowance_give_a_code() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let query = request(&[("nonce", "n"), ("scope", "openid read"), ("resource", ISSUER)]);
    let response = browser.allow(&query).await;
    assert_eq!(response.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
    assert_eq!(response["state"], "s t&a");

    // The store has the hash alone, for one minute.
    assert!(client.store.code(&response["code"]).await.unwrap().is_none());
    let code = client.store.code(&secret::hash(&response["code"])).await.unwrap().unwrap();
    assert_eq!((&*code.client_id, &*code.user, &*code.redirect_uri), ("demo", "alice", CALLBACK));
    assert_eq!((&*code.code_challenge, code.nonce.as_deref()), (CHALLENGE, Some("n")));
    assert_eq!(
        (code.scopes, code.resources),
        (vec!["openid".into(), "read".into()], vec![ISSUER.into()])
    );
    assert!(code.grant_id.is_none() && code.session_id.is_some());
    let lifetime = code.expires_at - code.authenticated_at;
    assert!((60..65).contains(&lifetime), "{lifetime}");
}

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_gets_a_page_and_no_redirect() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    for (changes, text) in [
        ([("client_id", "")], "client_id is missing"),
        ([("client_id", "nobody")], "not registered here"),
        ([("redirect_uri", "")], "redirect_uri is missing"),
        ([("redirect_uri", "http://127.0.0.1:5000/other")], "redirect_uri is not registered"),
        ([("redirect_uri", "http://localhost:5000/other")], "redirect_uri is not registered"),
        ([("redirect_uri", "https://evil.example/callback")], "redirect_uri is not registered"),
    ] {
        assert_page(&browser.get(&format!("/authorize?{}", request(&changes))).await, 400, text);
    }
    for query in [
        format!("{}&client_id=demo", request(&[])),
        format!("{}&redirect_uri={CALLBACK}", request(&[])),
        request(&[("state", "\n")]),
        "a=%FF".to_owned(),
        String::new(),
        format!("{}&x={}", request(&[]), "x".repeat(9000)),
    ] {
        assert_page(&browser.get(&format!("/authorize?{query}")).await, 400, "");
    }
}

#[tokio::test]
async fn any_other_error_goes_to_the_client_by_its_code() {
    let client = Client::new().await;
    register(&client, |other| other.grant_types = vec![GrantType::ClientCredentials]).await;
    let browser = Browser::new(&client);
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("client_id", "other", "unauthorized_client"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("request", "e30.e30.", "request_not_supported"),
        ("request_uri", "https://a.example/r", "request_uri_not_supported"),
        ("registration", "{}", "registration_not_supported"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("scope", "email", "invalid_scope"),
        ("resource", "https://other.example", "invalid_target"),
        ("prompt", "none", "login_required"),
    ] {
        let answer = browser.get(&format!("/authorize?{}", request(&[(name, value)]))).await;
        let response = response(&answer);
        assert_eq!(response["error"], error, "{name}={value}: {response:?}");
        assert_eq!(response["state"], "s t&a");
        assert!(!response["error_description"].is_empty());
        assert!(!response.contains_key("code"));
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_an_error_and_a_repeated_state_is_not_returned() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    for repeated in ["scope=read", "nonce=a&nonce=b", "unknown=1&unknown=1", "response_type="] {
        let query = format!("{}&{repeated}", request(&[]));
        let response = response(&browser.get(&format!("/authorize?{query}")).await);
        assert_eq!((&*response["error"], &*response["state"]), ("invalid_request", "s t&a"));
    }
    let query = format!("{}&state=x", request(&[]));
    let response = response(&browser.get(&format!("/authorize?{query}")).await);
    assert_eq!(response["error"], "invalid_request");
    assert!(!response.contains_key("state"));
}

#[tokio::test]
async fn a_state_or_a_nonce_that_is_too_long_is_an_error() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let ask = async |name: &str, length: usize| {
        let query = request(&[(name, &"x".repeat(length)), ("prompt", "none")]);
        response(&browser.get(&format!("/authorize?{query}")).await)
    };
    for (name, longest) in [("state", 4096), ("nonce", 512)] {
        assert_eq!(ask(name, longest).await["error"], "login_required", "{name}");
        let response = ask(name, longest + 1).await;
        assert_eq!(response["error"], "invalid_request", "{name}");
        assert_eq!(response.contains_key("state"), name != "state");
    }
}

#[tokio::test]
async fn several_resources_may_be_asked_for() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences = vec!["https://api.example".to_owned(), "https://b.example".to_owned()];
    let client = Client::with(settings).await;
    let query = request(&[("resource", "https://api.example")]);
    let query = format!("{query}&resource=https://b.example&resource=https://api.example");
    let response = Browser::new(&client).allow(&query).await;
    let code = client.store.code(&secret::hash(&response["code"])).await.unwrap().unwrap();
    assert_eq!(code.resources, ["https://api.example", "https://b.example"]);
}

#[tokio::test]
async fn scopes_are_those_of_the_service_the_client_and_the_user() {
    let mut settings = Settings::new(ISSUER);
    settings.scopes.push(("admin".to_owned(), "do everything".to_owned()));
    // The user of the demo does not have the new scope.
    let client = Client::new().await.restarted(settings).await;
    register(&client, |other| other.scopes = vec!["admin".to_owned(), "write".to_owned()]).await;

    // One that the client may not have.
    let query = request(&[("client_id", "other"), ("scope", "read write")]);
    let browser = Browser::new(&client);
    let error = response(&browser.get(&format!("/authorize?{query}")).await);
    assert_eq!(error["error"], "invalid_scope");
    // One that the user does not have is left out, as is one that nobody knows.
    let granted = async |scope| {
        let query = request(&[("client_id", "other"), ("scope", scope)]);
        let response = Browser::new(&client).allow(&query).await;
        client.store.code(&secret::hash(&response["code"])).await.unwrap().unwrap().scopes
    };
    assert_eq!(granted("admin write write email").await, ["write"]);
    assert_eq!(granted("openid profile offline_access").await.len(), 3);
    // By default the least powerful one that both have.
    assert_eq!(granted("").await, ["write"]);
    // None at all.
    let query = request(&[("client_id", "other"), ("scope", "admin")]);
    let error = response(&Browser::new(&client).log_in(&query).await);
    assert_eq!(error["error"], "invalid_scope");
}

#[tokio::test]
async fn a_session_logs_in_once() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    browser.allow(&request(&[])).await;
    let page = browser.get(&format!("/authorize?{}", request(&[]))).await;
    assert!(page.body.contains("Allow"), "{}", page.body);
    // Another browser has no part in it.
    let page = Browser::new(&client).get(&format!("/authorize?{}", request(&[]))).await;
    assert!(page.body.contains("Log in"));
    // Without a page it would have to ask.
    let answer = browser.get(&format!("/authorize?{}", request(&[("prompt", "none")]))).await;
    assert_eq!(response(&answer)["error"], "consent_required");
}

#[tokio::test]
async fn prompt_and_max_age_ask_for_a_new_login() {
    let (client, clock) = with_clock().await;
    let browser = Browser::new(&client);
    browser.allow(&request(&[])).await;
    clock.advance(Duration::from_secs(100));

    for (name, value, is_login) in [
        ("prompt", "login", true),
        ("prompt", "select_account", true),
        ("prompt", "login consent", true),
        ("prompt", "consent", false),
        ("max_age", "0", true),
        ("max_age", "99", true),
        ("max_age", "100", false),
    ] {
        let query = request(&[(name, value)]);
        let page = browser.get(&format!("/authorize?{query}")).await;
        assert_eq!(page.body.contains("type=\"password\""), is_login, "{name}={value}");
        // The new login is enough: there is no loop.
        if is_login {
            let page = Browser::new(&client).log_in(&query).await;
            assert!(page.body.contains("Allow"), "{name}={value}");
        }
    }
    let query = request(&[("prompt", "none"), ("max_age", "99")]);
    let answer = browser.get(&format!("/authorize?{query}")).await;
    assert_eq!(response(&answer)["error"], "login_required");

    // The time of the new login is that of the code.
    let page = browser.log_in(&request(&[("max_age", "99")])).await;
    let response = response(&browser.submit(&page, &[("decision", "allow")]).await);
    let code = client.store.code(&secret::hash(&response["code"])).await.unwrap().unwrap();
    assert_eq!(code.authenticated_at, 1_800_000_100);
}

#[tokio::test]
async fn a_session_ends_after_eight_hours() {
    let (client, clock) = with_clock().await;
    let browser = Browser::new(&client);
    browser.allow(&request(&[])).await;
    let is_login = async || {
        let page = browser.get(&format!("/authorize?{}", request(&[]))).await;
        page.body.contains("type=\"password\"")
    };
    clock.advance(Duration::from_secs(8 * 3600 - 1));
    assert!(!is_login().await);
    clock.advance(Duration::from_secs(1));
    assert!(is_login().await);
}

/// The greatest length that is accepted, between 2000 and 3000.
async fn longest(is_accepted: impl AsyncFn(usize) -> bool) -> usize {
    let (mut good, mut bad) = (2000, 3000);
    assert!(is_accepted(good).await && !is_accepted(bad).await);
    while bad - good > 1 {
        let middle = usize::midpoint(good, bad);
        match is_accepted(middle).await {
            true => good = middle,
            false => bad = middle,
        }
    }
    good
}

#[tokio::test]
async fn each_step_accepts_the_longest_request_that_the_first_one_accepts() {
    let client = Client::new().await;
    // The `~` is written as `%7E`: three times as long.
    let long = |length: usize| format!("{}&x={}", request(&[]), "~".repeat(length));
    let length = longest(async |length| {
        Browser::new(&client).get(&format!("/authorize?{}", long(length))).await.status == 200
    })
    .await;
    let query = long(length);
    let browser = Browser::new(&client);
    let page = browser.log_in(&query).await;
    assert!(page.body.contains("Allow"), "{}", page.body);
    // The link to another account makes it longer.
    let (_, link) = page.body.split_once("<a href=\"").unwrap();
    let login = browser.get(&format!("/{}", unescape(link.split('"').next().unwrap()))).await;
    assert_eq!(login.status, 200, "{}", login.body);
    assert!(response(&browser.submit(&page, &[("decision", "allow")]).await).contains_key("code"));

    // The same for a logout.
    let logout = |length: usize| format!("/logout?state={}", "~".repeat(length));
    let length = longest(async |length| browser.get(&logout(length)).await.status == 200).await;
    let page = browser.get(&logout(length)).await;
    assert!(page.body.contains("Log out?"));
    assert!(browser.submit(&page, &[]).await.body.contains("You are logged out"));
}

#[tokio::test]
async fn a_form_becomes_a_request_by_get() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let answer = browser.post("/authorize", &[("client_id", "demo"), ("state", "a b")]).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "authorize?client_id=demo&state=a+b");

    let json = Request::post("/authorize").header("content-type", "application/json");
    assert_page(&client.send(json.body(Body::from("{}")).unwrap()).await, 400, "");
    let large = "x".repeat(17 * 1024);
    assert_page(&browser.post("/authorize", &[("x", &large)]).await, 413, "");
}

#[tokio::test]
async fn the_redirect_keeps_the_query_of_the_uri() {
    let client = Client::new().await;
    register(&client, |other| {
        other.redirect_uris = vec!["https://app.example/cb?tenant=1".to_owned()];
        other.authentication = ClientAuthentication::None;
    })
    .await;
    let query = request(&[
        ("client_id", "other"),
        ("redirect_uri", "https://app.example/cb?tenant=1"),
        ("prompt", "none"),
        ("state", ""),
    ]);
    let answer = Browser::new(&client).get(&format!("/authorize?{query}")).await;
    let location = answer.header("location");
    let start = "https://app.example/cb?tenant=1&error=login_required&error_description=";
    assert!(location.starts_with(start), "{location}");
    assert!(location.ends_with("&iss=http%3A%2F%2F127.0.0.1%3A8000"), "{location}");
    assert!(!location.contains(['+', '\'']) && !location.contains("state="), "{location}");
}

#[tokio::test]
async fn without_the_store_each_page_asks_to_try_again() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let login = browser.get(&format!("/authorize?{}", request(&[]))).await;
    let consent = browser.log_in(&request(&[])).await;
    let logout = browser.get("/logout").await;
    client.store.close().await;
    for answer in [
        browser.get(&format!("/authorize?{}", request(&[]))).await,
        browser.submit(&login, &[("username", "alice"), ("password", "wonderland")]).await,
        browser.submit(&consent, &[("decision", "allow")]).await,
        browser.get("/logout").await,
        browser.submit(&logout, &[]).await,
    ] {
        assert_page(&answer, 503, "Try again later");
        assert_eq!(answer.header("retry-after"), "5");
    }
}
