//! The grant, and the tokens that come of it.

use std::time::Duration;

use tower_jwt_auth::IssueError;

use super::{TokenError, TokenResponse};
use crate::access_tokens::{self, Claims};
use crate::store::{Client, Grant, GrantType, NewRefreshToken, Seconds, seconds};
use crate::{Service, id_tokens, secret};

/// What a user grants to a client.
pub(super) struct Granted {
    pub(super) user: String,
    pub(super) session_id: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) authenticated_at: Seconds,
    /// The hash of the client's document, if the client is not registered.
    pub(super) client_document: Option<String>,
}

/// A grant that lasts from now on.
pub(super) fn new_grant(service: &Service, client: &Client, granted: Granted) -> Grant {
    let now = service.now();
    let settings = &service.settings;
    let Granted { user, session_id, scopes, resources, authenticated_at, client_document } =
        granted;
    Grant {
        id: secret::random_id(),
        client_id: client.id.clone(),
        user,
        session_id,
        scopes,
        resources,
        authenticated_at,
        created_at: now,
        // Its access tokens do not outlive it.
        expires_at: now.saturating_add(seconds(settings.grant_lifetime.max(settings.lifetime))),
        revoked_at: None,
        client_document,
    }
}

/// The first refresh token of a grant, if its client may use one: the text, and what is stored.
pub(super) fn first_refresh_token(
    service: &Service,
    client: &Client,
    grant: &Grant,
) -> Option<(String, NewRefreshToken)> {
    client.may_use(GrantType::RefreshToken).then(|| {
        let token = secret::random();
        let stored = stored(service, &token, grant);
        (token, stored)
    })
}

/// What is stored of a refresh token of this grant.
pub(super) fn stored(service: &Service, token: &str, grant: &Grant) -> NewRefreshToken {
    let unused = service.now().saturating_add(seconds(service.settings.refresh_lifetime));
    NewRefreshToken { token_hash: secret::hash(token), expires_at: unused.min(grant.expires_at) }
}

/// The response with the tokens of a grant.
pub(super) fn of_grant(
    service: &Service,
    grant: &Grant,
    scopes: &[String],
    audience: &[String],
    nonce: Option<&str>,
    refresh_token: Option<String>,
) -> Result<TokenResponse, TokenError> {
    let claims = Claims {
        sub: grant.user.clone(),
        client_id: grant.client_id.clone(),
        scope: scopes.join(" "),
        auth_time: Some(grant.authenticated_at),
    };
    let lifetime = lifetime_within(service, grant);
    let issued =
        access_tokens::issue(&service.tokens, &claims, Some(&grant.id), audience, lifetime);
    let access_token = issued.map_err(|error| not_issued(&error))?;
    let id_token = scopes.iter().any(|scope| scope == "openid").then(|| {
        id_tokens::issue(&service.tokens, grant, &access_token, nonce)
            .map_err(|error| not_issued(&error))
    });
    let id_token = id_token.transpose()?;
    Ok(response(lifetime, access_token, claims.scope, refresh_token, id_token))
}

/// The lifetime of an access token that does not outlive its grant.
fn lifetime_within(service: &Service, grant: &Grant) -> Duration {
    let left = grant.expires_at.saturating_sub(service.now());
    // The grant was in force when the store was asked: at least a second was left.
    let left = Duration::from_secs(u64::try_from(left).unwrap_or_default().max(1));
    service.settings.lifetime.min(left)
}

/// The response with a token of the client itself.
pub(super) fn of_client(
    service: &Service,
    client: &Client,
    scopes: &[String],
    audience: &[String],
) -> Result<TokenResponse, TokenError> {
    let claims = Claims {
        sub: client.id.clone(),
        client_id: client.id.clone(),
        scope: scopes.join(" "),
        auth_time: None,
    };
    let lifetime = service.settings.lifetime;
    let issued = access_tokens::issue(&service.tokens, &claims, None, audience, lifetime);
    let access_token = issued.map_err(|error| not_issued(&error))?;
    Ok(response(lifetime, access_token, claims.scope, None, None))
}

fn response(
    lifetime: Duration,
    access_token: String,
    scope: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
) -> TokenResponse {
    let expires_in = lifetime.as_secs();
    TokenResponse { access_token, token_type: "bearer", expires_in, scope, refresh_token, id_token }
}

fn not_issued(error: &IssueError) -> TokenError {
    tracing::error!(%error, "a token could not be issued");
    TokenError::Unavailable
}
