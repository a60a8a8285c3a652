//! `POST /token`: the password grant of OAuth 2.0 (RFC 6749 section 4.3). Responses have the format of section 5.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Service;
use crate::access_tokens::{self, BUILT_IN_CLIENT, Claims};
use crate::client::{self, ClientError, Shown};
use crate::form::Form;
use crate::login::LoginError;
use crate::store::{StoreError, User};

mod error;

pub use error::{TokenError, TokenErrorBody};

/// A request with a larger body is refused unread.
const MAX_BODY: usize = 16 * 1024;
/// Longer names and passwords are refused without a check.
const MAX_CREDENTIAL: usize = 1024;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new().route("/token", post(token)).layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The form of a token request.
// Only for the OpenAPI document. `Form` reads the request.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct TokenRequest {
    /// `password`, which is also the default, as in FastAPI's form.
    #[schema(nullable = false, pattern = "^(password)?$", example = "password")]
    grant_type: Option<String>,
    #[schema(min_length = 1, max_length = 256, example = "alice")]
    username: String,
    #[schema(min_length = 1, max_length = 256, format = Password, example = "wonderland")]
    password: String,
    /// The scopes of the token, separated by spaces: `read`, `write`. Default: `read`.
    #[schema(
        nullable = false,
        pattern = "^((read|write)( (read|write))*)?$",
        example = "read write"
    )]
    scope: Option<String>,
}

/// A token, its lifetime and its scopes (RFC 6749 section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    #[schema(example = "eyJhbGciOiJFUzI1NiIs…")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// The lifetime, in seconds.
    #[schema(example = 1800)]
    expires_in: u64,
    #[schema(example = "read write")]
    scope: String,
}

/// Get a token for a username and a password
///
/// The **Authorize** button does the same and keeps the token for the routes below.
///
/// This is the password grant, which hands a user's password to the client: RFC 9700 section 2.4 forbids it,
/// and it is here for comparison. In a new service use the authorization code grant with PKCE, and client
/// credentials between machines.
#[utoipa::path(
    post, path = "/token", tag = "token", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenResponse,
            headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The request is malformed, or asks for an unknown grant, scope or \
            resource",
            body = TokenErrorBody, example = json!({
                "error": "invalid_scope",
                "error_description": "the user may not have every scope that is asked for",
            })),
        (status = 401, description = "The username or the password is wrong, or the client is unknown",
            body = TokenErrorBody,
            headers(("WWW-Authenticate" = String, description = "The challenge"))),
        (status = 413, description = "The body is too large", body = TokenErrorBody, example = json!({
            "error": "invalid_request",
            "error_description": "the body is too large",
        })),
        (status = 429, description = "Too many wrong passwords", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "too_many_attempts",
                "error_description": "too many wrong passwords: try again later",
            })),
        (status = 503, description = "Too many logins at once", body = TokenErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until the next try")),
            example = json!({
                "error": "temporarily_unavailable",
                "error_description": "too many logins at once: try again later",
            })),
    ),
)]
pub(crate) async fn token(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match answer(&service, address, &headers, body).await {
        Ok(response) => {
            ([(CACHE_CONTROL, NO_STORE), (PRAGMA, NO_CACHE)], Json(response)).into_response()
        }
        Err(error) => {
            tracing::debug!(error = error.code(), "no token issued");
            error.into_response()
        }
    }
}

async fn answer(
    service: &Service,
    address: SocketAddr,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<TokenResponse, TokenError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => TokenError::TooLarge,
        _ => TokenError::InvalidRequest("the body cannot be read"),
    })?;
    let form = Form::read(headers, &body).map_err(TokenError::InvalidRequest)?;
    let shown = client::shown(headers, &form).map_err(|error| match error {
        ClientError::Unknown => TokenError::InvalidClient,
        ClientError::Malformed => {
            TokenError::InvalidRequest("the Authorization header is malformed")
        }
        ClientError::Twice => TokenError::InvalidRequest("the client has several credentials"),
    })?;
    let (name, password) = credentials(&form)?;
    // RFC 8707 section 2. Tokens are for the issuer itself and for no other resource.
    if form.resources().iter().any(|resource| resource != service.issuer()) {
        return Err(TokenError::InvalidTarget);
    }

    let login = Arc::clone(&service.login);
    let user = login.check(name.to_owned(), password.to_owned(), address.ip()).await;
    let user = user.map_err(|error| match error {
        LoginError::Wrong => TokenError::InvalidGrant { basic: answers_basic(shown, headers) },
        LoginError::TooMany(wait) => TokenError::TooManyGuesses(wait),
        LoginError::Busy => TokenError::Unavailable,
        LoginError::Store(error) => unavailable(&error),
    })?;

    let scope = granted(&user, form.get("scope"))?;
    let claims = Claims {
        sub: user.name,
        client_id: BUILT_IN_CLIENT.to_owned(),
        scope,
        auth_time: Some(service.now()),
    };
    let audience = [service.issuer().to_owned()];
    let issued = access_tokens::issue(&service.tokens, &claims, None, &audience);
    let access_token = issued.map_err(|error| {
        tracing::error!(%error, "a token could not be issued");
        TokenError::Unavailable
    })?;
    let expires_in = service.settings.lifetime.as_secs();
    Ok(TokenResponse { access_token, token_type: "bearer", expires_in, scope: claims.scope })
}

fn unavailable(error: &StoreError) -> TokenError {
    tracing::error!(error = error as &dyn std::error::Error, "the store failed");
    TokenError::Unavailable
}

/// The name and the password, if the request is for the password grant.
fn credentials(form: &Form) -> Result<(&str, &str), TokenError> {
    let (name, password) = (form.get("username"), form.get("password"));
    match form.get("grant_type") {
        Some("password") => {}
        Some(_) => return Err(TokenError::UnsupportedGrantType),
        // FastAPI's form defaults to `password`, so its clients may leave it out.
        None if name.is_some() && password.is_some() => {}
        None => return Err(TokenError::InvalidRequest("grant_type is missing")),
    }
    let name = name.ok_or(TokenError::InvalidRequest("username is missing"))?;
    let password = password.ok_or(TokenError::InvalidRequest("password is missing"))?;
    if name.len().max(password.len()) > MAX_CREDENTIAL {
        return Err(TokenError::InvalidRequest("username or password is too long"));
    }
    Ok((name, password))
}

/// The requested scopes, without duplicates, if the user may have all of them. Default: the least powerful scope.
fn granted(user: &User, asked: Option<&str>) -> Result<String, TokenError> {
    let Some(asked) = asked else {
        return Ok(user.scopes.first().cloned().unwrap_or_default());
    };
    let mut scopes: Vec<&str> = Vec::new();
    for scope in asked.split(' ') {
        if !user.scopes.iter().any(|allowed| allowed == scope) {
            return Err(TokenError::InvalidScope);
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes.join(" "))
}

/// Whether the response to a wrong password has a challenge for Basic: only if the client sent Basic and is not a page
/// in a browser. The browser would open its own password dialog.
fn answers_basic(shown: Shown, headers: &HeaderMap) -> bool {
    let script = headers.get("x-requested-with").map(HeaderValue::as_bytes);
    shown == Shown::EmptyBasic && script != Some(b"XMLHttpRequest".as_slice())
}
