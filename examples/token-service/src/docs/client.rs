//! The public client of the page at `/docs`, which logs in by the authorization code grant.

use crate::Settings;
use crate::store::{Client, ClientAuthentication, GrantType, Store, StoreError};

/// The ID of the client.
pub const ID: &str = "docs";
/// The file of Swagger UI that gets the response, below the page.
const REDIRECT: &str = "/docs/oauth2-redirect.html";

/// Registers the client, if it is not yet, with the redirect URI below this issuer. A client with this ID that has a
/// secret or a key is somebody else's, and stays as it is.
pub(crate) async fn register(store: &dyn Store, settings: &Settings) -> Result<(), StoreError> {
    let client = of(settings);
    if store.add_client(&client).await? {
        return Ok(());
    }
    // The service may have got another URL since.
    let earlier = store.client(ID).await?;
    if earlier
        .is_some_and(|earlier| earlier.is_public() && earlier.redirect_uris != client.redirect_uris)
    {
        store.set_redirect_uris(ID, &client.redirect_uris).await?;
    }
    Ok(())
}

fn of(settings: &Settings) -> Client {
    Client {
        id: ID.to_owned(),
        name: "The docs page of this service".to_owned(),
        authentication: ClientAuthentication::None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        redirect_uris: vec![format!("{}{REDIRECT}", settings.issuer.trim_end_matches('/'))],
        post_logout_redirect_uris: Vec::new(),
        scopes: settings.scopes.iter().map(|(name, _)| name.clone()).collect(),
        created_at: settings.clock.now().unix_seconds(),
    }
}
