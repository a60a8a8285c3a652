//! The OpenAPI document and the page.

use std::sync::Arc;

use serde_json::{Value, json};
use token_service::store::{GrantType, SqlStore, Store};
use token_service::{Service, Settings};

use crate::browser::{Browser, request};
use crate::support::{Client, ISSUER};

#[tokio::test]
async fn each_way_to_log_in_is_declared() {
    let document = Client::new().await.get("/openapi.json").await.json();
    let schemes = &document["components"]["securitySchemes"];
    let login = &schemes["OAuth2PasswordBearer"];
    assert_eq!(login["type"], "oauth2");
    assert_eq!(login["flows"]["password"]["tokenUrl"], "/token");
    let scopes = login["flows"]["password"]["scopes"].as_object().unwrap();
    assert_eq!(scopes.keys().collect::<Vec<_>>(), ["read", "write"]);
    let page = &schemes["OAuth2AuthorizationCode"]["flows"]["authorizationCode"];
    assert_eq!(page["authorizationUrl"], "/authorize");
    assert_eq!(page["tokenUrl"], "/token");
    let scopes = page["scopes"].as_object().unwrap();
    let names = ["offline_access", "openid", "profile", "read", "write"];
    assert!(names.iter().all(|name| scopes.contains_key(*name)) && scopes.len() == 5, "{scopes:?}");
    let paste = &schemes["HTTPBearer"];
    assert_eq!((&paste["type"], &paste["scheme"]), (&json!("http"), &json!("bearer")));
    // The purpose of each field, and which fields may stay empty.
    assert!(login["description"].as_str().unwrap().contains("client fields stay empty"), "{login}");
    assert!(paste["description"].as_str().unwrap().contains("/secure"), "{paste}");

    let security = |path: &str| document["paths"][path]["get"]["security"].clone();
    let either = |scopes: Value| json!([{"OAuth2AuthorizationCode": scopes.clone()}, {"OAuth2PasswordBearer": scopes}]);
    assert_eq!(security("/protected"), either(json!([])));
    assert_eq!(security("/user"), either(json!([])));
    assert_eq!(security("/items"), either(json!(["read"])));
    assert_eq!(security("/secure"), json!([{"HTTPBearer": []}]));
}

/// The statuses that the tests of this folder provoke, and no others.
#[tokio::test]
async fn every_status_is_listed() {
    let document = Client::new().await.get("/openapi.json").await.json();
    let mut listed = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
            listed.push(format!("{method} {path} {statuses:?}").replace('"', ""));
        }
    }
    listed.sort();
    assert_eq!(
        listed,
        [
            "get /.well-known/oauth-authorization-server [200]",
            "get /.well-known/openid-configuration [200]",
            "get /authorize [200, 303, 400, 429, 503]",
            "get /consent [303, 429]",
            "get /healthz [200]",
            "get /items [200, 400, 401, 403, 429, 503]",
            "get /jwks.json [200, 304]",
            "get /login [303, 429]",
            "get /logout [200, 303, 400, 429, 503]",
            "get /protected [200, 400, 401, 429, 503]",
            "get /readyz [200, 503]",
            "get /secure [200, 400, 401, 429]",
            "get /user [200, 400, 401, 429, 503]",
            "get /userinfo [200, 400, 401, 403, 429, 503]",
            "post /authorize [303, 400, 408, 413, 429, 503]",
            "post /consent [303, 400, 408, 413, 429, 503]",
            "post /introspect [200, 400, 401, 408, 413, 429, 503]",
            "post /login [303, 400, 403, 408, 413, 429, 503]",
            "post /logout [200, 303, 400, 408, 413, 429, 503]",
            "post /revoke [200, 400, 401, 408, 413, 429, 503]",
            "post /token [200, 400, 401, 408, 413, 429, 503]",
            "post /userinfo [200, 400, 401, 403, 408, 413, 429, 503]",
        ]
    );
}

#[tokio::test]
async fn the_page_and_all_of_its_files_come_from_here() {
    let client = Client::new().await;
    let answer = client.get("/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/docs/"));
    let page = client.get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("content-security-policy"), "frame-ancestors 'none'");
    assert_eq!(page.header("x-frame-options"), "DENY");

    let files = page.body.split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css"));
    let mut number = 0;
    for file in files {
        assert!(!file.contains("//"), "{file}");
        let answer = client.get(&format!("/docs/{}", file.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{file}");
        // With `nosniff`, a browser runs it by its type alone.
        let expected = if file.ends_with(".css") { "text/css" } else { "javascript" };
        assert!(answer.header("content-type").contains(expected), "{file}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        number += 1;
    }
    assert!(number >= 4, "{number}");
    // A phone shows the page at the width of its screen.
    assert!(page.body.contains(r#"name="viewport" content="width=device-width"#));
    assert_eq!(client.get("/docs/no-such-file.js").await.status, 404);
}

#[tokio::test]
async fn the_root_leads_to_the_page() {
    for issuer in [ISSUER, "http://issuer.example/docs"] {
        let answer = Client::with(Settings::new(issuer)).await.get("/").await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/docs/"));
    }
    // It is not part of the API.
    assert!(Client::new().await.get("/openapi.json").await.json()["paths"]["/"].is_null());
}

/// Asserts that the texts occur in this order.
#[track_caller]
fn assert_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part} is missing or not in the order of {parts:?}");
        };
        rest = after;
    }
}

