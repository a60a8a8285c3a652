//! The metadata, and a process that uses it.

use serde_json::json;
use token_service::Settings;
use tower_jwt_auth::{Algorithm, JwkSet, JwtVerifier};

use crate::support::{Client, ISSUER};

const DOCUMENTS: [&str; 2] =
    ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

#[tokio::test]
async fn both_documents_name_the_issuer_and_endpoints_that_exist() {
    for issuer in [ISSUER, "https://issuer.example/", "https://issuer.example/realms/one"] {
        let client = Client::with(Settings::new(issuer)).await;
        let base = issuer.trim_end_matches('/');
        let host = base.split('/').take(3).collect::<Vec<_>>().join("/");
        for document in DOCUMENTS {
            let metadata = client.get(document).await.json();
            assert_eq!(metadata["issuer"], issuer);
            assert_eq!(metadata["token_endpoint"], format!("{base}/token"));
            assert_eq!(metadata["jwks_uri"], format!("{base}/jwks.json"));
            assert_eq!(metadata["revocation_endpoint"], format!("{base}/revoke"));
            assert_eq!(metadata["introspection_endpoint"], format!("{base}/introspect"));
            assert_eq!(metadata["userinfo_endpoint"], format!("{base}/userinfo"));
            assert_eq!(metadata["authorization_endpoint"], format!("{base}/authorize"));
            assert_eq!(metadata["end_session_endpoint"], format!("{base}/logout"));
            assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
            assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
            assert_eq!(metadata["response_types_supported"], json!(["code"]));
            assert_eq!(metadata["response_modes_supported"], json!(["query"]));
            for (name, value) in metadata.as_object().unwrap() {
                let Some(path) = value.as_str().and_then(|url| url.strip_prefix(&host)) else {
                    continue;
                };
                if name != "issuer" {
                    let status = client.get(path).await.status.as_u16();
                    // Without parameters `/authorize` is 400.
                    assert!(
                        [200, 303, 400, 401, 405].contains(&status),
                        "{name}: {path}: {status}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn both_documents_list_what_the_endpoints_accept() {
    let client = Client::new().await;
    for document in DOCUMENTS {
        let metadata = client.get(document).await.json();
        let grants =
            json!(["authorization_code", "client_credentials", "password", "refresh_token"]);
        assert_eq!(metadata["grant_types_supported"], grants);
        let scopes = json!(["read", "write", "openid", "profile", "offline_access"]);
        assert_eq!(metadata["scopes_supported"], scopes);
        let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
        for (endpoint, number) in [("token", 4), ("revocation", 4), ("introspection", 3)] {
            let listed = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
            assert_eq!(*listed, json!(methods[..number]), "{endpoint}");
            let algorithms =
                &metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
            let algorithms = algorithms.as_array().unwrap();
            assert!(algorithms.contains(&json!("ES256")) && algorithms.contains(&json!("RS256")));
            let is_asymmetric = |name: &serde_json::Value| {
                let name = name.as_str().unwrap();
                name != "none" && !name.starts_with("HS")
            };
            assert!(algorithms.iter().all(is_asymmetric), "{algorithms:?}");
        }
    }
    let openid = client.get(DOCUMENTS[0]).await.json();
    assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["ES256"]));
    assert_eq!(openid["subject_types_supported"], json!(["public"]));
}

#[tokio::test]
async fn the_openid_document_says_what_requests_may_have() {
    let metadata = Client::new().await.get(DOCUMENTS[0]).await.json();
    assert_eq!(metadata["subject_types_supported"], json!(["public"]));
    let prompts = json!(["none", "login", "consent", "select_account"]);
    assert_eq!(metadata["prompt_values_supported"], prompts);
    for name in ["request", "request_uri", "claims"] {
        assert_eq!(metadata[format!("{name}_parameter_supported")], json!(false));
    }
}

#[tokio::test]
async fn no_member_of_the_metadata_is_empty() {
    let client = Client::new().await;
    for document in DOCUMENTS {
        for (name, value) in client.get(document).await.json().as_object().unwrap() {
            let is_empty = *value == json!([]) || *value == json!("") || value.is_null();
            assert!(!is_empty, "{document}: {name}");
        }
    }
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_in_every_place() {
    let client = Client::with(Settings::new("https://issuer.example/realms/one")).await;
    for path in [
        // OpenID Connect Discovery, RFC 8414, and a proxy that removes the path.
        "/realms/one/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/realms/one",
        "/.well-known/openid-configuration",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["issuer"], "https://issuer.example/realms/one");
    }
}

#[tokio::test]
async fn the_key_set_verifies_the_tokens_and_holds_no_private_part() {
    let client = Client::new().await;
    let answer = client.get("/jwks.json").await;
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert!(answer.json()["keys"][0]["d"].is_null());

    let keys = JwkSet::from_json(&answer.body).unwrap();
    assert!(keys.skipped().is_empty());
    let verifier = JwtVerifier::new(ISSUER, ISSUER, keys).unwrap();
    let token = verifier.verify_now(&client.token().await).unwrap();
    assert_eq!(token.sub.as_deref(), Some("alice"));
    assert!(token.exp.is_some() && token.iat.is_some() && token.jti.is_some());
    assert_eq!(token.header().unwrap().algorithm(), Algorithm::ES256);
}

#[tokio::test]
async fn no_two_tokens_are_alike() {
    let client = Client::new().await;
    assert_ne!(client.token().await, client.token().await);
}

#[tokio::test]
async fn a_key_set_that_has_not_changed_is_304() {
    let client = Client::new().await;
    let answer = client.get("/jwks.json").await;
    assert!(answer.header("cache-control").starts_with("public, max-age="));
    let request =
        axum::http::Request::get("/jwks.json").header("if-none-match", answer.header("etag"));
    let again = client.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((again.status.as_u16(), &*again.body), (304, ""));
    assert_eq!(again.header("etag"), answer.header("etag"));
    assert_eq!(again.header("access-control-allow-origin"), "*");
}
