//! The documents that other processes need to verify the tokens: the issuer's metadata and its keys.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tower::ServiceExt;
use tower_jwt_auth::JwkSetService;
use utoipa::ToSchema;

use crate::store::GrantType;
use crate::token::scopes::IDENTITY;
use crate::{Service, client, upkeep};

const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// How long clients may cache these documents: 5 minutes.
const KEEP: &str = "public, max-age=300";

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route(OAUTH_METADATA, get(oauth_metadata))
        .route("/.well-known/openid-configuration", get(openid_configuration))
        .route("/jwks.json", get(jwk_set))
}

/// The path of the document for an issuer with a path (RFC 8414 section 3.1).
pub(crate) fn routes_with_inserted_path(path: &str) -> Router<Arc<Service>> {
    Router::new().route(&format!("{OAUTH_METADATA}{path}"), get(oauth_metadata))
}

/// The metadata of an authorization server (RFC 8414).
// Members without a value are left out (section 3.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Metadata {
    #[schema(example = "http://127.0.0.1:8000")]
    issuer: String,
    #[schema(example = "http://127.0.0.1:8000/authorize")]
    authorization_endpoint: String,
    /// RFC 9207.
    #[schema(example = true)]
    authorization_response_iss_parameter_supported: bool,
    /// Clients that are not registered (draft-ietf-oauth-client-id-metadata-document). Absent if they are turned off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = true)]
    client_id_metadata_document_supported: bool,
    #[schema(example = json!(["S256"]))]
    code_challenge_methods_supported: [&'static str; 1],
    #[schema(example = json!(["code"]))]
    response_types_supported: [&'static str; 1],
    #[schema(example = json!(["query"]))]
    response_modes_supported: [&'static str; 1],
    #[schema(example = "http://127.0.0.1:8000/logout")]
    end_session_endpoint: String,
    #[schema(example = "http://127.0.0.1:8000/token")]
    token_endpoint: String,
    #[schema(example = "http://127.0.0.1:8000/revoke")]
    revocation_endpoint: String,
    #[schema(example = "http://127.0.0.1:8000/introspect")]
    introspection_endpoint: String,
    #[schema(example = "http://127.0.0.1:8000/userinfo")]
    userinfo_endpoint: String,
    #[schema(example = "http://127.0.0.1:8000/jwks.json")]
    jwks_uri: String,
    #[schema(example = json!(["read", "write", "openid"]))]
    scopes_supported: Vec<String>,
    #[schema(example = json!(["authorization_code", "refresh_token"]))]
    grant_types_supported: [&'static str; 4],
    #[schema(example = json!(["client_secret_basic", "none"]))]
    token_endpoint_auth_methods_supported: [&'static str; 4],
    #[schema(example = json!(["ES256", "RS256"]))]
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[schema(example = json!(["client_secret_basic", "none"]))]
    revocation_endpoint_auth_methods_supported: [&'static str; 4],
    #[schema(example = json!(["ES256", "RS256"]))]
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[schema(example = json!(["client_secret_basic"]))]
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    #[schema(example = json!(["ES256", "RS256"]))]
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[schema(example = "http://127.0.0.1:8000/docs")]
    service_documentation: String,
}

impl Metadata {
    fn of(service: &Service) -> Self {
        let algorithms: Vec<_> = client::assertion_algorithms().map(|one| one.name()).collect();
        let scopes = service.settings.scopes.iter().map(|(scope, _)| scope.clone());
        let is_proof = |method: &&str| *method != "none";
        Self {
            issuer: service.issuer().to_owned(),
            authorization_endpoint: service.url("/authorize"),
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: service.documents.is_on(),
            code_challenge_methods_supported: ["S256"],
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            end_session_endpoint: service.url("/logout"),
            token_endpoint: service.url("/token"),
            revocation_endpoint: service.url("/revoke"),
            introspection_endpoint: service.url("/introspect"),
            userinfo_endpoint: service.url("/userinfo"),
            jwks_uri: service.url("/jwks.json"),
            scopes_supported: scopes.chain(IDENTITY.map(|(scope, _)| scope.to_owned())).collect(),
            grant_types_supported: GrantType::ALL.map(GrantType::as_str),
            token_endpoint_auth_methods_supported: client::METHODS,
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint_auth_methods_supported: client::METHODS,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            introspection_endpoint_auth_methods_supported: client::METHODS
                .into_iter()
                .filter(is_proof)
                .collect(),
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
            service_documentation: service.url("/docs"),
        }
    }
}

/// The same metadata, with the members that OpenID Connect Discovery adds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenIdMetadata {
    #[serde(flatten)]
    metadata: Metadata,
    #[schema(example = json!(["public"]))]
    subject_types_supported: [&'static str; 1],
    #[schema(example = json!(["ES256"]))]
    id_token_signing_alg_values_supported: [&'static str; 1],
    #[schema(example = json!(["sub", "preferred_username"]))]
    claims_supported: [&'static str; 10],
    #[schema(example = json!(["none", "login", "consent", "select_account"]))]
    prompt_values_supported: [&'static str; 4],
    #[schema(example = false)]
    claims_parameter_supported: bool,
    #[schema(example = false)]
    request_parameter_supported: bool,
    /// The default is `true`.
    #[schema(example = false)]
    request_uri_parameter_supported: bool,
}

/// Authorization server metadata (RFC 8414)
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "metadata",
    responses((status = 200, description = "The metadata", body = Metadata)),
)]
pub(crate) async fn oauth_metadata(State(service): State<Arc<Service>>) -> impl IntoResponse {
    ([(CACHE_CONTROL, KEEP)], Json(Metadata::of(&service)))
}

/// The same metadata, where OpenID Connect Discovery looks for it
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "metadata",
    responses((status = 200, description = "The metadata", body = OpenIdMetadata)),
)]
pub(crate) async fn openid_configuration(State(service): State<Arc<Service>>) -> impl IntoResponse {
    let metadata = OpenIdMetadata {
        metadata: Metadata::of(&service),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
        claims_supported: [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "at_hash",
            "sid",
            "preferred_username",
        ],
        prompt_values_supported: ["none", "login", "consent", "select_account"],
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
    };
    ([(CACHE_CONTROL, KEEP)], Json(metadata))
}

/// The public keys that verify the tokens of this service (RFC 7517 section 5).
// Only for the OpenAPI document. The response is that of `JwkSetService`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JwkSetDocument {
    #[schema(example = json!([{
        "kty": "EC", "use": "sig", "alg": "ES256", "kid": "1", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHwVvEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]))]
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// The public keys that verify the tokens, as a JWK set (RFC 7517)
#[utoipa::path(
    get, path = "/jwks.json", tag = "metadata",
    responses(
        (status = 200, description = "The JWK set", body = JwkSetDocument,
            content_type = "application/jwk-set+json",
            headers(
                ("Cache-Control" = String, description = "How long it may be cached"),
                ("ETag" = String, description = "The same as long as the keys are"),
            )),
        (status = 304, description = "It has not changed since the ETag in `If-None-Match`"),
    ),
)]
pub(crate) async fn jwk_set(State(service): State<Arc<Service>>, request: Request) -> Response {
    upkeep::follow_keys_if_stale(&service).await;
    let set = JwkSetService::<Body>::new(service.keys.clone()).oneshot(request).await;
    set.unwrap_or_else(|never| match never {})
}
