//! What `--demo` starts with: a user and a client.

use crate::Settings;
use crate::passwords;
use crate::secret;
use crate::store::{Client, ClientAuthentication, GrantType, SqlStore, Store, StoreError, User};

/// The user of `--demo`.
pub const USER: &str = "alice";
/// The demo user's password.
pub const PASSWORD: &str = "wonderland";
/// The client of `--demo`, which may use every grant.
pub const CLIENT: &str = "demo";
/// Where the demo client may be sent back to: any port of the loopback interface, and the page at `/docs`.
const REDIRECT_URIS: [&str; 2] = ["http://127.0.0.1/callback", "http://localhost/callback"];

/// A store in memory with both, and the client's secret, which is new each time. Both may have every scope of the service.
///
/// # Errors
///
/// If the system has no memory for it.
pub async fn store(settings: &Settings) -> Result<(SqlStore, String), StoreError> {
    let now = settings.clock.now().unix_seconds();
    let store = SqlStore::in_memory().await?;
    let password_hash = passwords::hash(PASSWORD)
        .map_err(|error| StoreError::new("the password cannot be hashed").with_source(error))?;
    let scopes: Vec<String> = settings.scopes.iter().map(|(scope, _)| scope.clone()).collect();
    let user = User {
        name: USER.to_owned(),
        password_hash,
        scopes: scopes.clone(),
        created_at: now,
        disabled_at: None,
    };
    store.add_user(&user).await?;

    let secret = secret::random();
    let redirect_uris = REDIRECT_URIS.map(str::to_owned).into_iter();
    let docs = format!("{}/docs/oauth2-redirect.html", settings.issuer.trim_end_matches('/'));
    let client = Client {
        id: CLIENT.to_owned(),
        name: "Demo client".to_owned(),
        authentication: ClientAuthentication::Secret { hash: secret::hash(&secret) },
        grant_types: GrantType::ALL.into(),
        redirect_uris: redirect_uris.chain([docs]).collect(),
        post_logout_redirect_uris: vec![settings.issuer.clone()],
        scopes,
        created_at: now,
    };
    store.add_client(&client).await?;
    Ok((store, secret))
}
