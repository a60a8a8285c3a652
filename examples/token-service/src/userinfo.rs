//! `/userinfo`: claims about the user whose token it is (OpenID Connect Core 1.0 section 5.3).

use std::sync::Arc;

use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tower_jwt_auth::{AuthorizeLayer, ConfigError, JwtAuthLayer, ProblemJson, Rule, VerifiedToken};
use utoipa::ToSchema;

use crate::Service;
use crate::access_tokens::Issued;
use crate::docs::Problem;

pub(crate) fn routes(
    jwt: &JwtAuthLayer<Issued, ProblemJson>,
) -> Result<Router<Arc<Service>>, ConfigError> {
    // The last layer is the outermost.
    let both = get(userinfo)
        .post(userinfo_by_post)
        .route_layer(AuthorizeLayer::new(Rule::<Issued>::scope("openid")?))
        .route_layer(jwt.clone());
    Ok(Router::new().route("/userinfo", both))
}

/// Claims about the user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserInfo {
    #[schema(example = "alice")]
    sub: String,
    /// For the scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "alice")]
    preferred_username: Option<String>,
}

/// Claims about the user, for a token with the scope `openid`
///
/// A token that was revoked is 401 at once.
#[utoipa::path(
    get, path = "/userinfo", tag = "token", security(("OAuth2PasswordBearer" = ["openid"])),
    responses(
        (status = 200, description = "The claims", body = UserInfo,
            headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the credentials are empty, too long or contain invalid characters",
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
pub(crate) async fn userinfo(token: VerifiedToken<Issued>) -> impl IntoResponse {
    let has_profile = token.scope.split(' ').any(|scope| scope == "profile");
    let preferred_username = has_profile.then(|| token.sub.clone());
    let claims = UserInfo { sub: token.sub.clone(), preferred_username };
    ([(CACHE_CONTROL, "no-store")], Json(claims))
}

/// The same by POST, with the token in the header
#[utoipa::path(
    post, path = "/userinfo", tag = "token", security(("OAuth2PasswordBearer" = ["openid"])),
    responses(
        (status = 200, description = "The claims", body = UserInfo,
            headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json", example = json!({
                "title": "Bad Request",
                "status": 400,
                "detail": "the credentials are empty, too long or contain invalid characters",
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
pub(crate) async fn userinfo_by_post(token: VerifiedToken<Issued>) -> impl IntoResponse {
    userinfo(token).await
}
