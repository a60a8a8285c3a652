//! The login page: its form, its cookies and its session.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use token_service::Settings;
use token_service::store::Store;

use crate::authorize::{register, with_clock};
use crate::browser::{Browser, SESSION, add_bob, form_of, request};
use crate::support::{Answer, Client, ISSUER};

const ALICE: [(&str, &str); 2] = [("username", "alice"), ("password", "wonderland")];

async fn login_page(browser: &Browser<'_>) -> Answer {
    browser.get(&format!("/authorize?{}", request(&[]))).await
}

#[tokio::test]
async fn a_wrong_password_shows_the_page_again_with_an_error() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let page = login_page(&browser).await;
    for (name, password) in [
        ("alice", "looking-glass"),
        ("nobody\"><script>", "wonderland"),
        ("alice\u{1}", "wonderland"),
        (&*"x".repeat(2000), "wonderland"),
        ("", "wonderland"),
        ("alice", ""),
    ] {
        let answer = browser.submit(&page, &[("username", name), ("password", password)]).await;
        assert_eq!(answer.status, 403, "{name}");
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("<title>Error: "));
        assert!(
            !answer.body.contains("<script") && !answer.body.contains(password)
                || password.is_empty()
        );
        assert!(!browser.cookies.borrow().contains_key(SESSION.as_str()));
    }
    // The same page logs in all the same.
    assert_eq!(browser.submit(&page, &ALICE).await.status, 303);
    assert!(browser.cookies.borrow().contains_key(SESSION.as_str()));
}

#[tokio::test]
async fn wrong_passwords_are_limited() {
    // No guess comes back to the budget, however long ten of them take.
    let (client, _clock) = Client::with_clock(Settings::new(ISSUER)).await;
    let browser = Browser::new(&client);
    let page = login_page(&browser).await;
    for _ in 0..10 {
        let answer = browser.submit(&page, &[("username", "alice"), ("password", "x")]).await;
        assert_eq!(answer.status, 403);
    }
    let answer = browser.submit(&page, &ALICE).await;
    assert_eq!(answer.status, 429);
    let wait = answer.header("retry-after");
    assert!((1..=6).contains(&wait.parse::<u64>().unwrap()));
    assert!(answer.body.contains(&format!("Try again in {wait} second")), "{}", answer.body);
}

#[tokio::test]
async fn a_busy_service_asks_to_try_again() {
    let mut settings = Settings::new(ISSUER);
    settings.places = 0;
    let client = Client::with(settings).await;
    let browser = Browser::new(&client);
    let page = login_page(&browser).await;
    tokio::time::pause();
    let answer = browser.submit(&page, &ALICE).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "5"));
}

#[tokio::test]
async fn the_form_of_another_browser_is_refused() {
    let client = Client::new().await;
    let (victim, attacker) = (Browser::new(&client), Browser::new(&client));
    let (page, theirs) = (login_page(&victim).await, login_page(&attacker).await);
    let query = format!("/login?{}", request(&[]));
    let (action, hidden) = form_of(&page);
    let token = hidden[0].1.as_str();

    let answers = [
        // Another site has the token of its own browser, or none.
        victim.submit(&theirs, &ALICE).await,
        victim.post(&query, &ALICE).await,
        // A browser without cookies.
        Browser::new(&client).submit(&page, &ALICE).await,
        // The token is for one request.
        victim
            .post(&action.replace("read", "write"), &[ALICE[0], ALICE[1], ("form_token", token)])
            .await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("out of date"), "{}", answer.body);
        assert!(
            !answer
                .headers
                .get_all("set-cookie")
                .iter()
                .any(|c| c.to_str().unwrap().starts_with(SESSION.as_str()))
        );
    }
    assert_eq!(client.service.verifications(), 0);
    assert_eq!(victim.submit(&page, &ALICE).await.status, 303);
}

#[tokio::test]
async fn two_tabs_can_log_in() {
    let client = Client::new().await;
    let browser = Browser::new(&client);
    let (one, other) = (login_page(&browser).await, login_page(&browser).await);
    assert_eq!(browser.submit(&other, &ALICE).await.status, 303);
    assert_eq!(browser.submit(&one, &ALICE).await.status, 303);
}

#[tokio::test]
async fn each_login_has_a_new_cookie_and_the_same_user_the_same_session() {
    let (client, clock) = with_clock().await;
    let browser = Browser::new(&client);
    let cookie = || browser.cookies.borrow()[SESSION.as_str()].clone();
    let session = async |cookie: &str| {
        let hash = token_service::secret::hash(cookie);
        client.store.session(&hash, 1_800_000_000).await.unwrap()
    };
    // A cookie that somebody planted is not taken over.
    browser.cookies.borrow_mut().insert(SESSION.clone(), "A".repeat(43));
    browser.log_in(&request(&[])).await;
    let first = cookie();
    assert_ne!(first, "A".repeat(43));
    assert!(session(&"A".repeat(43)).await.is_none());

    clock.advance(Duration::from_secs(10));
    browser.log_in(&request(&[("prompt", "login")])).await;
    let second = cookie();
    assert_ne!(first, second);
    assert!(session(&first).await.is_none());
    let kept = session(&second).await.unwrap();
    assert_eq!((&*kept.user, kept.authenticated_at), ("alice", 1_800_000_010));

    // Another user ends the session.
    add_bob(&client).await;
    let page = browser.get(&format!("/authorize?{}", request(&[("prompt", "login")]))).await;
    browser.submit(&page, &[("username", "bob"), ("password", "wonderland")]).await;
    assert!(session(&second).await.is_none());
    let bob = session(&cookie()).await.unwrap();
    assert_eq!(bob.user, "bob");
    assert_ne!(bob.id, kept.id);
}

