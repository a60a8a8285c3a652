//! `/logout`.

use serde_json::{Value, json};
use token_service::secret;
use token_service::store::{Grant, Session, Store};
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};
use url::form_urlencoded::Serializer;

use crate::browser::{Browser, CALLBACK, SESSION, VERIFIER, add_bob, request, response};
use crate::support::{Client, ISSUER};

async fn session(browser: &Browser<'_>) -> Option<Session> {
    let cookie = browser.cookies.borrow().get(SESSION.as_str()).cloned()?;
    browser.client.store.session(&secret::hash(&cookie), 0).await.unwrap()
}

/// A browser that is logged in, with a grant of its session.
async fn logged_in(client: &Client) -> (Browser<'_>, String) {
    let browser = Browser::new(client);
    browser.log_in(&request(&[])).await;
    let session = session(&browser).await.unwrap();
    let grant = Grant {
        id: secret::random_id(),
        client_id: "demo".to_owned(),
        user: "alice".to_owned(),
        session_id: Some(session.id),
        scopes: vec!["read".to_owned()],
        resources: vec![ISSUER.to_owned()],
        authenticated_at: 0,
        created_at: 0,
        expires_at: i64::MAX,
        revoked_at: None,
        client_document: None,
    };
    let hash = client.store.user("alice").await.unwrap().unwrap().password_hash;
    assert!(client.store.add_grant(&grant, None, &hash).await.unwrap());
    (browser, grant.id)
}

async fn is_in_force(client: &Client, grant: &str) -> bool {
    client.store.grant(grant).await.unwrap().unwrap().is_in_force(1)
}

#[tokio::test]
async fn without_an_id_token_a_page_asks() {
    let client = Client::new().await;
    let (browser, grant) = logged_in(&client).await;
    let page = browser.get("/logout").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<h1>Log out?</h1>") && page.body.contains("alice"));
    assert!(session(&browser).await.is_some() && is_in_force(&client, &grant).await);

    // Nor does another site's form, with the token of another session or with none.
    let (attacker, _) = logged_in(&client).await;
    let theirs = attacker.get("/logout").await;
    for answer in [browser.submit(&theirs, &[]).await, browser.post("/logout", &[]).await] {
        let answer = browser.follow(&answer).await;
        assert!(answer.body.contains("<h1>Log out?</h1>"), "{}", answer.body);
        assert!(session(&browser).await.is_some());
    }

    let answer = browser.submit(&page, &[]).await;
    assert!(answer.body.contains("You are logged out"), "{}", answer.body);
    assert!(!browser.cookies.borrow().contains_key(SESSION.as_str()));
    assert!(!is_in_force(&client, &grant).await);
    assert!(session(&attacker).await.is_some());
}

#[tokio::test]
async fn the_page_that_asks_leads_back_to_the_client() {
    let client = Client::new().await;
    let (browser, _) = logged_in(&client).await;
    let query = format!("client_id=demo&post_logout_redirect_uri={ISSUER}&state=a%20b");
    let page = browser.get(&format!("/logout?{query}")).await;
    assert!(page.body.contains("<h1>Log out?</h1>"));
    let answer = browser.submit(&page, &[]).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), format!("{ISSUER}?state=a%20b"));
    // Logged out already, it leads back at once.
    let answer = browser.get(&format!("/logout?{query}")).await;
    assert_eq!(answer.header("location"), format!("{ISSUER}?state=a%20b"));
    assert!(browser.get("/logout").await.body.contains("You are logged out"));
}

#[tokio::test]
async fn a_form_of_another_site_does_not_say_that_the_user_is_logged_out() {
    let client = Client::new().await;
    let (browser, grant) = logged_in(&client).await;
    let bogus = [("form_token", "x"), ("state", "a b")];
    for form in [&[("state", "a b")][..], &bogus] {
        let answer = browser.post_cross_site("/logout", form).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert_eq!(answer.header("location"), "logout?state=a+b");
        assert!(!answer.headers.contains_key("set-cookie"));
        let page = browser.follow(&answer).await;
        assert!(page.body.contains("<h1>Log out?</h1>"), "{}", page.body);
    }
    assert!(session(&browser).await.is_some() && is_in_force(&client, &grant).await);
}

