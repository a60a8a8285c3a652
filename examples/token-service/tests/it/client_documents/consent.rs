//! What a person sees of a client that is not registered.

use std::time::Duration;

use serde_json::json;
use token_service::store::Store;

use super::host::{Host, Page};
use super::{document, exchange, request, service, with_clock};
use crate::authorize::register;
use crate::browser::{Browser, VERIFIER, unescape};
use crate::support::Answer;

const BACK: &str = "https://app.example/back";

#[tokio::test]
async fn the_page_says_who_the_client_is_and_who_vouches_for_it() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let browser = Browser::new(&client);
    let login = browser.get(&format!("/authorize?{}", request(&id, &[]))).await;
    // What it calls itself is not its name.
    let name = format!("<strong>{}</strong>", host.authority());
    assert!(login.body.contains(&name) && !login.body.contains("My app"), "{}", login.body);
    let page = browser.log_in(&request(&id, &[])).await;
    assert_eq!(page.status, 200);
    let heading = format!("Allow <span class=\"name\">{}</span>?", host.authority());
    for text in [
        heading.as_str(),
        "not registered here",
        &id,
        "<bdi>My app</bdi>",
        "nobody has checked",
        "127.0.0.1:5000",
        "Any program on this device could pretend",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("another site"));
    // A registered client is.
    let registered = Browser::new(&client).log_in(&crate::browser::request(&[])).await;
    assert!(!registered.body.contains("not registered"), "{}", registered.body);
}

#[tokio::test]
async fn the_page_warns_of_another_site() {
    let host = Host::start().await;
    let id = host.publish("/app", json!({"redirect_uris": [BACK]}));
    let client = service(&host).await;
    let page = Browser::new(&client).log_in(&request(&id, &[("redirect_uri", BACK)])).await;
    assert!(page.body.contains("You then return to app.example."), "{}", page.body);
    assert!(page.body.contains("That is another site than"), "{}", page.body);
    assert!(!page.body.contains("Any program"));
}

/// RFC 9700 section 4.11.2.
#[tokio::test]
async fn a_browser_is_not_sent_to_an_unknown_site_unless_its_user_decides() {
    let host = Host::start().await;
    let id = host.publish("/app", json!({"redirect_uris": [BACK, crate::browser::CALLBACK]}));
    let client = service(&host).await;
    let browser = Browser::new(&client);
    for change in [("prompt", "none"), ("scope", "unknown"), ("response_type", "token")] {
        let query = request(&id, &[("redirect_uri", BACK), change]);
        let page = browser.get(&format!("/authorize?{query}")).await;
        assert_eq!(page.status, 400, "{}", page.body);
        assert!(!page.headers.contains_key("location"));
        let (_, link) = page.body.split_once("<a href=\"").unwrap();
        let link = unescape(link.split('"').next().unwrap());
        assert!(link.starts_with(&format!("{BACK}?error=")), "{link}");
        assert!(link.contains("&state=") && link.contains("&iss="), "{link}");
        // An application on the device learns of it at once.
        let query = request(&id, &[change]);
        assert_eq!(browser.get(&format!("/authorize?{query}")).await.status, 303);
    }
    let page = browser.log_in(&request(&id, &[("redirect_uri", BACK)])).await;
    let answer = browser.submit(&page, &[("decision", "deny")]).await;
    assert!(answer.header("location").starts_with(&format!("{BACK}?error=access_denied")));
}

/// Which program has the scheme is not known here, whatever host comes after it.
#[tokio::test]
async fn a_custom_scheme_with_a_loopback_host_is_an_unknown_site() {
    const UNKNOWN: &str = "com.example.app://localhost/back";
    let host = Host::start().await;
    let id = host.publish("/app", json!({"redirect_uris": [UNKNOWN]}));
    let client = service(&host).await;
    let browser = Browser::new(&client);
    let query = request(&id, &[("redirect_uri", UNKNOWN), ("scope", "unknown")]);
    let page = browser.get(&format!("/authorize?{query}")).await;
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.body.contains(&format!("<a href=\"{UNKNOWN}?error=")), "{}", page.body);
    let page = browser.log_in(&request(&id, &[("redirect_uri", UNKNOWN)])).await;
    let destination = "You then return to an application on this device (com.example.app:).";
    assert!(page.body.contains(destination), "{}", page.body);
}

#[tokio::test]
async fn a_hostile_name_is_harmless() {
    let host = Host::start().await;
    let client = service(&host).await;
    for (number, name) in [
        "<script>alert(1)</script>",
        "\u{202e}elgooG\u{202c} \u{200b}\u{2066}",
        "\"><img src=x onerror=alert(1)>",
        "{{7*7}}{% raw %}",
        "a\r\nSet-Cookie: x=y",
        &"long ".repeat(500),
    ]
    .into_iter()
    .enumerate()
    {
        let id = host.publish(&format!("/{number}"), json!({"client_name": name}));
        let page = Browser::new(&client).log_in(&request(&id, &[])).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for bad in ["<script", "<img", "\u{202e}", "\u{2066}", "\u{200b}", "{{", "{%"] {
            assert!(!page.body.contains(bad), "{bad:?}: {}", page.body);
        }
        let (_, rest) = page.body.split_once("<bdi>").unwrap();
        let shown = unescape(rest.split_once("</bdi>").unwrap().0);
        assert!(shown.chars().count() <= 60 && !shown.contains('\n'), "{shown:?}");
    }
}