/// Ports and paths of a host share their cookies.
#[tokio::test]
async fn two_issuers_on_one_host_do_not_log_each_other_out() {
    let one = Client::new().await;
    let other = Client::with(Settings::new("http://127.0.0.1:8000/other")).await;
    let (first, second) = (Browser::new(&one), Browser::new(&other));
    first.log_in(&request(&[])).await;
    second.cookies.replace(first.cookies.borrow().clone());
    let page = login_page(&second).await;
    assert!(page.body.contains("type=\"password\""), "{}", page.body);
    second.log_in(&request(&[])).await;
    assert_eq!(second.cookies.borrow().len(), 4);
    first.cookies.replace(second.cookies.borrow().clone());
    for browser in [first, second] {
        assert!(login_page(&browser).await.body.contains("Allow"));
    }
}

#[tokio::test]
async fn cookies_are_hidden_from_scripts_and_bound_to_the_host() {
    for (issuer, prefix) in [(ISSUER, ""), ("https://issuer.example", "__Host-")] {
        let client = Client::with(Settings::new(issuer)).await;
        let browser = Browser::new(&client);
        let page = login_page(&browser).await;
        let answer = browser.submit(&page, &ALICE).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        for (answer, name) in [(page, "form"), (answer, "session")] {
            let cookie = answer.header("set-cookie");
            assert!(cookie.starts_with(&format!("{prefix}token-service-{name}-")), "{cookie}");
            for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert_eq!(cookie.contains("Secure"), !prefix.is_empty(), "{cookie}");
            assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"), "{cookie}");
        }
    }
}

#[tokio::test]
async fn pages_have_no_script_and_no_frame_and_are_not_cached() {
    let client = Client::new().await;
    register(&client, |other| other.redirect_uris.push("com.example.app:/cb".to_owned())).await;
    let browser = Browser::new(&client);
    let native = [("client_id", "other"), ("redirect_uri", "com.example.app:/cb")];
    let login = browser.get(&format!("/authorize?{}", request(&native))).await;
    let consent = browser.log_in(&request(&native)).await;
    let error = browser.get("/authorize").await;
    let scheme = " https: com.example.app:";
    for (page, form_action) in [(login, scheme), (consent, scheme), (error, "")] {
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'self'{form_action}; frame-ancestors 'none'"
        );
        assert_eq!(page.header("content-security-policy"), policy);
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(!page.body.contains("<script") && page.body.contains("<html lang=\"en\">"));
        assert!(page.body.contains("name=\"viewport\"") && page.body.contains("<h1>"));
        // The name of the client is text.
        assert!(!page.body.contains("<b>"));
    }
    let style = client.get("/pages/style.css").await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_fields_have_labels_and_are_known_to_password_managers() {
    let client = Client::new().await;
    let query = request(&[("login_hint", "al\"ice")]);
    let page = Browser::new(&client).get(&format!("/authorize?{query}")).await.body;
    for field in ["username", "password"] {
        assert!(page.contains(&format!("<label for=\"{field}\">")));
        assert!(page.contains(&format!("id=\"{field}\"")));
    }
    assert!(
        page.contains("autocomplete=\"username\"")
            && page.contains("autocomplete=\"current-password\"")
    );
    assert!(page.contains("value=\"al&#34;ice\""), "{page}");
}

#[tokio::test]
async fn a_page_that_is_asked_for_again_begins_again() {
    let client = Client::new().await;
    for path in ["login", "consent"] {
        let answer = client.get(&format!("/{path}?a=b&c")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "authorize?a=b&c"));
    }
}

#[tokio::test]
async fn pages_work_below_a_path() {
    let client = Client::with(Settings::new("https://issuer.example/realms/one")).await;
    let page = client.get(&format!("/realms/one/authorize?{}", request(&[]))).await;
    assert_eq!(page.status, 200);
    // Every address on it is relative.
    assert!(
        page.body.contains("action=\"login?") && page.body.contains("href=\"pages/style.css\"")
    );
    assert_eq!(client.get("/realms/one/pages/style.css").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_no_form_or_too_large_is_refused() {
    let client = Client::new().await;
    for (path, query) in
        [("/login", request(&[])), ("/consent", request(&[])), ("/logout", String::new())]
    {
        let post = |content_type: &str, body: String| {
            let request =
                Request::post(format!("{path}?{query}")).header("content-type", content_type);
            client.send(request.body(Body::from(body)).unwrap())
        };
        assert_eq!(post("application/json", "{}".to_owned()).await.status, 400, "{path}");
        let large = post("application/x-www-form-urlencoded", "x".repeat(17 * 1024)).await;
        assert_eq!(large.status, 413, "{path}");
    }
}
