//! What another process needs to verify the tokens: who issues them, and with which keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::users::SCOPES;

const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// How long others may keep what they read here: 5 minutes.
const KEEP: &str = "public, max-age=300";

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route(OAUTH_METADATA, get(oauth_metadata))
        .route("/.well-known/openid-configuration", get(openid_configuration))
        .route("/jwks.json", get(jwk_set))
}

/// Where RFC 8414 section 3.1 looks for the document of an issuer with a path.
pub(crate) fn routes_with_inserted_path(path: &str) -> Router<Arc<Service>> {
    Router::new().route(&format!("{OAUTH_METADATA}{path}"), get(oauth_metadata))
}

/// The metadata of an authorization server (RFC 8414). There is no authorization endpoint, so there
/// are no response types, and members without a value are left out (section 3.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Metadata {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<&'static str>,
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    service_documentation: String,
}

impl Metadata {
    fn of(service: &Service) -> Self {
        Self {
            issuer: service.issuer().to_owned(),
            token_endpoint: service.url("/token"),
            jwks_uri: service.url("/jwks.json"),
            scopes_supported: SCOPES.iter().map(|(scope, _)| *scope).collect(),
            grant_types_supported: ["password"],
            token_endpoint_auth_methods_supported: ["none"],
            service_documentation: service.url("/docs"),
        }
    }
}

/// What OpenID Connect Discovery adds. No ID tokens are issued, so no algorithm for them is listed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenIdMetadata {
    #[serde(flatten)]
    metadata: Metadata,
    subject_types_supported: [&'static str; 1],
}

/// Metadata of the authorization server (RFC 8414)
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "metadata",
    responses((status = 200, description = "The metadata", body = Metadata)),
)]
pub(crate) async fn oauth_metadata(State(service): State<Arc<Service>>) -> impl IntoResponse {
    ([(CACHE_CONTROL, KEEP)], Json(Metadata::of(&service)))
}

/// Metadata in the place where OpenID Connect Discovery looks for it
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "metadata",
    responses((status = 200, description = "The metadata", body = OpenIdMetadata)),
)]
pub(crate) async fn openid_configuration(State(service): State<Arc<Service>>) -> impl IntoResponse {
    let metadata =
        OpenIdMetadata { metadata: Metadata::of(&service), subject_types_supported: ["public"] };
    ([(CACHE_CONTROL, KEEP)], Json(metadata))
}

/// The keys that verify the tokens of this service (RFC 7517 section 5); for the documents alone
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JwkSetDocument {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// The keys that verify the tokens, as JWK set (RFC 7517)
#[utoipa::path(
    get, path = "/jwks.json", tag = "metadata",
    responses((status = 200, description = "The public keys", body = JwkSetDocument,
        content_type = "application/jwk-set+json")),
)]
pub(crate) async fn jwk_set(State(service): State<Arc<Service>>) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, KEEP)];
    (headers, service.tokens.jwk_set())
}
