//! The public client of the page at `/docs`, which logs in by the authorization code grant.
//!
//! It is not in the store: it follows from the settings, so it is right after each start.

use crate::Settings;
use crate::access_tokens::DOCS_CLIENT;
use crate::store::{Client, ClientAuthentication, GrantType, Store, StoreError};

/// The file of Swagger UI that gets the response, below the page.
const REDIRECT: &str = "/docs/oauth2-redirect.html";
/// The names of the loopback interface.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The client. `None` if the page is off, or a user or a client of the store has the name from a time when it was free:
/// that one stays as it is.
pub(crate) async fn of(
    store: &dyn Store,
    settings: &Settings,
) -> Result<Option<Client>, StoreError> {
    if !settings.docs {
        return Ok(None);
    }
    let is_taken =
        store.client(DOCS_CLIENT).await?.is_some() || store.user(DOCS_CLIENT).await?.is_some();
    if is_taken {
        tracing::warn!(
            name = DOCS_CLIENT,
            "the page at /docs has no client for its login: a user or a client has its name"
        );
        return Ok(None);
    }
    Ok(Some(Client {
        id: DOCS_CLIENT.to_owned(),
        name: "The docs page of this service".to_owned(),
        authentication: ClientAuthentication::None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        redirect_uris: redirect_uris(settings),
        post_logout_redirect_uris: Vec::new(),
        scopes: settings.scopes.iter().map(|(name, _)| name.clone()).collect(),
        created_at: 0,
    }))
}

/// Where the page gets the response: below the issuer first. If that is on a loopback address, then also below its other
/// names, since people open `localhost` too.
pub(super) fn redirect_uris(settings: &Settings) -> Vec<String> {
    let issuer = settings.issuer.trim_end_matches('/');
    let mut uris = vec![format!("{issuer}{REDIRECT}")];
    if let Some((host, rest)) = LOOPBACK.iter().find_map(|host| {
        let rest = issuer.strip_prefix("http://")?.strip_prefix(host)?;
        (rest.is_empty() || rest.starts_with([':', '/'])).then_some((host, rest))
    }) {
        let others = LOOPBACK.iter().filter(|other| *other != host);
        uris.extend(others.map(|other| format!("http://{other}{rest}{REDIRECT}")));
    }
    uris
}
