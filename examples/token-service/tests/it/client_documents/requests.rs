//! Where such a client is known, and where it is not.

use serde_json::json;
use token_service::Settings;
use token_service::store::{ClientAuthentication, Store};

use super::host::Host;
use super::{authorize, code, document, exchange, refresh, request, service, settings};
use crate::browser::Browser;
use crate::support::{Client, ISSUER, claims};

#[tokio::test]
async fn a_client_that_is_not_registered_gets_tokens() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let code = code(&client, &id).await;
    let answer = client.post(&exchange(&id, &code)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(claims(&answer.text("access_token"))["client_id"], id);

    let answer = client.post(&refresh(&id, &answer.text("refresh_token"))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (access, token) = (answer.text("access_token"), answer.text("refresh_token"));
    assert_eq!(claims(&access)["client_id"], id);
    let bearer = format!("Bearer {access}");
    assert_eq!(client.get_with("/protected", &bearer).await.status, 200);
    // One fetch was for all of this.
    assert_eq!(host.asked(), 1);

    let revocation = format!("token={token}&client_id={id}");
    assert_eq!(client.post_to("/revoke", &revocation, &[]).await.status, 200);
    client.post(&refresh(&id, &token)).await.assert_error(400, "invalid_grant");
    assert_eq!(client.get_with("/protected", &bearer).await.status, 401);
}

#[tokio::test]
async fn an_id_token_is_for_the_url() {
    let host = Host::start().await;
    let long = format!("/{}", "a".repeat(400));
    let client = service(&host).await;
    for path in ["/app", &long] {
        let id = host.publish(path, json!({}));
        let browser = Browser::new(&client);
        let parameters = browser.allow(&request(&id, &[("scope", "openid read")])).await;
        let answer = client.post(&exchange(&id, &parameters["code"])).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(claims(&answer.text("id_token"))["aud"], id);
    }
}

#[tokio::test]
async fn the_request_for_a_document_tells_nothing() {
    let host = Host::start().await;
    let id = host.publish_app();
    assert_eq!(authorize(&service(&host).await, &id).await.status, 200);
    let request = host.last();
    let mut names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("GET", "/app".to_owned()));
    assert_eq!(request.headers()["accept-encoding"], "identity");
}

#[tokio::test]
async fn only_a_listed_host_may_be_on_this_machine() {
    let host = Host::start().await;
    let id = host.publish_app();
    // The defaults, as in production.
    let client = Client::new().await;
    for id in [id.clone(), id.replace("127.0.0.1", "localhost"), id.replace("http:", "https:")] {
        let answer = authorize(&client, &id).await;
        assert_eq!(answer.status, 400, "{id}: {}", answer.body);
        client.post(&exchange(&id, "code")).await.assert_error(401, "invalid_client");
    }
    assert_eq!(host.asked(), 0);
    // Another port of the same machine is not listed.
    let other = Host::start().await;
    let id = other.publish_app();
    assert_eq!(authorize(&service(&host).await, &id).await.status, 400);
    assert_eq!(other.asked(), 0);
}

#[tokio::test]
async fn they_can_be_turned_off() {
    let host = Host::start().await;
    let id = host.publish_app();
    let mut settings = settings(&host);
    settings.client_documents = false;
    let client = Client::with(settings).await;
    let answer = authorize(&client, &id).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("The application is not registered here."), "{}", answer.body);
    client.post(&exchange(&id, "code")).await.assert_error(401, "invalid_client");
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn the_metadata_say_whether_they_are_on() {
    const MEMBER: &str = "client_id_metadata_document_supported";
    let on = Client::new().await;
    let mut settings = Settings::new(ISSUER);
    settings.client_documents = false;
    let off = Client::with(settings).await;
    for path in ["oauth-authorization-server", "openid-configuration"] {
        let path = format!("/.well-known/{path}");
        assert_eq!(on.get(&path).await.json()[MEMBER], true);
        assert!(off.get(&path).await.json()[MEMBER].is_null());
    }
}

