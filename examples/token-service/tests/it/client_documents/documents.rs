//! What a document must be like.

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use super::host::{Host, Page};
use super::{authorize, document, with_clock};
use crate::browser::CALLBACK;

/// The one response to every document that cannot be used.
const REFUSAL: &str = "not the address of a description of it that can be used";

/// What is wrong, and the page for an ID.
type Case = (String, Box<dyn Fn(&str) -> Page>);

/// Publishes each page at a URL of its own, and returns the status of an authorization request.
async fn statuses(pages: Vec<Case>, expected: u16) {
    let host = Host::start().await;
    let (client, clock) = with_clock(&host).await;
    for (number, (what, page)) in pages.into_iter().enumerate() {
        let path = format!("/client-{number}");
        let id = host.url(&path);
        host.serve(&path, page(&id));
        // So that no budget is used up.
        clock.advance(Duration::from_secs(60));
        let answer = authorize(&client, &id).await;
        assert_eq!(answer.status.as_u16(), expected, "{what}: {}", answer.body);
        if expected == 400 {
            assert!(answer.body.contains(REFUSAL), "{what}: {}", answer.body);
        }
        // Nothing else is fetched: no redirect, no logo.
        assert_eq!(host.asked(), number + 1, "{what}");
    }
}

fn changed(changes: Value) -> Case {
    let what = changes.to_string();
    (what, Box::new(move |id| Page::json(document(id, changes.clone()))))
}

fn served(what: &str, page: impl Fn(Page) -> Page + 'static) -> Case {
    (what.to_owned(), Box::new(move |id| page(Page::json(document(id, json!({}))))))
}

fn with_body(what: &str, body: impl Fn(&str) -> String + 'static) -> Case {
    (what.to_owned(), Box::new(move |id| Page::json(body(id))))
}

fn with_null(name: &'static str) -> Case {
    with_body(name, move |id| {
        document(id, json!({})).replacen('{', &format!("{{\"{name}\":null,"), 1)
    })
}

fn padded(id: &str, length: usize) -> String {
    let text = document(id, json!({}));
    let padding = " ".repeat(length - text.len());
    text + &padding
}

#[tokio::test]
async fn a_response_that_is_not_the_document_itself_is_refused() {
    let mut pages = Vec::new();
    for status in
        [201, 203, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 410, 429, 500, 503]
    {
        let location = "/client-0";
        pages.push(served(&status.to_string(), move |page| {
            page.status(status).header("location", location)
        }));
    }
    for media_type in [
        "text/html",
        "text/json",
        "application/javascript",
        "application/jsonp",
        "application/json-seq",
        "json",
        "",
        "application/json, text/html",
    ] {
        pages.push(served(media_type, move |page| page.header("content-type", media_type)));
    }
    pages.push(served("gzip", |page| page.header("content-encoding", "gzip")));
    pages.push(with_body("too long", |id| padded(id, 5 * 1024 + 1)));
    pages.push(with_body("far too long", |id| padded(id, 1024 * 1024)));
    statuses(pages, 400).await;
}

