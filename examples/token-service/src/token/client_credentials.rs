//! The client credentials grant (RFC 6749 section 4.4): a token for the client itself, and no refresh token.

use super::{TokenError, TokenResponse, check_may_use, issue, scopes};
use crate::Service;
use crate::form::Form;
use crate::store::{Client, GrantType};

pub(super) fn grant(
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
    let audience = scopes::audience(service, &resources, &[])?;
    let scopes = scopes::of_client(&service.settings, client, form.get("scope"))?;
    // `sub` is the client's ID. The store has no user of that name (RFC 9068 section 5).
    issue::of_client(service, client, &scopes, &audience)
}
