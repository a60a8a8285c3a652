//! The page that asks whether a client may have what it asks for.

use std::time::Duration;

use token_service::Settings;
use token_service::secret;
use token_service::store::{ClientAuthentication, Exchange, Grant, Store};

use crate::authorize::{register, with_clock};
use crate::browser::{Browser, form_of, request, response, unescape};
use crate::support::{Client, ISSUER};

const NOW: i64 = 1_800_000_000;

/// Exchanges a code as the token endpoint does.
async fn exchange(client: &Client, code: &str, id: &str) {
    let hash = secret::hash(code);
    let code = client.store.code(&hash).await.unwrap().unwrap();
    let grant = Grant {
        id: id.to_owned(),
        client_id: code.client_id,
        user: code.user,
        session_id: code.session_id,
        scopes: code.scopes,
        resources: code.resources,
        authenticated_at: code.authenticated_at,
        created_at: NOW,
        expires_at: i64::MAX,
        revoked_at: None,
        client_document: None,
    };
    let now = code.authenticated_at;
    let exchange = client.store.exchange_code(&hash, &grant, None, now).await.unwrap();
    assert_eq!(exchange, Exchange::Granted);
}

#[tokio::test]
async fn the_page_says_who_gets_what() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences.push("https://api.example".to_owned());
    let client = Client::with(settings).await;
    register(&client, |_| {}).await;
    let query = request(&[
        ("client_id", "other"),
        ("scope", "openid read"),
        ("resource", "https://api.example"),
    ]);
    let page = Browser::new(&client).log_in(&query).await;
    assert_eq!(page.status, 200);
    for text in [
        "Other <b>client</b>",
        "<strong>alice</strong>",
        "know who you are <code>openid</code>",
        "read data <code>read</code>",
        "https://api.example",
        "127.0.0.1:5000",
        "value=\"allow\"",
        "value=\"deny\"",
    ] {
        let body = page.body.replace("&#60;", "<").replace("&#62;", ">");
        assert!(body.contains(text), "{text}: {body}");
    }
    assert!(!page.body.contains("<b>"));
}

#[tokio::test]
async fn a_denial_goes_to_the_client() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let page = browser.log_in(&request(&[])).await;
    let response = response(&browser.submit(&page, &[("decision", "deny")]).await);
    assert_eq!((&*response["error"], &*response["state"]), ("access_denied", "s t&a"));
    // Anything else is no answer.
    for decision in
        [&[][..], &[("decision", "yes")], &[("decision", "allow"), ("decision", "allow")]]
    {
        assert_eq!(browser.submit(&page, decision).await.status, 400);
    }
}

#[tokio::test]
async fn the_form_of_another_session_or_request_is_refused() {
    let client = Client::new().await;
    let (victim, attacker) = (Browser::new(&client), Browser::new(&client));
    let page = victim.log_in(&request(&[])).await;
    let theirs = attacker.log_in(&request(&[])).await;
    let (action, hidden) = form_of(&page);
    let allow = ("decision", "allow");
    let with_token = [("form_token", hidden[0].1.as_str()), allow];
    for answer in [
        victim.submit(&theirs, &[allow]).await,
        victim.post(&action, &[allow]).await,
        victim.post(&action.replace("scope=read", "scope=write"), &with_token).await,
        victim.post(&action.replace("5000", "6000"), &with_token).await,
    ] {
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    // The form of the login is another one.
    let login = Browser::new(&client).get(&format!("/authorize?{}", request(&[]))).await;
    let token = form_of(&login).1[0].1.clone();
    assert_eq!(victim.post(&action, &[("form_token", &token), allow]).await.status, 400);
    // Without a session one logs in.
    let answer = Browser::new(&client).submit(&page, &[allow]).await;
    assert!(answer.header("location").starts_with("authorize?client_id=demo"));
    // The right one is good, also a second time.
    for _ in 0..2 {
        assert!(response(&victim.submit(&page, &[allow]).await).contains_key("code"));
    }
}

#[tokio::test]
async fn an_allowance_is_remembered_as_long_as_a_grant_covers_the_request() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let code = browser.allow(&request(&[("scope", "read write openid")])).await["code"].clone();
    let next = async |changes: &[(&str, &str)]| {
        browser.get(&format!("/authorize?{}", request(changes))).await
    };
    // A code is no grant yet.
    assert!(next(&[]).await.body.contains("Allow"));
    exchange(&client, &code, "grant").await;
    assert!(response(&next(&[]).await).contains_key("code"));
    assert!(
        response(&next(&[("prompt", "none"), ("scope", "openid write")]).await)
            .contains_key("code")
    );
    // More than that, or on demand.
    assert!(next(&[("scope", "read profile")]).await.body.contains("Allow"));
    assert!(next(&[("prompt", "consent")]).await.body.contains("Allow"));

    client.store.revoke_grant("grant", NOW).await.unwrap();
    assert!(next(&[]).await.body.contains("Allow"));
}

#[tokio::test]
async fn an_allowance_is_for_the_resources_that_were_shown() {
    let mut settings = Settings::new(ISSUER);
    settings.audiences.push("https://api.example".to_owned());
    let client = Client::with(settings).await;
    let browser = Browser::new(&client);
    let code = browser.allow(&request(&[])).await["code"].clone();
    exchange(&client, &code, "grant").await;
    for (resource, is_asked) in [("", false), (ISSUER, false), ("https://api.example", true)] {
        let query = request(&[("resource", resource)]);
        let answer = browser.get(&format!("/authorize?{query}")).await;
        assert_eq!(answer.status == 200, is_asked, "{resource}");
    }
}

