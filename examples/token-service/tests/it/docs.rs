//! The OpenAPI document and the page.

use serde_json::{Value, json};
use token_service::Settings;

use crate::support::{Client, ISSUER};

#[tokio::test]
async fn both_schemes_are_declared() {
    let document = Client::new().await.get("/openapi.json").await.json();
    let schemes = &document["components"]["securitySchemes"];
    let login = &schemes["OAuth2PasswordBearer"];
    assert_eq!(login["type"], "oauth2");
    assert_eq!(login["flows"]["password"]["tokenUrl"], "/token");
    let scopes = login["flows"]["password"]["scopes"].as_object().unwrap();
    assert_eq!(scopes.keys().collect::<Vec<_>>(), ["read", "write"]);
    let paste = &schemes["HTTPBearer"];
    assert_eq!((&paste["type"], &paste["scheme"]), (&json!("http"), &json!("bearer")));
    // The purpose of each field, and which fields may stay empty.
    assert!(login["description"].as_str().unwrap().contains("client fields stay empty"), "{login}");
    assert!(paste["description"].as_str().unwrap().contains("/secure"), "{paste}");

    let security = |path: &str| document["paths"][path]["get"]["security"].clone();
    assert_eq!(security("/protected"), json!([{"OAuth2PasswordBearer": []}]));
    assert_eq!(security("/user"), json!([{"OAuth2PasswordBearer": []}]));
    assert_eq!(security("/items"), json!([{"OAuth2PasswordBearer": ["read"]}]));
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
            "get /healthz [200]",
            "get /items [200, 400, 401, 403, 503]",
            "get /jwks.json [200, 304]",
            "get /protected [200, 400, 401, 503]",
            "get /readyz [200, 503]",
            "get /secure [200, 400, 401]",
            "get /user [200, 400, 401, 503]",
            "get /userinfo [200, 400, 401, 403, 503]",
            "post /introspect [200, 400, 401, 408, 413, 429, 503]",
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
    assert_eq!(tags, ["token", "routes", "metadata", "health"]);
    // In the text, because a parsed object has another order.
    assert_order(
        &answer.body,
        &[
            r#""/token":{"#,
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
