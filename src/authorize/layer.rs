use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::authorize::Authorize;
use crate::authorize::service::AuthorizeService;
use crate::claims::{RegisteredClaims, Scope};
use crate::rejection::{Rejection, RejectionKind};

/// A layer that forwards requests whose verified token meets a rule, and refuses all others.
///
/// Put it inside of a [`JwtAuthLayer`](crate::JwtAuthLayer) with the same claims type `C`, around a route, a
/// router, a nested service or a tonic service. The `JwtAuthLayer` writes the response to a refusal, with its
/// realm and its responder. For several nested `JwtAuthLayer`s, see [Refusals from
/// below](crate::JwtAuthLayer#refusals-from-below).
///
/// | the request | the response |
/// |---|---|
/// | has a token that meets the rule | the response of the inner service |
/// | has a token that does not meet the rule | 403 (gRPC status 7), or 401 (gRPC status 16) for a step-up (see [`Rule`](crate::Rule)) |
/// | has no token, and the rule permits that, as for an open method of [`GrpcRules`](crate::GrpcRules) | the response of the inner service |
/// | was forwarded without a token (`optional`, `exempt`) | 401 (gRPC status 16), without an error code |
/// | did not pass a `JwtAuthLayer` with this claims type | 500, over gRPC too; with feature `tracing` one `error` event |
///
/// The inner service must be `Clone`, and its response body `Default`: see [`AuthorizeService`]. The layer is
/// cheap to clone. A forwarded request needs no allocation, except for claims that the rule reads by name.
///
/// # Example: a rule for each route
///
/// ```
/// # #[cfg(all(feature = "axum", feature = "test-util"))]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use tower::ServiceExt;
/// use tower_jwt_auth::test_util::TestIssuer;
/// use tower_jwt_auth::{AuthorizeLayer, ConfigError, JwtAuthLayer, RegisteredClaims, Rule};
///
/// /// The claims type is that of the verifier.
/// fn needs(scope: &str) -> Result<AuthorizeLayer<RegisteredClaims>, ConfigError> {
///     Ok(AuthorizeLayer::new(Rule::scope(scope)?))
/// }
///
/// let issuer = TestIssuer::new();
/// let app: Router = Router::new()
///     .route("/orders", get(async || "orders").route_layer(needs("orders:read")?))
///     .route("/admin", get(async || "admin").route_layer(needs("admin")?))
///     .route_layer(JwtAuthLayer::new(issuer.verifier()));
///
/// let token = issuer.token().claim("scope", "orders:read").build();
/// for (path, status) in [("/orders", 200), ("/admin", 403)] {
///     let request = Request::get(path).header("authorization", format!("Bearer {token}"));
///     let response = app.clone().oneshot(request.body(Body::empty())?).await?;
///     assert_eq!(response.status(), status);
/// }
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "axum", feature = "test-util")))]
/// # fn main() {}
/// ```
pub struct AuthorizeLayer<C = RegisteredClaims> {
    gate: Arc<Gate<C>>,
}

/// The configuration of a layer, shared by all its services.
pub(super) struct Gate<C> {
    pub(super) rule: Box<dyn Authorize<C>>,
    /// The refusal of a request without a token.
    pub(super) no_token: Rejection,
}

impl<C> AuthorizeLayer<C> {
    /// Creates a layer from a [`Rule`](crate::Rule), a table of gRPC methods ([`GrpcRules`](crate::GrpcRules)),
    /// a closure `|token: &VerifiedToken<Claims>, head: &Parts| -> Result<(), Rejection>` that states the
    /// types of its arguments, or a custom type that implements [`Authorize`].
    ///
    /// If the compiler cannot infer the claims type, name it: `AuthorizeLayer::<Claims>::new(rule)`.
    pub fn new(rule: impl Authorize<C>) -> Self {
        let missing = Rejection::from(RejectionKind::MissingCredentials);
        let no_token = match rule.required_scope() {
            Some(scope) => missing.with_scope(scope),
            None => missing,
        };
        Self { gate: Arc::new(Gate { rule: Box::new(rule), no_token }) }
    }

    /// The scope that a client should request to meet the rule: the result of
    /// [`Authorize::required_scope`](crate::Authorize::required_scope), for API documents and challenges.
    pub fn required_scope(&self) -> Option<Scope> {
        self.gate.no_token.scope().cloned()
    }
}

impl<S, C> Layer<S> for AuthorizeLayer<C> {
    type Service = AuthorizeService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizeService::new(inner, Arc::clone(&self.gate))
    }
}

impl<C> Clone for AuthorizeLayer<C> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate) }
    }
}

impl<C> fmt::Debug for AuthorizeLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeLayer")
            .field("required_scope", &self.required_scope())
            .finish_non_exhaustive()
    }
}
