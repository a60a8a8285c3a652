//! The OpenAPI document and the page.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Connection;
use token_service::Settings;
use token_service::store::{SqlStore, Store, User};

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
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "docs/"));
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
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "docs/"));
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
async fn the_client_of_the_page_follows_the_settings_and_is_not_stored() {
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let mut changed = Settings::new("https://issuer.example/realms/one");
    changed.scopes = vec![("admin".to_owned(), "do everything".to_owned())];
    for (settings, scope) in [(Settings::new(ISSUER), "read"), (changed, "admin")] {
        let uri = format!("{}/docs/oauth2-redirect.html", settings.issuer);
        let client = Client::over(settings, store.clone(), store.clone(), String::new()).await;
        let query = request(&[
            ("client_id", "token-service-docs"),
            ("redirect_uri", &uri),
            ("scope", scope),
        ]);
        let page = client.get(&format!("/authorize?{query}")).await;
        assert!(page.body.contains("type=\"password\""), "{}", page.body);
        assert!(page.body.contains("The docs page of this service"));
    }
    assert!(store.clients().await.unwrap().is_empty());
}

/// The ID was free before there was such a client.
#[tokio::test]
async fn a_client_or_a_user_with_the_name_of_the_page_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("store.db").display());
    for (table, column) in [("clients", "id"), ("users", "name")] {
        let store = Arc::new(SqlStore::open(&url).await.unwrap());
        let demo = Client::new().await.store;
        let alice = demo.user("alice").await.unwrap().unwrap();
        store.add_user(&User { name: "old".to_owned(), ..alice }).await.unwrap();
        let mut own = demo.client("demo").await.unwrap().unwrap();
        own.id = "older".to_owned();
        store.add_client(&own).await.unwrap();
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let rename = sqlx::AssertSqlSafe(format!(
            "DELETE FROM clients WHERE id = 'token-service-docs'; \
             UPDATE {table} SET {column} = 'token-service-docs'"
        ));
        sqlx::raw_sql(rename).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();

        let client =
            Client::over(Settings::new(ISSUER), store.clone(), store.clone(), String::new()).await;
        let uri = format!("{ISSUER}/docs/oauth2-redirect.html");
        let query = request(&[("client_id", "token-service-docs"), ("redirect_uri", &uri)]);
        let page = client.get(&format!("/authorize?{query}")).await;
        assert!(!page.body.contains("The docs page of this service"), "{}", page.body);
        assert_eq!(page.status, if table == "clients" { 200 } else { 400 });
        let kept = store.client("token-service-docs").await.unwrap();
        assert_eq!(kept.map(|kept| kept.name), (table == "clients").then(|| own.name.clone()));
    }
}

#[tokio::test]
async fn the_page_and_its_client_can_be_turned_off() {
    let mut settings = Settings::new(ISSUER);
    settings.docs = false;
    let client = Client::with(settings).await;
    for path in ["/", "/docs", "/docs/", "/docs/page.js", "/docs/oauth2-redirect.html"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
    assert_eq!(client.get("/openapi.json").await.status, 200);
    let uri = format!("{ISSUER}/docs/oauth2-redirect.html");
    let query = request(&[("client_id", "token-service-docs"), ("redirect_uri", &uri)]);
    assert_eq!(client.get(&format!("/authorize?{query}")).await.status, 400);
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
    let query = request(&[("client_id", "token-service-docs"), ("redirect_uri", &uri)]);
    let browser = Browser::new(&client);
    let page = browser.log_in(&query).await;
    assert!(page.body.contains("The docs page of this service"), "{}", page.body);
    let answer = browser.submit(&page, &[("decision", "allow")]).await;
    assert!(answer.header("location").starts_with(&format!("{uri}?code=")));
}

#[tokio::test]
async fn below_a_path_the_page_finds_its_document_and_its_endpoints() {
    let client = Client::with(Settings::new("https://issuer.example/realms/one")).await;
    // Relative to `/realms/one/docs`, it is the page below the path.
    let answer = client.get("/realms/one/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "docs/"));
    let page = client.get("/realms/one/docs/").await.body;
    let uri = "https://issuer.example/realms/one/docs/oauth2-redirect.html";
    assert!(page.contains(&format!("name=\"redirect-uris\" content=\"{uri}\"")), "{page}");
    let script = client.get("/realms/one/docs/page.js").await.body;
    assert!(script.contains("url: '../openapi.json'"), "{script}");

    let document = client.get("/realms/one/openapi.json").await.json();
    assert_eq!(document["servers"], json!([{"url": "/realms/one"}]));
    let schemes = &document["components"]["securitySchemes"];
    let code = &schemes["OAuth2AuthorizationCode"]["flows"]["authorizationCode"];
    let password = &schemes["OAuth2PasswordBearer"]["flows"]["password"];
    assert_eq!(code["authorizationUrl"], "/realms/one/authorize");
    for flow in [code, password] {
        assert_eq!(flow["tokenUrl"], "/realms/one/token");
    }
    // Without a path, there is nothing to say.
    assert!(Client::new().await.get("/openapi.json").await.json()["servers"].is_null());
}

#[tokio::test]
async fn the_page_of_a_loopback_issuer_logs_in_under_each_of_its_names() {
    let client = Client::new().await;
    let names = ["127.0.0.1", "localhost", "[::1]"];
    let uris = names.map(|name| format!("http://{name}:8000/docs/oauth2-redirect.html"));
    let page = client.get("/docs/").await.body;
    assert!(page.contains(&format!("content=\"{}\"", uris.join(" "))), "{page}");
    for (uri, status) in uris
        .iter()
        .map(|uri| (uri.as_str(), 200))
        .chain([("http://localhost.example:8000/docs/oauth2-redirect.html", 400)])
    {
        let query = request(&[("client_id", "token-service-docs"), ("redirect_uri", uri)]);
        assert_eq!(client.get(&format!("/authorize?{query}")).await.status, status, "{uri}");
    }
}
