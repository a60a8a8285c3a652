//! The OpenAPI document and the page.

use serde_json::json;

use crate::support::Client;

#[tokio::test]
async fn both_schemes_are_declared() {
    let document = Client::new().get("/openapi.json").await.json();
    let schemes = &document["components"]["securitySchemes"];
    let login = &schemes["OAuth2PasswordBearer"];
    assert_eq!(login["type"], "oauth2");
    assert_eq!(login["flows"]["password"]["tokenUrl"], "/token");
    let scopes = login["flows"]["password"]["scopes"].as_object().unwrap();
    assert_eq!(scopes.keys().collect::<Vec<_>>(), ["read", "write"]);
    assert_eq!(
        schemes["HTTPBearer"],
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    );

    let security = |path: &str| document["paths"][path]["get"]["security"].clone();
    assert_eq!(security("/protected"), json!([{"OAuth2PasswordBearer": []}]));
    assert_eq!(security("/user"), json!([{"OAuth2PasswordBearer": []}]));
    assert_eq!(security("/secure"), json!([{"HTTPBearer": []}]));
}

/// The statuses that the tests of this folder provoke, and no others.
#[tokio::test]
async fn every_status_is_listed() {
    let document = Client::new().get("/openapi.json").await.json();
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
            "get /jwks.json [200]",
            "get /protected [200, 400, 401]",
            "get /secure [200, 400, 401]",
            "get /user [200, 400, 401]",
            "post /token [200, 400, 401, 413, 429, 503]",
        ]
    );
}

#[tokio::test]
async fn the_page_and_all_of_its_files_come_from_here() {
    let client = Client::new();
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
        // A browser that is told not to guess runs it by its type alone.
        let expected = if file.ends_with(".css") { "text/css" } else { "javascript" };
        assert!(answer.header("content-type").contains(expected), "{file}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        number += 1;
    }
    assert!(number >= 4, "{number}");
}

#[tokio::test]
async fn o5_the_document_warns_of_the_password_grant() {
    let document = Client::new().get("/openapi.json").await.json();
    for text in
        [&document["info"]["description"], &document["paths"]["/token"]["post"]["description"]]
    {
        assert!(text.as_str().unwrap().contains("RFC 9700"));
    }
}