#[tokio::test]
async fn nothing_else_than_an_authorization_is_granted() {
    let host = Host::start().await;
    let all = ["authorization_code", "refresh_token", "password", "client_credentials"];
    let id = host.publish("/app", json!({ "grant_types": all }));
    let client = service(&host).await;
    for form in [
        "grant_type=password&username=alice&password=wonderland",
        "username=alice&password=wonderland",
        "grant_type=client_credentials",
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        let answer = client.post(&format!("{form}&client_id={id}")).await;
        answer.assert_error(400, "unauthorized_client");
    }
    assert_eq!(host.asked(), 0);
    // Not even if the document is known.
    assert_eq!(authorize(&client, &id).await.status, 200);
    let form = format!("grant_type=password&username=alice&password=wonderland&client_id={id}");
    client.post(&form).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn a_client_may_not_introspect() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let form = format!("token=x&client_id={id}");
    client.post_to("/introspect", &form, &[]).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_code_and_a_refresh_token_are_those_of_one_url() {
    let host = Host::start().await;
    let (id, other) = (host.publish_app(), host.publish("/other", json!({})));
    let client = service(&host).await;
    let code = code(&client, &id).await;
    client.post(&exchange(&other, &code)).await.assert_error(400, "invalid_grant");
    client.post(&exchange("demo-public", &code)).await.assert_error(401, "invalid_client");
    let token = client.post(&exchange(&id, &code)).await.text("refresh_token");
    client.post(&refresh(&other, &token)).await.assert_error(400, "invalid_grant");
    let anonymous = format!("grant_type=refresh_token&refresh_token={token}");
    client.post(&anonymous).await.assert_error(400, "invalid_grant");
    let theirs = format!("token={token}&client_id={other}");
    client.post_to("/revoke", &theirs, &[]).await.assert_error(400, "invalid_grant");
    assert_eq!(client.post(&refresh(&id, &token)).await.status, 200);
}

#[tokio::test]
async fn pkce_is_required() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let query = request(&id, &[("code_challenge", "")]);
    let answer = client.get(&format!("/authorize?{query}")).await;
    assert!(answer.header("location").contains("error=invalid_request"), "{:?}", answer.headers);
}

#[tokio::test]
async fn a_registration_with_the_same_id_outranks_the_document() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let mut registered = client.store.client("demo").await.unwrap().unwrap();
    registered.id.clone_from(&id);
    registered.name = "Registered".to_owned();
    registered.authentication = ClientAuthentication::None;
    assert!(client.store.add_client(&registered).await.unwrap());
    let page = authorize(&client, &id).await;
    assert!(page.body.contains("Registered"), "{}", page.body);
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn a_logout_fetches_nothing() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let browser = Browser::new(&client);
    browser.allow(&request(&id, &[])).await;
    let asked = host.asked();
    let other = host.publish("/other", json!({}));
    for id in [&id, &other] {
        let page = browser.get(&format!("/logout?client_id={id}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let path = format!("/logout?client_id={id}&post_logout_redirect_uri=https://app.example");
        assert_eq!(browser.get(&path).await.status, 400);
    }
    assert_eq!(host.asked(), asked);
}

#[tokio::test]
async fn a_port_of_a_loopback_redirect_may_differ() {
    let host = Host::start().await;
    let id = host.publish(
        "/app",
        json!({"redirect_uris": ["http://127.0.0.1/back", "http://localhost/back"]}),
    );
    let client = service(&host).await;
    for (uri, status) in [
        ("http://127.0.0.1/back", 200),
        ("http://127.0.0.1:49152/back", 200),
        ("http://127.0.0.1:49152/other", 400),
        ("http://localhost/back", 200),
        ("http://localhost:49152/back", 200),
        ("http://localhost:49152/other", 400),
        ("https://127.0.0.1/back", 400),
    ] {
        let query = request(&id, &[("redirect_uri", uri)]);
        assert_eq!(client.get(&format!("/authorize?{query}")).await.status, status, "{uri}");
    }
}

#[tokio::test]
async fn an_id_of_another_form_is_refused_with_a_reason() {
    let host = Host::start().await;
    let client = service(&host).await;
    let at = host.url("");
    for id in [
        "https://app.example",
        "https://app.example/a/../b",
        "https://me@app.example/app",
        "https://APP.example/app",
        &at,
        &format!("{at}/./app"),
        &format!("{at}/app?{}", "x".repeat(600)),
    ] {
        let answer = authorize(&client, id).await;
        assert_eq!(answer.status, 400, "{id}");
        assert!(answer.body.contains("client_id"), "{}", answer.body);
        client.post(&exchange(id, "code")).await.assert_error(401, "invalid_client");
    }
    assert_eq!(host.asked(), 0);
    // A query is allowed. It is a part of the ID.
    let id = host.url("/app?v=1");
    host.serve("/app", super::host::Page::json(document(&id, json!({}))));
    assert_eq!(authorize(&client, &id).await.status, 200);
}
