//! The grants at `POST /token`, each in its own file.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use token_service::store::{
    Client as Registered, ClientAuthentication, Code, GrantType, Session, Store,
};
use token_service::{demo, secret};

use crate::support::{Answer, Client, NOW};

/// A verifier of RFC 7636.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const BACK: &str = "https://app.example/back";

/// Registers a client with the redirect URI [`BACK`].
pub async fn register(
    client: &Client,
    id: &str,
    authentication: ClientAuthentication,
    grant_types: &[GrantType],
) {
    let registered = Registered {
        id: id.to_owned(),
        name: id.to_owned(),
        authentication,
        grant_types: grant_types.to_vec(),
        redirect_uris: vec![BACK.to_owned()],
        post_logout_redirect_uris: Vec::new(),
        scopes: vec!["read".to_owned()],
        created_at: NOW,
    };
    assert!(client.store.add_client(&registered).await.unwrap());
}

/// Registers the public client `app` with every grant.
pub async fn register_app(client: &Client) {
    register(client, "app", ClientAuthentication::None, &GrantType::ALL).await;
}

/// A code of alice for the demo client, which the test may change before it is stored.
pub async fn code(client: &Client, change: impl FnOnce(&mut Code)) -> String {
    let code = secret::random();
    let mut stored = Code {
        code_hash: secret::hash(&code),
        client_id: demo::CLIENT.to_owned(),
        user: demo::USER.to_owned(),
        session_id: Some("session-1".to_owned()),
        redirect_uri: BACK.to_owned(),
        code_challenge: secret::hash(VERIFIER),
        scopes: ["openid", "read", "write"].map(str::to_owned).into(),
        resources: Vec::new(),
        nonce: Some("a nonce".to_owned()),
        authenticated_at: NOW - 100,
        expires_at: NOW + 60,
        grant_id: None,
        client_document: None,
    };
    change(&mut stored);
    if let Some(id) = &stored.session_id
        && client.store.session(id, NOW).await.unwrap().is_none()
    {
        let user = client.store.user(demo::USER).await.unwrap().unwrap();
        let session = Session {
            cookie_hash: id.clone(),
            id: id.clone(),
            user: user.name,
            authenticated_at: stored.authenticated_at,
            expires_at: NOW + 8 * 3600,
        };
        assert!(client.store.add_session(&session, &user.password_hash).await.unwrap());
    }
    assert!(client.store.add_code(&stored).await.unwrap());
    code
}

/// The form that exchanges a code.
pub fn exchange(code: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&redirect_uri={BACK}&code_verifier={VERIFIER}"
    )
}

/// The form that uses a refresh token.
pub fn refresh(token: &str) -> String {
    format!("grant_type=refresh_token&refresh_token={token}")
}

pub fn refresh_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.text("refresh_token")
}
