//! Clients by Client ID Metadata Documents: a host on loopback that publishes them, and the requests of such clients.

mod caching;
mod consent;
mod documents;
mod faults;
pub mod host;
mod known;
mod limits;
mod program;
mod requests;
mod targets;
mod tokens;

use serde_json::{Value, json};
use token_service::Settings;
use tower_jwt_auth::test_util::ManualClock;

use self::host::Host;
use crate::browser::{self, Browser, CALLBACK, VERIFIER};
use crate::support::{Answer, Client, ISSUER};

/// A service that knows the clients of this host.
async fn service(host: &Host) -> Client {
    Client::with(settings(host)).await
}

async fn with_clock(host: &Host) -> (Client, ManualClock) {
    Client::with_clock(settings(host)).await
}

fn settings(host: &Host) -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.dangerous_client_metadata_hosts = vec![host.authority()];
    settings
}

/// A document of the client at this URL, changed by these members; null removes one.
fn document(id: &str, changes: Value) -> String {
    let mut document = json!({
        "client_id": id,
        "client_name": "My app",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    });
    let members = document.as_object_mut().unwrap();
    let Value::Object(changes) = changes else { panic!("{changes}") };
    for (name, value) in changes {
        match value {
            Value::Null => members.remove(&name),
            value => members.insert(name, value),
        };
    }
    document.to_string()
}

/// An authorization request of the client with this ID.
pub fn request(id: &str, changes: &[(&str, &str)]) -> String {
    browser::request(&[&[("client_id", id)], changes].concat())
}

async fn authorize(client: &Client, id: &str) -> Answer {
    client.get(&format!("/authorize?{}", request(id, &[]))).await
}

/// Logs in, allows the client what it asks for, and returns the code.
async fn code(client: &Client, id: &str) -> String {
    let parameters = Browser::new(client).allow(&request(id, &[])).await;
    parameters["code"].clone()
}

/// The form that exchanges a code of the client with this ID.
fn exchange(id: &str, code: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}&client_id={id}"
    )
}

/// The form that uses a refresh token of the client with this ID.
fn refresh(id: &str, token: &str) -> String {
    format!("grant_type=refresh_token&refresh_token={token}&client_id={id}")
}
