//! The routes behind the layer. Each has the layer around its one method, so another method is 405 and an unknown path
//! is 404 without a token too.

use std::sync::Arc;

use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tower_jwt_auth::{
    AuthorizeLayer, ConfigError, JwtAuthLayer, PresentedToken, ProblemJson, Rule, VerifiedToken,
};
use utoipa::ToSchema;

use crate::Service;
use crate::access_tokens::Issued;
use crate::docs::Problem;

pub(crate) fn routes(
    jwt: &JwtAuthLayer<Issued, ProblemJson>,
    any_bearer: &JwtAuthLayer<(), ProblemJson>,
) -> Result<Router<Arc<Service>>, ConfigError> {
    // The last layer is the outermost.
    let items = get(items).route_layer(AuthorizeLayer::new(items_rule()?)).route_layer(jwt.clone());
    Ok(Router::new()
        .route("/protected", get(protected).route_layer(jwt.clone()))
        .route("/user", get(user).route_layer(jwt.clone()))
        .route("/items", items)
        .route("/secure", get(secure).route_layer(any_bearer.clone())))
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Access {
    #[schema(example = "Access granted")]
    message: &'static str,
    #[schema(example = "alice")]
    user: String,
}

/// Needs a token of this service
#[utoipa::path(
    get, path = "/protected", tag = "routes",
    security(("OAuth2AuthorizationCode" = []), ("OAuth2PasswordBearer" = [])),
    responses(
        (status = 200, description = "The token is valid", body = Access),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the credentials are empty, too long or contain invalid characters",
                "error": "invalid_request",
            })),
        (status = 401, description = "The token is missing, expired, revoked or invalid",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Service Unavailable",
                "status": 503,
                "detail": "the token cannot be verified at the moment",
            })),
    ),
)]
pub(crate) async fn protected(token: VerifiedToken<Issued>) -> Json<Access> {
    Json(Access { message: "Access granted", user: token.sub.clone() })
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserName {
    #[schema(example = "alice")]
    username: String,
}

/// The name of the user whose token it is
#[utoipa::path(
    get, path = "/user", tag = "routes",
    security(("OAuth2AuthorizationCode" = []), ("OAuth2PasswordBearer" = [])),
    responses(
        (status = 200, description = "The user's name", body = UserName),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the credentials are empty, too long or contain invalid characters",
                "error": "invalid_request",
            })),
        (status = 401, description = "The token is missing, expired, revoked or invalid",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Service Unavailable",
                "status": 503,
                "detail": "the token cannot be verified at the moment",
            })),
    ),
)]
pub(crate) async fn user(token: VerifiedToken<Issued>) -> Json<UserName> {
    Json(UserName { username: token.sub.clone() })
}

/// What `/items` requires of a token: for the layer, and for the OpenAPI document.
pub(crate) fn items_rule() -> Result<Rule<Issued>, ConfigError> {
    Rule::scope("read")
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Item {
    #[schema(example = "a looking-glass")]
    name: &'static str,
    #[schema(example = "alice")]
    owner: String,
}

/// Requires a token with the scope `read`
#[utoipa::path(
    get, path = "/items", tag = "routes",
    // `security` is set from the rule of the layer.
    responses(
        (status = 200, description = "The user's items", body = [Item]),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the credentials are empty, too long or have forbidden characters",
                "error": "invalid_request",
            })),
        (status = 401, description = "The token is missing, expired, revoked or invalid",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token does not have the scope", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Forbidden",
                "status": 403,
                "detail": "the token does not permit this request",
                "error": "insufficient_scope",
            })),
        (status = 503, description = "The database does not answer", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Service Unavailable",
                "status": 503,
                "detail": "the token cannot be verified at the moment",
            })),
    ),
)]
pub(crate) async fn items(token: VerifiedToken<Issued>) -> Json<[Item; 1]> {
    Json([Item { name: "a looking-glass", owner: token.sub.clone() }])
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Received {
    #[schema(example = "Token received")]
    message: &'static str,
    /// The token as it was sent.
    #[schema(example = "any-token")]
    token: String,
}

/// Accepts any bearer token, without verifying it
///
/// The login does not apply to this route: press **Authorize** and put any text into the field of
/// `HTTPBearer`.
#[utoipa::path(
    get, path = "/secure", tag = "routes", security(("HTTPBearer" = [])),
    responses(
        (status = 200, description = "The token that was sent", body = Received),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the credentials are empty, too long or contain invalid characters",
                "error": "invalid_request",
            })),
        (status = 401, description = "The token is missing", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Unauthorized",
                "status": 401,
                "detail": "no bearer token was given",
            })),
    ),
)]
pub(crate) async fn secure(token: PresentedToken) -> impl IntoResponse {
    let received = Received { message: "Token received", token: token.as_str().to_owned() };
    // The response contains a token.
    ([(CACHE_CONTROL, "no-store")], Json(received))
}