#[tokio::test]
async fn a_client_on_the_device_is_asked_for_each_time() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let browser = Browser::new(&client);
    let code = browser.allow(&request(&id, &[])).await["code"].clone();
    assert_eq!(client.post(&exchange(&id, &code)).await.status, 200);
    let page = browser.get(&format!("/authorize?{}", request(&id, &[]))).await;
    assert!(page.body.contains("value=\"allow\""), "{}", page.body);
}

#[tokio::test]
async fn a_changed_document_is_asked_for_again() {
    let host = Host::start().await;
    let changes = |name: &str| json!({"redirect_uris": [BACK], "client_name": name});
    let id = host.publish("/app", changes("One"));
    let (client, clock) = with_clock(&host).await;
    let browser = Browser::new(&client);
    let query = request(&id, &[("redirect_uri", BACK)]);
    let page = browser.log_in(&query).await;
    clock.advance(Duration::from_secs(1));
    let code = allowed(&browser, &page).await;
    assert_eq!(client.post(&exchange_at_back(&id, &code)).await.status, 200);
    let is_asked = async || browser.get(&format!("/authorize?{query}")).await.status == 200;
    assert!(!is_asked().await);
    // The same document, fetched again.
    clock.advance(Duration::from_secs(600));
    assert!(!is_asked().await);
    assert_eq!(host.asked(), 2);

    host.publish("/app", changes("Two"));
    clock.advance(Duration::from_secs(600));
    assert!(is_asked().await);
}

#[tokio::test]
async fn a_page_about_an_earlier_document_is_out_of_date() {
    let host = Host::start().await;
    let id = host.url("/app");
    let page_of = |name: &str| {
        let document = document(&id, json!({"client_name": name}));
        Page::json(document).header("cache-control", "max-age=60")
    };
    host.serve("/app", page_of("One"));
    let (client, clock) = with_clock(&host).await;
    let browser = Browser::new(&client);
    let page = browser.log_in(&request(&id, &[])).await;
    host.serve("/app", page_of("Two"));
    clock.advance(Duration::from_secs(61));
    let answer = browser.submit(&page, &[("decision", "allow")]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("out of date"), "{}", answer.body);
    let page = browser.get(&format!("/authorize?{}", request(&id, &[]))).await;
    assert!(page.body.contains("<bdi>Two</bdi>"), "{}", page.body);
}

/// Allows what the page asks for, and returns the code.
async fn allowed(browser: &Browser<'_>, page: &Answer) -> String {
    let answer = browser.submit(page, &[("decision", "allow")]).await;
    let (_, code) = answer.header("location").split_once("code=").unwrap();
    code.split('&').next().unwrap().to_owned()
}

fn exchange_at_back(id: &str, code: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&redirect_uri={BACK}&code_verifier={VERIFIER}&client_id={id}"
    )
}

/// The code is older than the new document, and the grant newer.
#[tokio::test]
async fn what_was_allowed_to_an_earlier_document_is_not_allowed_to_a_later_one() {
    let host = Host::start().await;
    let id = host.url("/app");
    let page_of = |name: &str| {
        let changes = json!({"redirect_uris": [BACK], "client_name": name});
        Page::json(document(&id, changes)).header("cache-control", "max-age=60")
    };
    host.serve("/app", page_of("One"));
    let (client, clock) = with_clock(&host).await;
    let browser = Browser::new(&client);
    let query = request(&id, &[("redirect_uri", BACK)]);
    let page = browser.log_in(&query).await;
    clock.advance(Duration::from_secs(30));
    let code = allowed(&browser, &page).await;
    host.serve("/app", page_of("Two"));
    clock.advance(Duration::from_secs(31));
    let is_asked = async || browser.get(&format!("/authorize?{query}")).await.status == 200;
    assert!(is_asked().await);
    clock.advance(Duration::from_secs(20));
    assert_eq!(client.post(&exchange_at_back(&id, &code)).await.status, 200);
    assert!(is_asked().await);
    // The earlier one is back.
    host.serve("/app", page_of("One"));
    clock.advance(Duration::from_secs(60));
    assert!(!is_asked().await);
}

#[tokio::test]
async fn without_a_change_nothing_is_asked_again_and_no_page_is_out_of_date() {
    let host = Host::start().await;
    let id = host.publish("/app", json!({"redirect_uris": [BACK]}));
    let (client, clock) = with_clock(&host).await;
    let browser = Browser::new(&client);
    let query = request(&id, &[("redirect_uri", BACK)]);
    let page = browser.log_in(&query).await;
    let forget = async || {
        clock.advance(Duration::from_secs(3 * 3600));
        client.store.remove_client_document(&id).await.unwrap();
    };
    forget().await;
    let code = allowed(&browser, &page).await;
    assert_eq!(client.post(&exchange_at_back(&id, &code)).await.status, 200);
    forget().await;
    assert_eq!(browser.get(&format!("/authorize?{query}")).await.status, 303);
}

/// Another client got the ID in between.
#[tokio::test]
async fn what_was_allowed_to_a_document_is_not_allowed_to_a_registered_client() {
    let host = Host::start().await;
    let id = host.publish("/app", json!({"redirect_uris": [BACK]}));
    let (client, _) = with_clock(&host).await;
    let browser = Browser::new(&client);
    let query = request(&id, &[("redirect_uri", BACK)]);
    let page = browser.log_in(&query).await;
    let code = allowed(&browser, &page).await;
    assert_eq!(client.post(&exchange_at_back(&id, &code)).await.status, 200);
    assert_eq!(browser.get(&format!("/authorize?{query}")).await.status, 303);
    register(&client, |other| {
        other.id.clone_from(&id);
        other.redirect_uris = vec![BACK.to_owned()];
    })
    .await;
    assert_eq!(browser.get(&format!("/authorize?{query}")).await.status, 200);
}
