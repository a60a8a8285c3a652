//! `POST /introspect`: what a token is, for a service that got it (RFC 7662).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tower_jwt_auth::Audience;
use utoipa::ToSchema;

use crate::access_tokens::{self, Standing};
use crate::client::Endpoint;
use crate::store::{Client, Seconds};
use crate::token::request::{self, Request};
use crate::token::{TokenError, TokenErrorBody, unavailable};
use crate::{Service, secret};

/// The form of an introspection.
// Only for the OpenAPI document.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct IntrospectionRequest {
    /// An access token, or a refresh token of the client itself.
    #[schema(min_length = 1)]
    token: String,
    /// Both kinds are looked for in any case.
    #[schema(nullable = false, example = "access_token")]
    token_type_hint: Option<String>,
    /// The client may also send HTTP Basic, or an assertion.
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// What a token is. Of an inactive one nothing but that.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Introspection {
    /// Whether it is in force: neither expired nor revoked, and its user is not disabled.
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "read write")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "demo")]
    client_id: Option<String>,
    /// Absent for a token of the client itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "alice")]
    username: Option<String>,
    /// Absent for a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "bearer")]
    token_type: Option<&'static str>,
    /// `access_token` or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "access_token")]
    token_use: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iat: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_time: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "alice")]
    sub: Option<String>,
    /// One or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<String>>)]
    aud: Option<Audience>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "http://127.0.0.1:8000")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
}

/// What a token is, and whether it is in force (RFC 7662)
///
/// Only for registered clients that authenticate. What was revoked is inactive at once. A refresh token is shown only to
/// the client that it belongs to, and is no bearer token: it has `token_use` and no `token_type`.
#[utoipa::path(
    post, path = "/introspect", tag = "token", security(()),
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What the token is", body = Introspection,
            headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The request is malformed", body = TokenErrorBody, example = json!({
            "error": "invalid_request",
            "error_description": "token is missing",
        })),
        (status = 401, description = "The client is unknown or not authenticated", body = TokenErrorBody,
            headers(("WWW-Authenticate" = String, description = "The challenge")),
            example = json!({
                "error": "invalid_client",
                "error_description": "the client is unknown or not authenticated",
            })),
        (status = 413, description = "The body is too large", body = TokenErrorBody, example = json!({
            "error": "invalid_request",
            "error_description": "the body is too large",
        })),
        (status = 429, description = "Too many wrong secrets, or requests of one client", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "too_many_attempts",
                "error_description": "too many wrong passwords or secrets: try again later",
            })),
        (status = 503, description = "The database does not answer", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "temporarily_unavailable",
                "error_description": "the service is busy: try again later",
            })),
    ),
)]
pub(crate) async fn introspect(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    request::respond(answer(&service, address, &headers, body).await)
}

async fn answer(
    service: &Service,
    address: SocketAddr,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Introspection, TokenError> {
    let Request { form, caller } =
        request::read(service, Endpoint::Introspection, address, headers, body).await?;
    let client = caller.confidential()?;
    let token = form.get("token").ok_or(TokenError::InvalidRequest("token is missing"))?;
    let found = match access_token(service, token).await? {
        Some(found) => Some(found),
        None => refresh_token(service, &client, token).await?,
    };
    Ok(found.unwrap_or_default())
}

async fn access_token(service: &Service, token: &str) -> Result<Option<Introspection>, TokenError> {
    let verified = access_tokens::verified(service, &service.access_tokens, token).await;
    let Some(token) = verified.map_err(|error| unavailable(&error))? else { return Ok(None) };
    if token.has_expired(service.now()) {
        return Ok(None);
    }
    let standing = access_tokens::standing(&*service.store, &token.jti, service.now()).await;
    let grant = match standing.map_err(|error| unavailable(&error))? {
        Standing::Active(grant) => grant,
        Standing::Revoked => return Ok(None),
    };
    Ok(Some(Introspection {
        active: true,
        scope: (!token.scope.is_empty()).then(|| token.scope.clone()),
        client_id: Some(token.client_id.clone()),
        username: grant.map(|grant| grant.user),
        token_type: Some("bearer"),
        token_use: Some("access_token"),
        exp: Some(token.exp),
        iat: Some(token.iat),
        auth_time: token.auth_time,
        sub: Some(token.sub.clone()),
        aud: Some(token.aud.clone()),
        iss: Some(service.issuer().to_owned()),
        jti: Some(token.jti.clone()),
    }))
}

async fn refresh_token(
    service: &Service,
    client: &Client,
    token: &str,
) -> Result<Option<Introspection>, TokenError> {
    let now = service.now();
    let stored = service.store.refresh_token_and_grant(&secret::hash(token)).await;
    let stored = stored.map_err(|error| unavailable(&error))?;
    let is_usable =
        |expires_at: Seconds, used_at: Option<Seconds>| used_at.is_none() && now < expires_at;
    let stored = stored.filter(|(token, grant)| {
        let is_granted = grant.is_in_force(now) && grant.client_id == client.id;
        is_granted && is_usable(token.expires_at, token.used_at)
    });
    Ok(stored.map(|(stored, grant)| Introspection {
        active: true,
        scope: (!grant.scopes.is_empty()).then(|| grant.scopes.join(" ")),
        client_id: Some(grant.client_id),
        username: Some(grant.user.clone()),
        token_use: Some("refresh_token"),
        exp: Some(stored.expires_at),
        auth_time: Some(grant.authenticated_at),
        sub: Some(grant.user),
        iss: Some(service.issuer().to_owned()),
        ..Introspection::default()
    }))
}
