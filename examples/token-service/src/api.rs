//! The routes behind the layer. Each has the layer around its one method, so that another method is
//! 405 and an unknown path 404, for strangers too.

use std::sync::Arc;

use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tower_jwt_auth::{BearerToken, JwtAuthLayer, ProblemJson, VerifiedToken};
use utoipa::ToSchema;

use crate::Service;
use crate::docs::Problem;

/// The claims of an access token, beside those that every token has.
#[derive(Debug, Deserialize, Serialize)]
pub struct Claims {
    /// The user's name.
    pub sub: String,
    /// What the token is good for.
    pub scope: String,
}

pub(crate) fn routes(
    jwt: &JwtAuthLayer<Claims, ProblemJson>,
    any_bearer: &JwtAuthLayer<(), ProblemJson>,
) -> Router<Arc<Service>> {
    Router::new()
        .route("/protected", get(protected).route_layer(jwt.clone()))
        .route("/user", get(user).route_layer(jwt.clone()))
        .route("/secure", get(secure).route_layer(any_bearer.clone()))
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Access {
    #[schema(example = "Access granted")]
    message: &'static str,
    #[schema(example = "alice")]
    user: String,
}

/// A route that a token of this service opens
#[utoipa::path(
    get, path = "/protected", tag = "routes", security(("OAuth2PasswordBearer" = [])),
    responses(
        (status = 200, description = "The token is good", body = Access),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "There is no token, or it is expired or invalid",
            body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn protected(token: VerifiedToken<Claims>) -> Json<Access> {
    Json(Access { message: "Access granted", user: token.sub.clone() })
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserName {
    #[schema(example = "alice")]
    username: String,
}

/// Whose token it is
#[utoipa::path(
    get, path = "/user", tag = "routes", security(("OAuth2PasswordBearer" = [])),
    responses(
        (status = 200, description = "The user's name", body = UserName),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "There is no token, or it is expired or invalid",
            body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn user(token: VerifiedToken<Claims>) -> Json<UserName> {
    Json(UserName { username: token.sub.clone() })
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Received {
    #[schema(example = "Token received")]
    message: &'static str,
    /// The token as it came.
    token: String,
}

/// A route that any bearer token opens: it is read, and not verified
#[utoipa::path(
    get, path = "/secure", tag = "routes", security(("HTTPBearer" = [])),
    responses(
        (status = 200, description = "There is a token", body = Received),
        (status = 400, description = "The credentials are malformed", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "There is no token", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn secure(token: BearerToken) -> impl IntoResponse {
    let received = Received { message: "Token received", token: token.as_str().to_owned() };
    // It holds a token.
    ([(CACHE_CONTROL, "no-store")], Json(received))
}
