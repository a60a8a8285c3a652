//! A Tower layer that verifies the bearer token of each request. An accepted request carries typed claims in
//! its extensions. A refused request gets the correct response: over HTTP a status and, unless it is 503, a
//! challenge; over gRPC a gRPC status. The layer works with axum, tonic, hyper and any other HTTP stack on Tower.
//!
//! # Example: an API with axum
//!
//! ```sh
//! cargo add tower-jwt-auth --features axum
//! cargo add axum
//! cargo add serde --features derive
//! cargo add tokio --features full
//! ```
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use serde::Deserialize;
//! use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey, VerifiedToken};
//!
//! /// The claims that this API reads. A token without `sub` is refused: 401.
//! #[derive(Deserialize)]
//! struct Claims {
//!     sub: String,
//! }
//!
//! async fn me(token: VerifiedToken<Claims>) -> String {
//!     format!("hello, {}", token.sub)
//! }
//!
//! # #[cfg(feature = "axum")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let key = VerificationKey::from_secret(b"an example of a secret: 32 bytes", Algorithm::HS256)?;
//!     let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
//!     let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>());
//!     let app = Router::new().route("/me", get(me)).route_layer(auth);
//!
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Ok(axum::serve(listener, app).await?)
//! }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! With the keys of an OpenID provider, the verifier is
//! `JwtVerifier::discover("https://issuer.example", "https://api.example")?` (features `oidc-discovery` and
//! `reqwest-0_13`).
//!
//! # Types by task
//!
//! | task | types |
//! |---|---|
//! | protect a service | [`JwtAuthLayer`]; it makes the service [`JwtAuth`] with the future [`ResponseFuture`] |
//! | take the token from a cookie, a WebSocket handshake or another header | [`Source`] |
//! | choose which JWTs are accepted | [`JwtVerifier`], [`ExpectedIssuer`], [`ExpectedAudience`], [`Algorithm`] |
//! | accept several issuers | [`IssuerSet`], [`IssuerTemplate`], [`TemplateMatch`], [`IssuerKeyStatus`] |
//! | verify without a request | [`JwtVerifier::verify`], [`JwtVerifier::verify_now`] |
//! | read the token in a handler | [`VerifiedToken`], [`PresentedToken`], [`TokenHeader`], [`MissingLayer`] |
#![cfg_attr(
    feature = "axum",
    doc = "| read the token with an axum extractor | [`ExtractorRejection`] |"
)]
//! | typed claims | [`RegisteredClaims`], [`AccessTokenClaims`], [`Audience`], [`Scope`], [`NumericDate`], a custom struct |
//! | decide what a token permits | [`Rule`], [`AuthorizeLayer`], [`ScopeHierarchy`], [`ClaimPath`], [`Actor`]; it makes the service [`AuthorizeService`] with the future [`AuthorizeFuture`] |
//! | decide about gRPC methods, or with custom code | [`GrpcRules`], [`Authorize`] |
#![cfg_attr(
    feature = "mcp",
    doc = "| decide about the tools of an MCP server, and bind its sessions to a user | [`McpRules`], [`Principal`] |"
)]
#![cfg_attr(
    feature = "axum",
    doc = "| require scopes in the signature of an axum handler | [`Authorized`], [`RequiredScopes`] |"
)]
#![cfg_attr(
    feature = "stream-expiry",
    doc = "| end streams when their token expires | [`EndAtExpiryLayer`]; it makes the service [`EndAtExpiry`] with the future [`EndAtExpiryFuture`] and the body [`ExpiringBody`] |"
)]
//! | tell services behind this one who calls | [`ClaimHeadersLayer`]; it makes the service [`ClaimHeaders`] |
//! | let pages of other origins read refusals | [`cors_exposed_headers`] |
//! | local keys | [`VerificationKey`], [`JwkSet`], [`SkippedKey`] |
#![cfg_attr(
    feature = "jwks-url",
    doc = "| keys from a URL | [`JwksUrl`]; [`Fetch`], [`FetchRequest`] and [`FetchFuture`] for a custom HTTP client; [`ChangedKeys`] to be told of changes |"
)]
#![cfg_attr(feature = "key-file", doc = "| remember fetched keys across restarts | [`KeyFile`] |")]
#![cfg_attr(
    feature = "oidc-discovery",
    doc = "| keys from the issuer's metadata | [`KnownIssuer`], [`OidcDiscovery`]; [`SpiffeBundle`], [`GithubJobs`] and [`GitlabJobs`] for workloads |"
)]
#![cfg_attr(
    any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"),
    doc = "| keys of `jsonwebtoken` | [`JsonwebtokenDecodingKey`] |"
)]
//! | the state of the keys | [`KeyStatus`] |
//! | a custom source of keys | [`KeySource`], [`KeyQuery`], [`KeyLookup`], [`KeyCandidates`], [`KeyTask`], [`KeySourceError`] |
//! | API keys and other opaque tokens | [`verify_fn`], [`verify_async_fn`], [`dangerous_any_bearer`] and their types [`VerifyFn`], [`VerifyAsyncFn`], [`DangerousAnyBearer`] |
#![cfg_attr(
    feature = "reqwest-0_13",
    doc = "| fetch a document from a URL that an untrusted client chose | [`DocumentClient`], [`FetchUrl`], [`FetchedDocument`], [`DocumentError`], [`DocumentErrorKind`] |"
)]
#![cfg_attr(
    feature = "introspection",
    doc = "| ask the authorization server about each token, by introspection | [`Introspection`], [`ClientAuthentication`] |"
)]
//! | several kinds of tokens behind one layer | [`TokenKinds`], [`MapClaims`] |
//! | check to whom a token is bound (DPoP, mutual TLS) | [`SenderConstrained`]; [`ClientCertificates`], [`ClientCertificate`] |
//! | check more than the token, such as a disabled user | [`VerifyToken::with_check`]; [`WithChecks`], [`Checked`], [`IntoChecked`] |
//! | refuse revoked tokens | [`DenyList`], [`Revocation`], [`MemoryRevocationStore`], [`RevokeError`], [`RevokeErrorKind`]; [`RevocationStore`], [`RevocationQuery`], [`RevocationLookup`], [`Revoked`] for a custom store |
//! | accept each token once | [`OneTimeTokens`] |
//! | a custom verifier | [`VerifyToken`], [`Verification`], [`Accepted`], [`AcceptedTokens`], [`Confirmation`], [`TokenScheme`], [`TokenSource`] |
//! | refuse, or read why a token was refused | [`Rejection`], [`RejectionKind`] |
//! | find out why a token is refused | [`JwtVerifier::explain`]; [`Explanation`], [`ExplainedStep`], [`StepOutcome`] |
//! | observe requests, and log what a layer accepts | [`Outcome`], [`Summary`] |
//! | change the response of a refusal | [`EmptyBody`], [`ProblemJson`], [`ResponseForRejection`], [`RequestSummary`], [`RejectionFn`] |
#![cfg_attr(
    feature = "resource-metadata",
    doc = "| tell clients where to get a token | [`ResourceMetadata`]; [`ResourceMetadataLayer`] serves it by the service [`ResourceMetadataService`] with the future [`ResourceMetadataFuture`] |"
)]
#![cfg_attr(
    feature = "issuer",
    doc = "| issue tokens | [`TokenIssuer`], [`NewAccessToken`], [`NewIdToken`], [`IssueError`], [`IssueErrorKind`] |\n\
           | sign with keys that rotate, and publish them | [`SigningKey`], [`PrivatePem`], [`KeyRing`], [`RingKeyStatus`], [`RingKeyState`], [`DueKey`], [`JwkSetService`] |"
)]
#![cfg_attr(
    all(feature = "issuer", any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12")),
    doc = "| signing keys of `jsonwebtoken` | [`JsonwebtokenEncodingKey`] |"
)]
#![cfg_attr(
    feature = "test-util",
    doc = "| test | [`test_util`]: tokens, keys, issuers and clocks for tests, and `assert_protected`, which attacks a service |"
)]
#![cfg_attr(
    feature = "dpop",
    doc = "| check DPoP proofs: that the sender of a token holds the key that the token is bound to | [`Dpop`], [`ProxyHeaders`] |"
)]
//! | remember what may be used once only | [`ReplayStore`], [`MemoryReplayStore`], [`ReplayEntry`], [`ReplayCheck`], [`ReplayOutcome`] |
//! | replace the clock | [`Clock`], [`SystemClock`], [`FixedClock`] |
//! | handle a wrong configuration | [`ConfigError`], [`ConfigErrorKind`] |
#![cfg_attr(
    feature = "config",
    doc = "| read the configuration from a file or the environment | [`LayerConfig`], [`ConfigVerifier`] |"
)]
//!
//! # How a request is verified
//!
//! The layer reads only the head of a request. The request goes through these stages in this order. The last two
//! stages are alternatives:
//!
//! | stage | what happens | type |
//! |---|---|---|
//! | extraction | finds the one token, in `Authorization` or another source | [`PresentedToken`], [`Source`] |
//! | compact JWS | splits the token and reads its header | [`TokenHeader`] |
//! | key look-up | finds the keys for the header | [`KeySource`] |
//! | signature | checks the signature, with a key that is bound to the token's algorithm | [`VerificationKey`] |
//! | claim rules | checks issuer, audience, times and the application's rules | [`JwtVerifier`] |
//! | success | puts the verified token into the request's extensions | [`VerifiedToken`] |
//! | refusal | writes the response | [`Rejection`] |
//!
//! The defaults are strict. Issuer and audience are arguments of the constructor, and a token must contain both. An
//! algorithm is bound to a key when the key is loaded. The name of each setting that weakens a check begins with
//! `dangerous_`. [`JwtVerifier`] lists the defaults, [`RejectionKind`] the refusals.
//!
//! # Guides
//!
//! To start:
//!
//! - [`docs::axum`]: routes, claims, scopes, refusals.
//! - [`docs::tonic`]: a gRPC server, one service, one method.
//! - [`docs::authorization`]: recipes: scopes, roles, gRPC methods, disabled users, OpenAPI.
//! - [`docs::mcp`]: an MCP server with `rmcp`: scopes by tool, step-up, sessions.
//! - [`docs::hyper`]: hyper, and any other Tower stack.
//! - [`docs::without_a_request`]: tokens from queues and other places without an HTTP request.
//! - [`docs::token_types`]: tokens that are not access tokens, such as transaction tokens.
//! - [`docs::issuing`]: an issuer of its own: keys that rotate, access tokens and ID tokens.
//! - [`docs::testing`]: tests of handlers and routers with feature `test-util`.
//! - [`docs::from_jsonwebtoken`]: replace code that calls `jsonwebtoken`: before and after.
//! - [`docs::from_fastapi`]: FastAPI's security tutorial, step by step.
//! - [`docs::from_spring_security`]: Spring's concepts side by side with those of this crate.
//!
//! Then:
//!
//! - [`docs::introspection`]: opaque tokens, and tokens that can be revoked.
//! - [`docs::providers`]: Auth0, Keycloak, Entra ID, Cognito, Google, Okta, Firebase, Dex, Clerk, WorkOS,
//!   Kubernetes, SPIFFE.
//! - [`docs::configuration`]: a layer from a file and environment variables.
//! - [`docs::cold_starts`]: start a service while its issuer is down.
//! - [`docs::layer_order`]: CORS, tracing, limits and this layer.
//! - [`docs::websockets_and_cookies`]: tokens that browsers cannot send in `Authorization`.
//! - [`docs::dpop`]: tokens that are bound to a key of the client.
//! - [`docs::mtls`]: tokens that are bound to a client certificate.
//! - [`docs::resource_metadata`]: RFC 9728: clients find out where to get a token.
//! - [`docs::revocation`]: a deny-list for revoked tokens, and one-time tokens.
//! - [`docs::upstreams`]: claims or the token for the services behind this one.
//! - [`docs::logging`]: the subject in a tracing span, and what the crate logs.
//! - [`docs::security`]: the threat model: each attack, the defense, and its test.
//! - [`docs::design`]: the design decisions and their reasons.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `aws-lc-rs` | yes | the crypto backend; it needs a C compiler |
//! | `rust-crypto` | | the crypto backend in pure Rust, without ES512 and ML-DSA; with both on, aws-lc-rs is used |
//! | `precomputed-tables` | | faster checks of EdDSA and ES256 for keys in frequent use, for some memory: see [`docs::design`] |
//! | `jsonwebtoken-12` | yes | conversions from the keys, algorithms and JWKs of `jsonwebtoken` 12 |
//! | `jsonwebtoken-11` | | the same for `jsonwebtoken` 11 |
//! | `axum` | | axum 0.8: extractors of [`VerifiedToken`] and [`PresentedToken`], `IntoResponse for Rejection` |
//! | `issuer` | | `TokenIssuer`, `SigningKey` and `KeyRing`: issues tokens, signed by aws-lc-rs with keys that rotate |
//! | `jwks-url` | | `JwksUrl`: keys from a URL, refreshed in the background with any HTTP client (`Fetch`); adds tokio |
//! | `key-file` | | `KeyFile`: a file that remembers fetched keys across restarts: see [`docs::cold_starts`] |
//! | `oidc-discovery` | | `OidcDiscovery`, `JwtVerifier::discover_with`, `KnownIssuer`: finds the keys through the issuer's metadata |
//! | `introspection` | | `Introspection`: asks the authorization server about each token (RFC 7662): see [`docs::introspection`] |
//! | `reqwest-0_13` | | the HTTP client (reqwest 0.13, rustls): `JwksUrl::new`, `JwtVerifier::discover`, `KnownIssuer::verifier`, `Introspection::new`; `DocumentClient` |
//! | `dpop` | | DPoP (RFC 9449): `Dpop`, the check of proofs of possession |
//! | `query-token` | | `Source::dangerous_query`: a token in the query of the URL |
//! | `test-util` | | for dev-dependencies: module `test_util`, which makes valid and invalid tokens for tests, and sends them to a service |
//! | `token-cache` | | `with_token_cache`: a bounded cache of verified tokens; off until it is called |
//! | `resource-metadata` | | RFC 9728: `ResourceMetadata`, a layer that serves it, and its URL in challenges: see [`docs::resource_metadata`] |
//! | `tonic-0_14` | | tonic 0.14: `From<Rejection> for tonic::Status` |
//! | `grpc-error-info` | | `with_grpc_error_info`: `google.rpc.ErrorInfo` in refusals over gRPC |
//! | `config` | | `LayerConfig` and `JwtAuthLayer::from_config`: the configuration from TOML, YAML, JSON or the environment: see [`docs::configuration`] |
//! | `stream-expiry` | | `EndAtExpiryLayer`: ends streams when their token expires; adds tokio, for a timer |
//! | `tracing` | | log events, spans of fetches, `record_in_span`: see [`docs::logging`] |
//! | `mcp` | | `McpRules` and `Principal`: scopes by MCP method and tool, and sessions of a user: see [`docs::mcp`] |
//! | `metrics` | | metrics, recorded with the `metrics` facade: `with_metrics`, fetches, the age of keys: see [`docs::logging`] |
//!
//! At least one crypto backend is needed. A feature only adds items, and does not change the behaviour of other
//! items, with three exceptions: `tracing` writes log events, `metrics` records fetches, and `precomputed-tables`
//! takes memory to save time. No feature turns on a backend of `jsonwebtoken` or installs its process-wide provider.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Wire data is hostile, and a panic can stop a server. So these are banned outside of tests.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!(
    "tower-jwt-auth needs a crypto backend: leave its default features on, or add one of the \
     features `aws-lc-rs` and `rust-crypto`"
);

