//! The routes behind the layer, against tokens that were not issued.

use std::sync::Arc;

use tower_jwt_auth::test_util::{ProtectedRequests, check_protection};

use crate::support::Client;

/// Nothing else than the service can sign: these are the attacks without a valid signature, which use its public key.
#[tokio::test]
async fn routes_for_tokens_of_this_service_are_protected() {
    let client = Client::new().await;
    let token = client.token().await;
    let app = Arc::clone(&client.service).router().unwrap();
    let requests = ProtectedRequests::from_token(token)
        .with_public_key(client.get("/jwks.json").await.body)
        .without_signed_attacks("the key exists only inside of the service")
        .get("/protected")
        .get("/user")
        .get("/items")
        .open_get("/jwks.json")
        .open_get("/docs/");
    let report = check_protection(app, requests).await;
    assert!(report.findings().is_empty(), "{report}");
    assert!(report.sent() > 200, "{report}");
}

#[tokio::test]
async fn route_that_shows_any_token_lets_forged_ones_through() {
    let client = Client::new().await;
    let token = client.token().await;
    let app = Arc::clone(&client.service).router().unwrap();
    let report = check_protection(app, ProtectedRequests::from_token(token).get("/secure")).await;
    assert!(report.let_through().contains(&"alg: none"), "{report}");
    assert!(!report.let_through().contains(&"no token: no header"), "{report}");
}
