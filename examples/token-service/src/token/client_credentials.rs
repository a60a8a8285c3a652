//! The client credentials grant (RFC 6749 section 4.4): a token for the client itself, and no refresh token.

use super::{TokenError, TokenResponse, check_may_use, issue, scopes, unavailable};
use crate::Service;
use crate::form::Form;
use crate::store::{Client, GrantType};

pub(super) async fn grant(
    service: &Service,
    form: &Form,
    client: &Client,
) -> Result<TokenResponse, TokenError> {
    check_may_use(client, GrantType::ClientCredentials)?;
    // A public client has not proven who it is.
    if client.is_public() {
        return Err(TokenError::UnauthorizedClient);
    }
    let resources = scopes::resources(service, form.resources())?;
    let scopes = scopes::of_client(&service.settings, client, form.get("scope"))?;
    // `sub` is the client's ID. It must not be taken for a user (RFC 9068 section 5).
    let user = service.store.user(&client.id).await.map_err(|error| unavailable(&error))?;
    if user.is_some() {
        tracing::error!(client = client.id, "a client has the name of a user, and gets no token");
        return Err(TokenError::UnauthorizedClient);
    }
    issue::of_client(service, client, &scopes, &resources)
}
