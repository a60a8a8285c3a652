//! The refresh token grant (RFC 6749 section 6). Each use gives a successor.

use super::{TokenError, TokenResponse, check_may_use, issue, scopes, unavailable};
use crate::form::Form;
use crate::observe::client_name;
use crate::observe::meters::{self, Reuse};
use crate::store::{Client, GrantType, Rotation};
use crate::{Service, secret};

const INVALID: TokenError = TokenError::InvalidGrant(
    "the refresh token is unknown, expired, used or revoked, or it is not that of the client",
);

/// Rotates a refresh token. The scope and the resource may narrow the new access token, and not the successor.
pub(super) async fn refresh(
    service: &Service,
    form: &Form,
    client: &Client,
) -> Result<TokenResponse, TokenError> {
    let token = form.get("refresh_token");
    let token = token.ok_or(TokenError::InvalidRequest("refresh_token is missing"))?;
    check_may_use(client, GrantType::RefreshToken)?;

    // What is wrong with the request is found out first, so that it does not use the token up.
    let (store, hash) = (&service.store, secret::hash(token));
    let stored = store.refresh_token_and_grant(&hash).await.map_err(|error| unavailable(&error))?;
    let stored = stored.filter(|(_, grant)| grant.client_id == client.id);
    let (_, grant) = stored.ok_or(INVALID)?;
    let user = store.user(&grant.user).await.map_err(|error| unavailable(&error))?;
    let user = user.filter(|user| user.disabled_at.is_none()).ok_or(INVALID)?;
    let asked = form.get("scope");
    let scopes = scopes::still_granted(&service.settings, client, &user, &grant.scopes, asked)?;
    let audience = scopes::audience(service, &grant.resources, form.resources())?;

    let successor = service.successors.after(token);
    let new = issue::stored(service, &successor, &grant);
    let grace = service.settings.refresh_grace;
    let rotation = store.rotate(&hash, &new, grace, service.now()).await;
    match rotation.map_err(|error| unavailable(&error))? {
        Rotation::Successor => meters::rotated(),
        Rotation::Reused => {
            meters::reused(Reuse::RefreshToken);
            tracing::warn!(
                client = &*client_name::of(&client.id),
                "a refresh token was used again: all tokens of its grant are revoked"
            );
            return Err(INVALID);
        }
        Rotation::Invalid => return Err(INVALID),
    }
    issue::of_grant(service, &grant, &scopes, &audience, None, Some(successor))
}
