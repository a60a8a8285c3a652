//! The password grant (RFC 6749 section 4.3).

use std::net::IpAddr;
use std::sync::Arc;

use super::issue::{self, Granted};
use super::{TokenError, TokenResponse, check_may_use, scopes, unavailable};
use crate::Service;
use crate::form::Form;
use crate::login::LoginError;
use crate::store::{Client, GrantType};

/// Longer names and passwords are refused without a check.
const MAX_CREDENTIAL: usize = 1024;

/// `wrong` is the response to a wrong name or password.
pub(super) async fn grant(
    service: &Service,
    form: &Form,
    client: &Client,
    address: IpAddr,
    wrong: TokenError,
) -> Result<TokenResponse, TokenError> {
    check_may_use(client, GrantType::Password)?;
    let (name, password) = credentials(form)?;
    let resources = scopes::resources(service, form.resources())?;
    let audience = scopes::audience(service, &resources, &[])?;

    let login = Arc::clone(&service.login);
    let user = login.check(name.to_owned(), password.to_owned(), address).await;
    let user = user.map_err(|error| match error {
        LoginError::Wrong => wrong,
        LoginError::TooMany(wait) => TokenError::TooManyGuesses(wait),
        LoginError::Busy => TokenError::Unavailable,
        LoginError::Store(error) => unavailable(&error),
    })?;
    // After the login: without the password, nobody learns which scopes a user has.
    let scopes = scopes::from_user(&service.settings, client, &user, form.get("scope"))?;

    let authenticated_at = service.now();
    let granted = Granted {
        user: user.name.clone(),
        session_id: None,
        scopes,
        resources,
        authenticated_at,
        client_document: None,
    };
    let grant = issue::new_grant(service, client, granted);
    let refresh = issue::first_refresh_token(service, client, &grant);
    let stored = refresh.as_ref().map(|(_, stored)| stored);
    let is_added = service.store.add_grant(&grant, stored, &user.password_hash).await;
    if !is_added.map_err(|error| unavailable(&error))? {
        // Disabled, or with a new password, since the login.
        return Err(wrong);
    }
    let refresh = refresh.map(|(token, _)| token);
    issue::of_grant(service, &grant, &grant.scopes, &audience, None, refresh)
}

fn credentials(form: &Form) -> Result<(&str, &str), TokenError> {
    let name = form.get("username").ok_or(TokenError::InvalidRequest("username is missing"))?;
    let password = form.get("password").ok_or(TokenError::InvalidRequest("password is missing"))?;
    if name.len().max(password.len()) > MAX_CREDENTIAL {
        return Err(TokenError::InvalidRequest("username or password is too long"));
    }
    Ok((name, password))
}