#[tokio::test]
async fn a_document_that_breaks_a_rule_is_refused() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let private = jwk_set(&key, |key| key["d"] = "secret".into());
    let public = jwk_set(&key, |_| {});
    let pages = vec![
        with_body("empty", |_| String::new()),
        with_body("null", |_| "null".to_owned()),
        with_body("no members", |_| "{}".to_owned()),
        with_body("a list", |id| format!("[{}]", document(id, json!({})))),
        with_body("cut off", |id| document(id, json!({})).trim_end_matches('}').to_owned()),
        with_body("more", |id| document(id, json!({})) + "{}"),
        with_body("nested", |id| {
            document(id, json!({"x": "y"}))
                .replace("\"y\"", &("[".repeat(2000) + &"]".repeat(2000)))
        }),
        with_body("twice", |id| document(id, json!({})).replacen('{', r#"{"client_id":"x","#, 1)),
        with_body("the secret twice", |id| {
            document(id, json!({"client_secret": "x"})).replacen(
                '{',
                r#"{"client_secret":null,"#,
                1,
            )
        }),
        with_body("a slash more", |id| document(&format!("{id}/"), json!({}))),
        with_body("a query more", |id| document(&format!("{id}?"), json!({}))),
        with_body("upper case", |id| document(&id.to_uppercase(), json!({}))),
        with_body("another host", |id| document(&id.replace("127.0.0.1", "localhost"), json!({}))),
        changed(json!({"client_id": null})),
        changed(json!({"client_id": 1})),
        changed(json!({"client_id": ["x"]})),
        changed(json!({"client_secret": "x"})),
        changed(json!({"client_secret": ""})),
        changed(json!({"client_secret_expires_at": 0})),
        changed(json!({"token_endpoint_auth_method": "client_secret_basic"})),
        changed(json!({"token_endpoint_auth_method": "client_secret_post"})),
        changed(json!({"token_endpoint_auth_method": "client_secret_jwt"})),
        changed(json!({"token_endpoint_auth_method": "tls_client_auth"})),
        changed(json!({"token_endpoint_auth_method": ""})),
        changed(json!({"token_endpoint_auth_method": "private_key_jwt"})),
        changed(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}})),
        changed(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": "x"})),
        changed(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": private})),
        changed(
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}}),
        ),
        changed(
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": public, "jwks_uri": "https://app.example/jwks"}),
        ),
        changed(
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"}),
        ),
        changed(
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "file:///etc/passwd"}),
        ),
        with_null("client_secret"),
        with_null("client_secret_expires_at"),
        changed(
            json!({"redirect_uris": ["https://app.example/caf\u{e9}", "https://b\u{fc}cher.example/"]}),
        ),
        changed(json!({"redirect_uris": null})),
        changed(json!({"redirect_uris": []})),
        changed(json!({"redirect_uris": CALLBACK})),
        changed(json!({"redirect_uris": ["http://app.example/back"]})),
        changed(
            json!({"redirect_uris": ["javascript:alert(1)", "data:text/html,x", "file:///x", "app:/back", "https://app.example/#x", "https://me@app.example/", "*", ""]}),
        ),
        changed(json!({"redirect_uris": [1]})),
        changed(json!({"response_types": []})),
        changed(json!({"response_types": ["token"]})),
        changed(json!({"scope": ["read"]})),
        changed(json!({"client_name": 1})),
    ];
    statuses(pages, 400).await;
}

#[tokio::test]
async fn a_document_with_more_or_less_than_needed_can_be_used() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let private = jwk_set(&key, |key| key["d"] = "secret".into());
    let pages = vec![
        served("a parameter", |page| {
            page.header("content-type", "Application/JSON; charset=utf-8")
        }),
        served("a profile", |page| page.header("content-type", "application/client+json")),
        with_body("the longest", |id| padded(id, 5 * 1024)),
        with_body("a mark", |id| format!("\u{feff}{}", document(id, json!({})))),
        changed(
            json!({"client_name": null, "grant_types": null, "token_endpoint_auth_method": null}),
        ),
        changed(
            json!({"response_types": ["token", "code"], "grant_types": ["authorization_code", "urn:x"]}),
        ),
        changed(json!({"redirect_uris": ["javascript:alert(1)", "http://app.example/", CALLBACK]})),
        // Without a proof, nobody looks at the keys.
        changed(json!({"jwks": private})),
        changed(json!({"jwks": "x", "token_endpoint_auth_method": null})),
        changed(json!({
            "client_uri": "http://127.0.0.1:1/", "logo_uri": "javascript:alert(1)", "policy_uri": 1, "tos_uri": "x",
            "contacts": ["x"], "software_id": "x", "jwks_uri": "file:///etc/passwd", "x": {"y": [null]},
        })),
    ];
    statuses(pages, 200).await;
}

#[tokio::test]
async fn what_the_document_does_not_have_the_client_may_not() {
    let host = Host::start().await;
    let (client, _) = with_clock(&host).await;
    let error = async |changes: Value, path: &str| {
        let id = host.publish(path, changes);
        let answer = authorize(&client, &id).await;
        answer.headers.get("location").map(|to| to.to_str().unwrap().to_owned())
    };
    let to = error(json!({"grant_types": ["refresh_token"]}), "/1").await.unwrap();
    assert!(to.contains("error=unauthorized_client"), "{to}");
    let to = error(json!({"scope": "write"}), "/2").await.unwrap();
    assert!(to.contains("error=invalid_scope"), "{to}");
    assert_eq!(error(json!({"scope": "read more"}), "/3").await, None);

    // Without the grant, there is no refresh token.
    let id = host.publish("/4", json!({"grant_types": ["authorization_code"]}));
    let code = super::code(&client, &id).await;
    let answer = client.post(&super::exchange(&id, &code)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json()["refresh_token"].is_null());
}

fn jwk_set(key: &SigningKey, change: impl Fn(&mut Value)) -> Value {
    let issuer = TokenIssuer::new("x", key.clone()).unwrap();
    let mut set: Value = serde_json::from_str(&issuer.jwk_set()).unwrap();
    change(&mut set["keys"][0]);
    set
}