#[tokio::test]
async fn a_password_that_the_client_knew_is_no_allowance() {
    let client = Client::new().await;
    let grant = Grant {
        id: "password".to_owned(),
        client_id: "demo".to_owned(),
        user: "alice".to_owned(),
        session_id: None,
        scopes: vec!["read".to_owned()],
        resources: vec![ISSUER.to_owned()],
        authenticated_at: NOW,
        created_at: NOW,
        expires_at: i64::MAX,
        revoked_at: None,
        client_document: None,
    };
    let hash = client.store.user("alice").await.unwrap().unwrap().password_hash;
    assert!(client.store.add_grant(&grant, None, &hash).await.unwrap());
    assert!(Browser::new(&client).log_in(&request(&[])).await.body.contains("Allow"));
}

/// RFC 8252 section 8.6.
#[tokio::test]
async fn a_public_client_on_the_device_is_asked_for_each_time() {
    let client = Client::new().await;
    register(&client, |other| {
        other.authentication = ClientAuthentication::None;
        other.redirect_uris.push("com.example.app:/cb".to_owned());
        other.redirect_uris.push("https://app.example/cb".to_owned());
    })
    .await;
    for (uri, is_asked) in [
        ("http://127.0.0.1:5000/callback", true),
        ("com.example.app:/cb", true),
        ("https://app.example/cb", false),
    ] {
        let query = request(&[("client_id", "other"), ("redirect_uri", uri)]);
        let browser = Browser::new(&client);
        let page = browser.log_in(&query).await;
        if page.status == 200 {
            let answer = browser.submit(&page, &[("decision", "allow")]).await;
            let (_, code) = answer.header("location").split_once("code=").unwrap();
            exchange(&client, code.split('&').next().unwrap(), uri).await;
        }
        let answer = browser.get(&format!("/authorize?{query}")).await;
        assert_eq!(answer.status == 200, is_asked, "{uri}");
    }
}

#[tokio::test]
async fn another_account_can_be_used() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let page = browser.log_in(&request(&[])).await;
    let (_, link) = page.body.split_once("<a href=\"").unwrap();
    let link = unescape(link.split('"').next().unwrap());
    let page = browser.get(&format!("/{link}")).await;
    assert!(page.body.contains("type=\"password\""), "{}", page.body);
}

#[tokio::test]
async fn a_login_that_became_too_old_at_the_page_is_made_again() {
    let (client, clock) = with_clock().await;
    let browser = Browser::new(&client);
    let page = browser.log_in(&request(&[("max_age", "60")])).await;
    // Ten minutes to read the page are beside the maximum age.
    clock.advance(Duration::from_secs(661));
    let answer = browser.submit(&page, &[("decision", "allow")]).await;
    let page = browser.follow(&answer).await;
    assert!(page.body.contains("type=\"password\""), "{}", page.body);
    let answer = browser.submit(&page, &[("username", "alice"), ("password", "wonderland")]).await;
    let page = browser.follow(&answer).await;
    let answer = browser.submit(&page, &[("decision", "allow")]).await;
    let code = response(&answer)["code"].clone();
    let code = client.store.code(&secret::hash(&code)).await.unwrap().unwrap();
    assert_eq!(code.authenticated_at, NOW + 661);
}

#[tokio::test]
async fn who_reads_for_longer_than_a_small_max_age_is_not_asked_again() {
    let (client, clock) = with_clock().await;
    let browser = Browser::new(&client);
    let page = browser.log_in(&request(&[("max_age", "1")])).await;
    clock.advance(Duration::from_secs(590));
    let answer = browser.submit(&page, &[("decision", "allow")]).await;
    let code = response(&answer)["code"].clone();
    let code = client.store.code(&secret::hash(&code)).await.unwrap().unwrap();
    assert_eq!(code.authenticated_at, NOW);
}

/// The same database, after a start with other settings.
async fn restarted(client: &Client, settings: Settings) -> Client {
    let store = client.store.clone();
    Client::over(settings, store.clone(), store, client.secret.clone()).await
}

#[tokio::test]
async fn nothing_else_than_what_the_page_showed_is_granted() {
    let client = Client::new().await;
    // Without a scope, it is the least powerful one that there is.
    let query = request(&[("scope", "")]);
    let browser = Browser::new(&client);
    let page = browser.log_in(&query).await;
    assert!(page.body.contains("<code>read</code>") && !page.body.contains("<code>write</code>"));

    let mut settings = Settings::new(ISSUER);
    settings.scopes.retain(|(name, _)| name == "write");
    let changed = restarted(&client, settings).await;
    let later = Browser::new(&changed);
    later.cookies.replace(browser.cookies.borrow().clone());
    let answer = later.submit(&page, &[("decision", "allow")]).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("out of date"), "{}", answer.body);
    let page = later.get(&format!("/authorize?{query}")).await;
    assert!(page.body.contains("<code>write</code>"), "{}", page.body);
    let answer = later.submit(&page, &[("decision", "allow")]).await;
    assert!(response(&answer).contains_key("code"));
}
