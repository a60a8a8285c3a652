//! `POST /token`: the token endpoint of OAuth 2.0 (RFC 6749 section 3.2). Responses have the format of section 5.

mod authorization_code;
mod client_credentials;
mod error;
mod issue;
mod password;
mod refresh_token;
pub(crate) mod request;
pub(crate) mod scopes;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::error::unavailable;
pub use self::error::{TokenError, TokenErrorBody};
use self::request::Request;
use crate::client::Endpoint;
use crate::observe::{facts, meters};
use crate::store::{Client, GrantType};
use crate::{Service, introspect, revoke};

/// A request with a larger body is refused unread.
const MAX_BODY: usize = 16 * 1024;

/// `/token`, `/revoke` and `/introspect`, which read the same kind of request.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/token", post(token))
        .route("/revoke", post(revoke::revoke))
        .route("/introspect", post(introspect::introspect))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The form of a token request. Which parameters are needed depends on `grant_type`.
// Only for the OpenAPI document. `Form` reads the request.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct TokenRequest {
    /// `password`, `client_credentials`, `authorization_code` or `refresh_token`. Without it, a request with a
    /// username and a password is for `password`, as in FastAPI's form.
    #[schema(
        nullable = false,
        pattern = "^(password|client_credentials|authorization_code|refresh_token)?$",
        example = "password"
    )]
    grant_type: Option<String>,
    /// For `password`.
    #[schema(nullable = false, max_length = 256, example = "alice")]
    username: Option<String>,
    /// For `password`.
    #[schema(nullable = false, max_length = 256, format = Password, example = "wonderland")]
    password: Option<String>,
    /// The scopes of the token, separated by spaces. Default: for `password` the least powerful scope of the user, for
    /// `client_credentials` those of the client, for `refresh_token` those that were granted.
    #[schema(
        nullable = false,
        pattern = "^((read|write|openid|profile|offline_access)( (read|write|openid|profile|offline_access))*)?$",
        example = "read write"
    )]
    scope: Option<String>,
    /// The service that the token is for (RFC 8707); it may be repeated. Default: this one, or all that were granted.
    #[schema(nullable = false)]
    resource: Option<String>,
    /// For `authorization_code`.
    #[schema(nullable = false)]
    code: Option<String>,
    /// For `authorization_code`: that of the authorization request.
    #[schema(nullable = false)]
    redirect_uri: Option<String>,
    /// For `authorization_code`: that of PKCE (RFC 7636).
    #[schema(nullable = false)]
    code_verifier: Option<String>,
    /// For `refresh_token`.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// A client that is not registered leaves it out. A registered one may also send HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
    /// For `private_key_jwt`: `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    #[schema(nullable = false)]
    client_assertion_type: Option<String>,
    /// For `private_key_jwt` (RFC 7523).
    #[schema(nullable = false)]
    client_assertion: Option<String>,
}

/// A token, its lifetime and its scopes (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    #[schema(example = "eyJhbGciOiJFUzI1NiIs…")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// The lifetime, in seconds.
    #[schema(example = 1800)]
    expires_in: u64,
    /// Absent if the token has no scope.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "read write")]
    scope: String,
    /// Absent for `client_credentials`, and if the client may not use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// For the scope `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id_token: Option<String>,
}

/// Get a token
///
/// The **Authorize** button does the same and keeps the token for the routes below.
///
/// The grants: `authorization_code` for people, `client_credentials` between machines, `refresh_token` for
/// the next token of either a code or a password. A used refresh token gives the same successor again for a
/// short time, so that a lost response can be repeated. Any other reuse revokes all tokens of the grant.
///
/// `password` hands a user's password to the client: RFC 9700 section 2.4 forbids it, and it is here for
/// comparison. It needs no client.
#[utoipa::path(
    post, path = "/token", tag = "token", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenResponse,
            headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The request is malformed, or asks for an unknown grant, scope or \
            resource, or its code or refresh token is not valid",
            body = TokenErrorBody, example = json!({
                "error": "invalid_scope",
                "error_description": "not every scope that is asked for can be granted",
            })),
        (status = 401, description = "The username or the password is wrong, or the client is unknown or \
            not authenticated, or the URL that is its ID has no document that can be used",
            body = TokenErrorBody,
            headers(("WWW-Authenticate" = String, description = "The challenge"))),
        (status = 413, description = "The body is too large", body = TokenErrorBody, example = json!({
            "error": "invalid_request",
            "error_description": "the body is too large",
        })),
        (status = 429, description = "Too many wrong passwords or secrets, requests of one client, or unknown clients whose \
            documents are to be fetched", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "too_many_attempts",
                "error_description": "too many wrong passwords or secrets: try again later",
            })),
        (status = 503, description = "Too many logins at once, the database does not answer, no key signs, or the document \
            of the client cannot be fetched at the moment",
            body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "temporarily_unavailable",
                "error_description": "the service is busy: try again later",
            })),
    ),
)]
pub(crate) async fn token(
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
) -> Result<TokenResponse, TokenError> {
    let Request { form, caller } =
        request::read(service, Endpoint::Token, address, headers, body).await?;
    let grant_type = match form.get("grant_type") {
        Some(name) => name.parse().map_err(|_| TokenError::UnsupportedGrantType)?,
        // FastAPI's form defaults to `password`, so its clients may leave it out.
        None if form.get("username").is_some() && form.get("password").is_some() => {
            GrantType::Password
        }
        None => return Err(TokenError::InvalidRequest("grant_type is missing")),
    };
    facts::grant(grant_type.as_str());
    if !service.followed.has_key() {
        return Err(TokenError::Unavailable);
    }
    let response = match grant_type {
        GrantType::AuthorizationCode => {
            authorization_code::exchange(service, &form, &caller.registered()?).await
        }
        GrantType::ClientCredentials => {
            client_credentials::grant(service, &form, &caller.registered()?)
        }
        GrantType::Password => {
            let wrong = if caller.is_registered() {
                TokenError::InvalidGrant("the username or the password is wrong")
            } else {
                TokenError::WrongPassword { basic: caller.sent_basic && !is_script(headers) }
            };
            let client = caller.or_built_in(service);
            password::grant(service, &form, &client, address.ip(), wrong).await
        }
        GrantType::RefreshToken => {
            refresh_token::refresh(service, &form, &caller.or_built_in(service)).await
        }
    }?;
    meters::issued(grant_type.as_str());
    Ok(response)
}

/// Whether the request is from a script of a page. A browser would open its own password dialog for a challenge for Basic.
fn is_script(headers: &HeaderMap) -> bool {
    headers.get("x-requested-with").is_some_and(|value| value == "XMLHttpRequest")
}

fn check_may_use(client: &Client, grant_type: GrantType) -> Result<(), TokenError> {
    client.may_use(grant_type).then_some(()).ok_or(TokenError::UnauthorizedClient)
}