#[tokio::test]
async fn the_document_begins_with_the_token_and_ends_with_the_health() {
    let answer = Client::new().await.get("/openapi.json").await;
    let json = answer.json();
    let tags: Vec<_> = json["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    assert_eq!(tags, ["token", "pages", "routes", "metadata", "health"]);
    // In the text, because a parsed object has another order.
    assert_order(
        &answer.body,
        &[
            r#""/token":{"#,
            r#""/authorize":{"#,
            r#""/login":{"#,
            r#""/consent":{"#,
            r#""/logout":{"#,
            r#""/protected":{"#,
            r#""/user":{"#,
            r#""/secure":{"#,
            r#""/.well-known/oauth-authorization-server":{"#,
            r#""/.well-known/openid-configuration":{"#,
            r#""/jwks.json":{"#,
        ],
    );
    assert_order(
        &answer.body,
        &[r#""TokenRequest":{"#, r#""grant_type":{"#, r#""username":{"#, r#""password":{"#],
    );
}

#[tokio::test]
async fn an_example_of_a_refusal_has_the_status_it_is_an_example_of() {
    let document = Client::new().await.get("/openapi.json").await.json();
    let mut number = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let problem = &response["content"]["application/problem+json"];
                let Some(schema) = problem["schema"]["$ref"].as_str() else { continue };
                assert_eq!(schema, "#/components/schemas/Problem");
                let schema = &document["components"]["schemas"]["Problem"];
                let example = match &problem["example"] {
                    Value::Null => &schema["properties"]["status"]["example"],
                    example => &example["status"],
                };
                assert_eq!(example.to_string(), *status, "{path}");
                number += 1;
            }
        }
    }
    assert_eq!(number, 20);
}

#[tokio::test]
async fn the_document_warns_of_the_password_grant() {
    let document = Client::new().await.get("/openapi.json").await.json();
    for text in
        [&document["info"]["description"], &document["paths"]["/token"]["post"]["description"]]
    {
        assert!(text.as_str().unwrap().contains("RFC 9700"));
    }
}

#[tokio::test]
async fn the_page_has_a_public_client_with_the_address_of_this_issuer() {
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    for issuer in [ISSUER, ISSUER, "https://issuer.example/realms/one"] {
        Service::new(Settings::new(issuer), store.clone()).await.unwrap();
        let client = store.client("docs").await.unwrap().unwrap();
        assert!(client.is_public() && client.may_use(GrantType::AuthorizationCode));
        assert_eq!(client.redirect_uris, [format!("{issuer}/docs/oauth2-redirect.html")]);
        assert_eq!(client.scopes, ["read", "write"]);
    }
    assert_eq!(store.clients().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_confidential_client_with_the_name_of_the_page_is_left_alone() {
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let mut own = Client::new().await.store.client("demo").await.unwrap().unwrap();
    own.id = "docs".to_owned();
    assert!(store.add_client(&own).await.unwrap());
    Service::new(Settings::new(ISSUER), store.clone()).await.unwrap();
    let client = store.client("docs").await.unwrap().unwrap();
    assert!(!client.is_public());
    assert_eq!(client.redirect_uris, own.redirect_uris);
}

#[tokio::test]
async fn the_page_gets_its_code_by_a_file_of_its_own() {
    let client = Client::new().await;
    let file = client.get("/docs/oauth2-redirect.html").await;
    assert_eq!(file.status, 200);
    assert!(file.header("content-type").starts_with("text/html"));
    assert!(file.body.contains("oauth2-redirect.js"));
    assert_eq!(client.get("/docs/oauth2-redirect.js").await.status, 200);

    let uri = format!("{ISSUER}/docs/oauth2-redirect.html");
    let query = request(&[("client_id", "docs"), ("redirect_uri", &uri)]);
    let browser = Browser::new(&client);
    let page = browser.log_in(&query).await;
    assert!(page.body.contains("The docs page of this service"), "{}", page.body);
    let answer = browser.submit(&page, &[("decision", "allow")]).await;
    assert!(answer.header("location").starts_with(&format!("{uri}?code=")));
}
