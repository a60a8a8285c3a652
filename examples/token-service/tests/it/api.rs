//! The routes behind the layer.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use token_service::Settings;

use crate::support::{Client, ISSUER};

const ROUTES: [&str; 4] = ["/protected", "/user", "/items", "/secure"];

#[tokio::test]
async fn a_good_token_opens_them() {
    let client = Client::new().await;
    let token = client.token().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let credentials = format!("{scheme} {token}");
        let answer = client.get_with("/protected", &credentials).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, r#"{"message":"Access granted","user":"alice"}"#);
        let answer = client.get_with("/user", &credentials).await;
        assert_eq!(answer.body, r#"{"username":"alice"}"#);
        let answer = client.get_with("/secure", &credentials).await;
        assert_eq!(answer.json()["message"], "Token received");
        assert_eq!(answer.json()["token"], token);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn items_need_the_scope_that_the_document_names() {
    let client = Client::new().await;
    let document = client.get("/openapi.json").await.json();
    let scopes = &document["paths"]["/items"]["get"]["security"][1]["OAuth2PasswordBearer"];
    assert_eq!(scopes.as_array().unwrap().len(), 1, "{document}");
    let named = scopes[0].as_str().unwrap();
    for scope in [named, "read write"] {
        let answer = client.get_with("/items", &client.bearer(scope).await).await;
        assert_eq!(answer.body, r#"[{"name":"a looking-glass","owner":"alice"}]"#);
    }
    let answer = client.get_with("/items", &client.bearer("write").await).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["error"], "insufficient_scope");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"token-service\""), "{challenge}");
    assert!(challenge.contains(&format!("scope=\"{named}\"")), "{challenge}");
    // The other routes ask for no scope.
    let answer = client.get_with("/protected", &client.bearer("write").await).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn secure_reads_any_bearer_token_and_verifies_none() {
    let answer = Client::new().await.get_with("/secure", "Bearer whatever").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, r#"{"message":"Token received","token":"whatever"}"#);
}

#[tokio::test]
async fn without_a_token_they_are_401() {
    let client = Client::new().await;
    for route in ROUTES {
        for answer in [client.get(route).await, client.get_with(route, "Basic YTpi").await] {
            assert_eq!(answer.status, 401, "{route}");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"token-service\"");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.json()["status"], 401);
        }
    }
}

#[tokio::test]
async fn malformed_credentials_are_400() {
    let client = Client::new().await;
    for route in ROUTES {
        for credentials in ["Bearer", "Bearer a b", "Bearer {}"] {
            let answer = client.get_with(route, credentials).await;
            assert_eq!(answer.status, 400, "{route} {credentials}");
            assert_eq!(answer.json()["error"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn an_expired_token_is_told_from_an_invalid_one() {
    let mut settings = Settings::new(ISSUER);
    settings.lifetime = Duration::from_secs(1);
    let client = Client::with(settings).await;
    let token = client.token().await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let of_another_service = Client::new().await.token().await;

    for route in ["/protected", "/user"] {
        let expired = client.get_with(route, &format!("Bearer {token}")).await;
        assert_eq!(expired.status, 401);
        assert_eq!(expired.json()["detail"], "the token has expired");
        assert_eq!(
            expired.header("www-authenticate"),
            "Bearer realm=\"token-service\", error=\"invalid_token\", \
             error_description=\"the token has expired\""
        );
        // The same issuer's name with another key; a changed signature; nonsense.
        let spoiled = format!("{token}A");
        for invalid in [of_another_service.as_str(), &spoiled, "nonsense", "a.b.c"] {
            let answer = client.get_with(route, &format!("Bearer {invalid}")).await;
            assert_eq!(answer.status, 401);
            assert_eq!(answer.json()["error"], "invalid_token");
            assert_ne!(answer.json()["detail"], expired.json()["detail"]);
        }
    }
}

#[tokio::test]
async fn other_methods_and_unknown_paths_are_no_matter_of_the_layer() {
    let client = Client::new().await;
    for route in ROUTES {
        let answer = client.send(Request::post(route).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405);
    }
    for path in ["/protected/", "/Protected", "/docs/none", "/users"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
}
