//! `POST /revoke`: a client revokes a token of its own (RFC 7009).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access_tokens::{self, Standing};
use crate::client::Endpoint;
use crate::observe::meters::{self, Revoked};
use crate::store::Client;
use crate::token::request::{self, Request};
use crate::token::{TokenError, TokenErrorBody, unavailable};
use crate::{Service, secret};

/// The form of a revocation.
// Only for the OpenAPI document.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct RevocationRequest {
    /// A refresh token or an access token.
    #[schema(min_length = 1)]
    token: String,
    /// Both kinds are looked for in any case.
    #[schema(nullable = false, example = "refresh_token")]
    token_type_hint: Option<String>,
    /// A client that is not registered leaves it out. A registered one may also send HTTP Basic, or an assertion.
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// Revoke a token (RFC 7009)
///
/// A refresh token is revoked with all tokens of its grant, an access token alone. `/introspect`, `/userinfo`
/// and the routes of this service refuse them at once. Other services verify an access token by itself, so they
/// accept it until it expires, unless they have a deny-list.
///
/// A client whose ID is the URL of its document needs that document only to prove who it is by its keys.
///
/// The status is 200 also if the token is unknown, expired or revoked. A token of another client is not revoked.
#[utoipa::path(
    post, path = "/revoke", tag = "token", security(()),
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The client has no such token any more",
            headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The request is malformed, or the token is another client's", body = TokenErrorBody, example = json!({
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
        (status = 429, description = "Too many wrong secrets, requests of one client, or unknown clients whose documents are \
            to be fetched", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "too_many_attempts",
                "error_description": "too many wrong passwords or secrets: try again later",
            })),
        (status = 503, description = "The database does not answer, or the document with the keys of the client cannot be \
            fetched at the moment", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "temporarily_unavailable",
                "error_description": "the service is busy: try again later",
            })),
    ),
)]
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match answer(&service, address, &headers, body).await {
        Ok(()) => ([(CACHE_CONTROL, "no-store")], ()).into_response(),
        Err(error) => request::respond::<()>(Err(error)),
    }
}

async fn answer(
    service: &Service,
    address: SocketAddr,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(), TokenError> {
    let Request { form, caller } =
        request::read(service, Endpoint::Revocation, address, headers, body).await?;
    let token = form.get("token").ok_or(TokenError::InvalidRequest("token is missing"))?;
    // A client that the password grant serves although it is not registered may revoke what came of it.
    let is_unknown = caller.is_unknown();
    let client = caller.or_built_in(service);
    let revoked = match revoke_refresh_token(service, &client, token).await {
        Ok(false) => revoke_access_token(service, &client, token).await,
        revoked => revoked.map(drop),
    };
    revoked.map_err(|error| match error {
        TokenError::InvalidGrant(_) if is_unknown => TokenError::InvalidClient,
        error => error,
    })
}

/// A token that is in force, and another client's (RFC 7009 section 2.1).
const NOT_YOURS: TokenError = TokenError::InvalidGrant("the token is that of another client");

/// Revokes the grant of a refresh token, also of a used one. `false` if it is not a refresh token.
async fn revoke_refresh_token(
    service: &Service,
    client: &Client,
    token: &str,
) -> Result<bool, TokenError> {
    let store = &service.store;
    let stored = store.refresh_token_and_grant(&secret::hash(token)).await;
    let Some((_, grant)) = stored.map_err(|error| unavailable(&error))? else { return Ok(false) };
    if grant.client_id == client.id {
        let revoked = store.revoke_grant(&grant.id, service.now()).await;
        revoked.map_err(|error| unavailable(&error))?;
        meters::revoked(Revoked::Grant);
        return Ok(true);
    }
    match grant.is_in_force(service.now()) {
        true => Err(NOT_YOURS),
        false => Ok(true),
    }
}

async fn revoke_access_token(
    service: &Service,
    client: &Client,
    token: &str,
) -> Result<(), TokenError> {
    let store = &service.store;
    let verified = access_tokens::verified(service, &service.revocable_tokens, token).await;
    let Some(token) = verified.map_err(|error| unavailable(&error))? else { return Ok(()) };
    if token.client_id == client.id {
        let revoked = store.revoke_token(&token.jti, token.exp).await;
        revoked.map_err(|error| unavailable(&error))?;
        meters::revoked(Revoked::AccessToken);
        return Ok(());
    }
    let standing = access_tokens::standing(&**store, &token.jti, service.now()).await;
    match standing.map_err(|error| unavailable(&error))? {
        Standing::Active(_) if !token.has_expired(service.now()) => Err(NOT_YOURS),
        Standing::Active(_) | Standing::Revoked => Ok(()),
    }
}