mod authenticate;
mod authorize;
#[cfg(feature = "stream-expiry")]
mod end_at_expiry;

mod extract;
mod token;

mod crypto;
mod key;
mod key_source;

mod verify;

mod claims;

#[cfg(feature = "dpop")]
mod dpop;
mod replay_store;

mod rejection;

mod observe;

#[cfg(feature = "resource-metadata")]
mod resource_metadata;
mod upstream;

#[cfg(feature = "config")]
mod config;

#[cfg(feature = "issuer")]
mod issuer;

mod clock;
mod config_error;
mod extensions;
mod forward_or_answer;
mod hash_seed;
mod json_member;
mod list_field;
#[cfg(any(feature = "jwks-url", feature = "resource-metadata"))]
mod loopback;
mod opaque_error;
mod scheme;
mod strict_json;
mod summary;
mod trace;

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "jsonwebtoken-11")]
mod jsonwebtoken_11;
#[cfg(feature = "jsonwebtoken-12")]
mod jsonwebtoken_12;
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
mod jsonwebtoken_keys;
#[cfg(feature = "test-util")]
#[allow(clippy::expect_used, clippy::panic, reason = "a test that is mistaken should fail at once")]
pub mod test_util;

pub mod docs;

pub use crate::authenticate::{JwtAuth, JwtAuthLayer, ResponseFuture};
#[cfg(feature = "mcp")]
pub use crate::authorize::McpRules;
pub use crate::authorize::{
    Authorize, AuthorizeFuture, AuthorizeLayer, AuthorizeService, ClaimPath, GrpcRules, Rule,
};
#[cfg(feature = "axum")]
pub use crate::authorize::{Authorized, RequiredScopes};
#[cfg(feature = "axum")]
pub use crate::axum::ExtractorRejection;
pub use crate::claims::{
    AccessTokenClaims, Actor, Audience, NumericDate, RegisteredClaims, Scope, ScopeHierarchy,
};
pub use crate::clock::{Clock, FixedClock, SystemClock};
#[cfg(feature = "config")]
pub use crate::config::{ConfigVerifier, LayerConfig};
pub use crate::config_error::{ConfigError, ConfigErrorKind};
pub use crate::crypto::Algorithm;
#[cfg(feature = "dpop")]
pub use crate::dpop::{Dpop, ProxyHeaders};
#[cfg(feature = "stream-expiry")]
pub use crate::end_at_expiry::{EndAtExpiry, EndAtExpiryFuture, EndAtExpiryLayer, ExpiringBody};
pub use crate::extensions::MissingLayer;
pub use crate::extract::{PresentedToken, Source, TokenSource};
#[cfg(feature = "issuer")]
pub use crate::issuer::{
    DueKey, IssueError, IssueErrorKind, JwkSetService, KeyRing, NewAccessToken, NewIdToken,
    PrivatePem, RingKeyState, RingKeyStatus, SigningKey, TokenIssuer,
};
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
pub use crate::jsonwebtoken_keys::JsonwebtokenDecodingKey;
#[cfg(all(feature = "issuer", any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12")))]
pub use crate::jsonwebtoken_keys::JsonwebtokenEncodingKey;
pub use crate::key::{JwkSet, KeyCandidates, SkippedKey, VerificationKey};
#[cfg(feature = "key-file")]
pub use crate::key_source::KeyFile;
#[cfg(feature = "oidc-discovery")]
pub use crate::key_source::OidcDiscovery;
#[cfg(feature = "jwks-url")]
pub use crate::key_source::{ChangedKeys, Fetch, FetchFuture, FetchRequest, FetchUrl, JwksUrl};
#[cfg(feature = "reqwest-0_13")]
pub use crate::key_source::{DocumentClient, DocumentError, DocumentErrorKind, FetchedDocument};
pub use crate::key_source::{KeyLookup, KeyQuery, KeySource, KeySourceError, KeyStatus, KeyTask};
pub use crate::observe::Outcome;
pub use crate::rejection::{
    EmptyBody, ProblemJson, Rejection, RejectionFn, RejectionKind, RequestSummary,
    ResponseForRejection, cors_exposed_headers,
};
pub use crate::replay_store::{
    MemoryReplayStore, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore,
};
#[cfg(feature = "resource-metadata")]
pub use crate::resource_metadata::{
    ResourceMetadata, ResourceMetadataFuture, ResourceMetadataLayer, ResourceMetadataService,
};
pub use crate::scheme::TokenScheme;
pub use crate::summary::Summary;
pub use crate::token::TokenHeader;
pub use crate::upstream::{ClaimHeaders, ClaimHeadersLayer};
#[cfg(feature = "mcp")]
pub use crate::verify::Principal;
pub use crate::verify::{
    Accepted, AcceptedTokens, Checked, ClientCertificate, ClientCertificates, Confirmation,
    DangerousAnyBearer, DenyList, ExpectedAudience, ExpectedIssuer, ExplainedStep, Explanation,
    IntoChecked, IssuerKeyStatus, IssuerSet, IssuerTemplate, JwtVerifier, MapClaims,
    MemoryRevocationStore, OneTimeTokens, Revocation, RevocationLookup, RevocationQuery,
    RevocationStore, RevokeError, RevokeErrorKind, Revoked, SenderConstrained, StepOutcome,
    TemplateMatch, TokenKinds, UnconfirmedToken, Verification, VerifiedToken, VerifyAsyncFn,
    VerifyFn, VerifyToken, WithChecks, dangerous_any_bearer, verify_async_fn, verify_fn,
};
#[cfg(feature = "introspection")]
pub use crate::verify::{ClientAuthentication, Introspection};
#[cfg(feature = "oidc-discovery")]
pub use crate::verify::{GithubJobs, GitlabJobs, KnownIssuer, SpiffeBundle};

/// The README's Rust code, compiled.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "oidc-discovery",
    feature = "reqwest-0_13",
    feature = "test-util"
))]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