#[tokio::test]
async fn a_login_as_another_user_keeps_what_the_first_one_has_granted() {
    let client = Client::new().await;
    add_bob(&client).await;
    let (browser, grant) = logged_in(&client).await;
    let earlier = session(&browser).await.unwrap();
    let page = browser.get(&format!("/authorize?{}", request(&[("prompt", "login")]))).await;
    browser.submit(&page, &[("username", "bob"), ("password", "wonderland")]).await;
    assert_eq!(session(&browser).await.unwrap().user, "bob");
    assert!(client.store.session(&earlier.cookie_hash, 0).await.unwrap().is_none());
    assert!(is_in_force(&client, &grant).await);
}

#[tokio::test]
async fn a_bad_request_is_a_page_and_no_logout() {
    let client = Client::new().await;
    let (browser, grant) = logged_in(&client).await;
    for query in [
        "client_id=nobody",
        "client_id=demo&post_logout_redirect_uri=https://evil.example",
        "client_id=demo&post_logout_redirect_uri=http://127.0.0.1:8000/",
        "post_logout_redirect_uri=http://127.0.0.1:8000",
        "client_id=token-service-docs&post_logout_redirect_uri=http://127.0.0.1:8000",
        "state=a&state=b",
        "state=%00",
    ] {
        let answer = browser.get(&format!("/logout?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains("role=\"alert\""));
    }
    assert!(session(&browser).await.is_some() && is_in_force(&client, &grant).await);
}

#[tokio::test]
async fn an_id_token_of_another_issuer_is_as_good_as_none() {
    let client = Client::new().await;
    let (browser, _) = logged_in(&client).await;
    let sid = session(&browser).await.unwrap().id;
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate(Algorithm::ES256).unwrap()).unwrap();
    let issuer = issuer.with_type("JWT").unwrap();
    let token = issuer.issue(&json!({"sub": "alice", "aud": "demo", "sid": sid})).unwrap();
    for hint in [&*token, "a.b.c", "x", &client.token().await] {
        let answer = browser.get(&format!("/logout?id_token_hint={hint}")).await;
        assert!(answer.body.contains("<h1>Log out?</h1>"), "{hint}: {}", answer.body);
    }
    assert!(session(&browser).await.is_some());
}

#[tokio::test]
async fn an_id_token_of_a_key_that_is_gone_is_no_dead_end() {
    let client = Client::new().await;
    let (browser, _) = logged_in(&client).await;
    let issuer = TokenIssuer::new(ISSUER, SigningKey::generate(Algorithm::ES256).unwrap()).unwrap();
    let issuer = issuer.with_type("JWT").unwrap();
    let token = issuer.issue(&json!({"sub": "alice", "aud": "demo"})).unwrap();
    let query = format!("id_token_hint={token}&post_logout_redirect_uri={ISSUER}&state=s");
    let page = browser.get(&format!("/logout?{query}")).await;
    assert!(page.body.contains("<h1>Log out?</h1>"), "{}", page.body);
    // Nobody vouches for the URI: it is not followed, and the page does not allow it.
    assert!(page.header("content-security-policy").contains("form-action 'self';"));
    let answer = browser.submit(&page, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("You are logged out"));
    assert!(session(&browser).await.is_none());

    // With the client, it is followed.
    let (browser, _) = logged_in(&client).await;
    let page = browser.get(&format!("/logout?{query}&client_id=demo")).await;
    let answer = browser.submit(&page, &[]).await;
    assert_eq!(answer.header("location"), format!("{ISSUER}?state=s"));
}

