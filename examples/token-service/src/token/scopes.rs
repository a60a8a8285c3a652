//! Which scopes and resources a token gets.

use super::TokenError;
use crate::store::{Client, User};
use crate::{Service, Settings};

/// The scopes of OpenID Connect, each with its meaning. Every client may ask for them, and every user may grant them:
/// they are about the user's own identity. `offline_access` changes nothing, because a client that may use refresh tokens always gets one.
pub(crate) const IDENTITY: [(&str, &str); 3] = [
    ("openid", "know who you are"),
    ("profile", "see your name"),
    ("offline_access", "keep its access while you are away"),
];

/// Whether it is a scope of OpenID Connect.
pub(crate) fn is_identity(scope: &str) -> bool {
    IDENTITY.iter().any(|(name, _)| *name == scope)
}

/// Whether the service has the scope and the client may have it.
fn is_for_client(settings: &Settings, client: &Client, scope: &str) -> bool {
    settings.scopes.iter().any(|(name, _)| name == scope)
        && client.scopes.iter().any(|allowed| allowed == scope)
}

/// Whether the client may have the scope from this user.
fn is_for_user(settings: &Settings, client: &Client, user: &User, scope: &str) -> bool {
    is_identity(scope)
        || is_for_client(settings, client, scope)
            && user.scopes.iter().any(|allowed| allowed == scope)
}

/// The requested scopes, if the client may have all of them from this user. Default: the least powerful scope.
pub(super) fn from_user(
    settings: &Settings,
    client: &Client,
    user: &User,
    asked: Option<&str>,
) -> Result<Vec<String>, TokenError> {
    let is_allowed = |scope: &str| is_for_user(settings, client, user, scope);
    match asked {
        Some(asked) => requested(asked, is_allowed),
        None => {
            Ok(user.scopes.iter().find(|scope| is_allowed(scope)).cloned().into_iter().collect())
        }
    }
}

/// The requested scopes, if the client may have all of them for itself. Default: all that it is registered with.
pub(super) fn of_client(
    settings: &Settings,
    client: &Client,
    asked: Option<&str>,
) -> Result<Vec<String>, TokenError> {
    let is_allowed = |scope: &str| is_for_client(settings, client, scope);
    match asked {
        Some(asked) => requested(asked, is_allowed),
        None => Ok(client.scopes.iter().filter(|scope| is_allowed(scope)).cloned().collect()),
    }
}

/// The requested scopes, if all of them were granted. Default: all that were granted. Without those that the user or the
/// client no longer has.
pub(super) fn still_granted(
    settings: &Settings,
    client: &Client,
    user: &User,
    granted: &[String],
    asked: Option<&str>,
) -> Result<Vec<String>, TokenError> {
    let is_allowed = |scope: &str| {
        is_for_user(settings, client, user, scope) && granted.iter().any(|one| one == scope)
    };
    match asked {
        Some(asked) => requested(asked, is_allowed),
        None => Ok(granted.iter().filter(|scope| is_allowed(scope)).cloned().collect()),
    }
}

/// The scopes without duplicates, if each is allowed.
fn requested(asked: &str, is_allowed: impl Fn(&str) -> bool) -> Result<Vec<String>, TokenError> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked.split(' ') {
        if !is_allowed(scope) {
            return Err(TokenError::InvalidScope);
        }
        if !scopes.iter().any(|one| one == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

/// The requested resources (RFC 8707) without duplicates, if tokens can be asked for all of them. Empty if none is asked
/// for: then the audience is the issuer at the time of each token.
pub(super) fn resources(service: &Service, asked: &[String]) -> Result<Vec<String>, TokenError> {
    distinct(asked, |resource| service.is_audience(resource))
}

/// The audience of a token: the requested resources, if all of them were granted, or else all that were granted. Without
/// those that this service no longer issues tokens for; at least one must be left.
pub(super) fn audience(
    service: &Service,
    granted: &[String],
    asked: &[String],
) -> Result<Vec<String>, TokenError> {
    let issuer = [service.issuer().to_owned()];
    let granted = if granted.is_empty() { &issuer } else { granted };
    let is_allowed =
        |resource: &String| granted.contains(resource) && service.is_audience(resource);
    let audience: Vec<String> = match asked {
        [] => granted.iter().filter(|resource| is_allowed(resource)).cloned().collect(),
        asked => distinct(asked, is_allowed)?,
    };
    if audience.is_empty() {
        return Err(TokenError::InvalidTarget);
    }
    Ok(audience)
}

/// The resources without duplicates, if each is allowed.
fn distinct(
    asked: &[String],
    is_allowed: impl Fn(&String) -> bool,
) -> Result<Vec<String>, TokenError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in asked {
        if !is_allowed(resource) {
            return Err(TokenError::InvalidTarget);
        }
        if !resources.contains(resource) {
            resources.push(resource.clone());
        }
    }
    Ok(resources)
}
