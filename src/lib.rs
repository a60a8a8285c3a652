//! One Tower layer that turns `Authorization: Bearer` into typed, trusted claims in the request's
//! extensions, or into a correct refusal: under axum, tonic, hyper and any other HTTP stack.
//!
//! # Example: an API with axum
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # fn main() -> Result<(), tower_jwt_auth::ConfigError> {
//! use axum::{Router, routing::get};
//! use serde::Deserialize;
//! use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey, VerifiedToken};
//!
//! /// A token without `sub` is refused: 401.
//! #[derive(Deserialize)]
//! struct Claims {
//!     sub: String,
//! }
//!
//! let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
//! let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
//! let app: Router = Router::new()
//!     .route("/me", get(async |token: VerifiedToken<Claims>| token.sub.clone()))
//!     .route_layer(JwtAuthLayer::new(verifier.with_claims::<Claims>()));
//! # let _ = app;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # What it does
//!
//! A request's head goes through these stages, each a module of the source, in this order:
//!
//! | stage | question | type |
//! |---|---|---|
//! | extraction | where is the token? | [`PresentedToken`] |
//! | compact JWS | is it a signed token at all? | [`TokenHeader`] |
//! | key look-up | which key? | [`KeySource`] |
//! | signature | did the issuer sign it? | [`VerificationKey`] |
//! | claim rules | is it for us, now? | [`JwtVerifier`] |
//! | extensions | | [`VerifiedToken`] |
//! | refusal | why not? | [`Rejection`] |
//!
//! Correct by default: whom a token must be from and for are arguments, and then required; every
//! algorithm is bound to a key when the key is loaded; what weakens a check is called
//! `dangerous_…`. The defaults stand at [`JwtVerifier`], the answers at [`RejectionKind`].
//!
//! # Guides
//!
//! To start:
//!
//! - [`docs::axum`]: routes, claims, scopes, refusals.
//! - [`docs::tonic`]: a gRPC server, one service, one method.
//! - [`docs::hyper`]: hyper, and any other Tower stack.
//! - [`docs::without_a_request`]: queues, and other tokens that come without a request.
//! - [`docs::testing`]: tests of handlers and routers with feature `test-util`.
//! - [`docs::from_jsonwebtoken`]: from hand-written `jsonwebtoken` code: before and after.
//! - [`docs::from_fastapi`]: FastAPI's security tutorial, step by step.
//!
//! To go on:
//!
//! - [`docs::providers`]: Auth0, Keycloak, Entra ID, Cognito, Google, Okta, Firebase, Dex, Clerk, WorkOS,
//!   Kubernetes, SPIFFE.
//! - [`docs::layer_order`]: CORS, tracing, limits and this layer.
//! - [`docs::websockets_and_cookies`]: tokens from browsers that are not in `Authorization`.
//! - [`docs::logging`]: the subject in a tracing span, and what the crate logs.
//! - [`docs::security`]: the threat model: what is defended, and by which test.
//! - [`docs::design`]: the design record: what was decided, and why.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `aws-lc-rs` | yes | the crypto backend: it needs a C compiler and nothing else |
//! | `rust-crypto` | | the other backend, in Rust alone: no ES512; with both on, aws-lc-rs is used |
//! | `jsonwebtoken-12` | yes | conversions from the keys, algorithms and JWKs of `jsonwebtoken` 12 |
//! | `jsonwebtoken-11` | | the same for `jsonwebtoken` 11 |
//! | `axum` | | for axum 0.8: extractors of [`VerifiedToken`] and [`PresentedToken`], and `IntoResponse for Rejection` |
//! | `issuer` | | `TokenIssuer` and `SigningKey`: issues tokens, signed by aws-lc-rs |
//! | `jwks-url` | | `JwksUrl`: keys from a URL, fetched by a client of yours (`Fetch`) and refreshed in the background; brings tokio |
//! | `oidc-discovery` | | `OidcDiscovery` and `JwtVerifier::discover_with`: the keys' URL from the issuer's metadata; `KnownIssuer`: the issuers of the trade |
//! | `reqwest-0_13` | | the HTTP client (reqwest 0.13, rustls): `JwksUrl::new`, and with `oidc-discovery` `JwtVerifier::discover` and `KnownIssuer::verifier` |
//! | `test-util` | | for dev-dependencies: a kit (module `test_util`) that tests handlers and mints right and wrong tokens |
//! | `tonic-0_14` | | for tonic 0.14: `From<Rejection> for tonic::Status` |
//! | `tracing` | | one `debug` event for each refused request; `info` and `warn` where fetched keys change or cannot be had, `warn` for doubtful secrets and keys, `error` for a missing layer |
//!
//! Features add, and change nothing of what is there. One of the two backends must be on. Neither
//! touches the process-wide provider of `jsonwebtoken`, or turns on a backend of it.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Wire data is hostile, and a panic is a way to take a server down: none of these outside of tests.
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

mod extract;
mod token;

mod crypto;
mod key;
mod key_source;

mod verify;

mod claims;

mod rejection;

#[cfg(feature = "issuer")]
mod issuer;

mod clock;
mod config_error;
mod extensions;
mod opaque_error;
mod strict_json;
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
#[cfg(feature = "tonic-0_14")]
mod tonic_0_14;

pub mod docs;

pub use crate::authenticate::{JwtAuth, JwtAuthLayer, ResponseFuture};
#[cfg(feature = "axum")]
pub use crate::axum::ExtractorRejection;
pub use crate::claims::{AccessTokenClaims, Audience, NumericDate, RegisteredClaims, Scope};
pub use crate::clock::{Clock, FixedClock, SystemClock};
pub use crate::config_error::{ConfigError, ConfigErrorKind};
pub use crate::crypto::Algorithm;
pub use crate::extensions::MissingLayer;
pub use crate::extract::{PresentedToken, TokenScheme, TokenSource};
#[cfg(feature = "issuer")]
pub use crate::issuer::{IssueError, IssueErrorKind, SigningKey, TokenIssuer};
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
pub use crate::jsonwebtoken_keys::JsonwebtokenDecodingKey;
#[cfg(all(feature = "issuer", any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12")))]
pub use crate::jsonwebtoken_keys::JsonwebtokenEncodingKey;
pub use crate::key::{JwkSet, KeyCandidates, SkippedKey, VerificationKey};
#[cfg(feature = "oidc-discovery")]
pub use crate::key_source::OidcDiscovery;
#[cfg(feature = "jwks-url")]
pub use crate::key_source::{Fetch, FetchFuture, FetchRequest, JwksUrl};
pub use crate::key_source::{KeyLookup, KeyQuery, KeySource, KeySourceError, KeyStatus, KeyTask};
pub use crate::rejection::{
    EmptyBody, ProblemJson, Rejection, RejectionFn, RejectionKind, RequestSummary,
    ResponseForRejection,
};
pub use crate::token::TokenHeader;
#[cfg(feature = "oidc-discovery")]
pub use crate::verify::KnownIssuer;
pub use crate::verify::{
    Accepted, DangerousAnyBearer, ExpectedAudience, ExpectedIssuer, IssuerKeyStatus, IssuerSet,
    IssuerTemplate, JwtVerifier, TemplateMatch, Verification, VerifiedToken, VerifyAsyncFn,
    VerifyFn, VerifyToken, dangerous_any_bearer, verify_async_fn, verify_fn,
};

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
