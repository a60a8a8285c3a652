//! The OpenAPI document at `/openapi.json`, and Swagger UI at `/docs`, whose files are part of the
//! program.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::middleware::map_response;
use axum::response::Response;
use serde::Serialize;
use utoipa::openapi::security::{
    Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme,
};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::users::SCOPES;
use crate::{Service, api, cors, metadata, token};

pub(crate) fn routes() -> Router<Arc<Service>> {
    // No badge of a validator: the page asks nobody but this service.
    let config = Config::default().validator_url("none").try_it_out_enabled(false);
    let page = SwaggerUi::new("/docs").url("/openapi.json", Document::openapi()).config(config);
    Router::from(page).layer(cors::any()).layer(map_response(guard))
}

/// A person types a password into the page: no other site may show it in a frame of its own.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let nobody = HeaderValue::from_static("frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, nobody);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// Why the layer refused a request (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub(crate) struct Problem {
    #[schema(example = "Unauthorized")]
    title: String,
    #[schema(example = 401)]
    status: u16,
    #[schema(example = "the token has expired")]
    detail: String,
    /// The error of RFC 6750; absent when no credentials were given.
    #[schema(nullable = false, example = "invalid_token")]
    error: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "token-service",
        description = "Log in with **Authorize**, then try the routes. The password grant is here \
                       for comparison: RFC 9700 section 2.4 forbids it.",
    ),
    paths(
        token::token,
        api::protected,
        api::user,
        api::secure,
        metadata::oauth_metadata,
        metadata::openid_configuration,
        metadata::jwk_set,
    ),
    modifiers(&SecuritySchemes),
)]
struct Document;

/// Both ways to show a token: one with a login form, the other with a field to paste it into.
struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let login =
            OAuth2::new([Flow::Password(Password::new("/token", Scopes::from_iter(SCOPES)))]);
        let paste = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("OAuth2PasswordBearer", SecurityScheme::OAuth2(login));
        components.add_security_scheme("HTTPBearer", SecurityScheme::Http(paste));
    }
}