/// Logs in, and exchanges the code for the tokens of the demo client.
async fn with_tokens(browser: &Browser<'_>) -> Value {
    let code = browser.allow(&request(&[("scope", "openid read")])).await["code"].clone();
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", &code)
        .append_pair("redirect_uri", CALLBACK)
        .append_pair("code_verifier", VERIFIER)
        .append_pair("client_id", "demo")
        .append_pair("client_secret", &browser.client.secret)
        .finish();
    let answer = browser.client.post(&form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap()
}

#[tokio::test]
async fn an_id_token_of_the_session_ends_it_at_once() {
    let client = Client::new().await;
    for method in ["get", "post"] {
        let browser = Browser::new(&client);
        let tokens = with_tokens(&browser).await;
        let access = format!("Bearer {}", text(&tokens, "access_token"));
        assert_eq!(client.get_with("/protected", &access).await.status, 200);
        let fields = [
            ("id_token_hint", text(&tokens, "id_token")),
            ("client_id", "demo"),
            ("post_logout_redirect_uri", ISSUER),
            ("state", "s"),
        ];
        let query = Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = match method {
            "get" => browser.get(&format!("/logout?{query}")).await,
            // A form of the client, which is another site.
            _ => browser.follow(&browser.post_cross_site("/logout", &fields).await).await,
        };
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert_eq!(answer.header("location"), format!("{ISSUER}?state=s"));
        assert!(!browser.cookies.borrow().contains_key(SESSION.as_str()));

        // What was granted in the session has ended too.
        assert_eq!(client.get_with("/protected", &access).await.status, 401);
        let refresh = format!(
            "grant_type=refresh_token&refresh_token={}&client_id=demo&client_secret={}",
            text(&tokens, "refresh_token"),
            client.secret
        );
        assert_eq!(client.post(&refresh).await.json()["error"], "invalid_grant");
        let page = browser.get(&format!("/authorize?{}", request(&[]))).await;
        assert!(page.body.contains("type=\"password\""));
    }
}

#[tokio::test]
async fn an_id_token_of_another_session_ends_no_session_and_the_user_is_asked() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let tokens = with_tokens(&browser).await;
    let earlier = session(&browser).await.unwrap();
    let access = format!("Bearer {}", text(&tokens, "access_token"));
    browser.cookies.borrow_mut().clear();
    browser.log_in(&request(&[])).await;

    let hint = text(&tokens, "id_token");
    let page = browser.get(&format!("/logout?id_token_hint={hint}")).await;
    assert!(page.body.contains("<h1>Log out?</h1>"), "{}", page.body);
    assert!(session(&browser).await.is_some());
    let answer = browser.submit(&page, &[]).await;
    assert!(answer.body.contains("You are logged out"));
    assert!(session(&browser).await.is_none());

    // Without a session it ends what its own client was granted then, and no session.
    let answer = Browser::new(&client).get(&format!("/logout?id_token_hint={hint}")).await;
    assert!(answer.body.contains("You are logged out"), "{}", answer.body);
    assert!(client.store.session(&earlier.cookie_hash, 0).await.unwrap().is_some());
    assert_eq!(client.get_with("/protected", &access).await.status, 401);
}

#[tokio::test]
async fn an_id_token_is_for_its_own_client() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let tokens = with_tokens(&browser).await;
    let hint = text(&tokens, "id_token");
    let answer =
        browser.get(&format!("/logout?id_token_hint={hint}&client_id=token-service-docs")).await;
    assert_eq!(answer.status, 400);
    assert!(session(&browser).await.is_some());
}

#[tokio::test]
async fn an_id_token_says_who_must_be_logged_in() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let tokens = with_tokens(&browser).await;
    let ask = async |hint: &str| {
        let query = request(&[("id_token_hint", hint), ("prompt", "none"), ("scope", "openid")]);
        response(&browser.get(&format!("/authorize?{query}")).await)
    };
    assert!(ask(text(&tokens, "id_token")).await.contains_key("code"));
    // An access token is not one.
    for other in ["x", text(&tokens, "access_token")] {
        assert_eq!(ask(other).await["error"], "login_required");
    }
    // A new login is enough, without a loop.
    let query = request(&[("id_token_hint", "x"), ("scope", "openid")]);
    assert!(browser.log_in(&query).await.header("location").contains("code="));
}

#[tokio::test]
async fn another_user_than_that_of_the_id_token_gets_no_code() {
    let client = Client::new().await;
    let tokens = with_tokens(&Browser::new(&client)).await;
    add_bob(&client).await;
    let browser = Browser::new(&client);
    let hint = text(&tokens, "id_token");
    let query = request(&[("id_token_hint", hint), ("scope", "openid")]);
    let page = browser.get(&format!("/authorize?{query}")).await;
    let bob = [("username", "bob"), ("password", "wonderland")];
    let page = browser.submit(&page, &bob).await;
    assert_eq!(page.status, 403);
    assert!(page.body.contains("asks for another user"), "{}", page.body);
    assert!(session(&browser).await.is_none());

    // Nor does a session of another user, also at the page that asks.
    let page = browser.get(&format!("/authorize?{}", request(&[]))).await;
    browser.submit(&page, &bob).await;
    assert_eq!(session(&browser).await.unwrap().user, "bob");
    let page = browser.get(&format!("/authorize?{query}")).await;
    assert!(page.body.contains("type=\"password\""), "{}", page.body);
    let alice = [("username", "alice"), ("password", "wonderland")];
    let answer = browser.follow(&browser.submit(&page, &alice).await).await;
    assert!(response(&answer).contains_key("code"));
    assert_eq!(session(&browser).await.unwrap().user, "alice");
}
