use std::fmt;
use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tower_layer::Layer;

use crate::authenticate::Policy;
use crate::rejection::RejectionFn;
use crate::{ConfigError, EmptyBody, JwtAuth, RegisteredClaims, Rejection, VerifyToken};

/// Lets requests pass that bear a good token, with its claims in their extensions, and refuses all
/// others.
///
/// One value fits every service, body and framework; cloning it is cheap. `C` is the type of the
/// claims, and `R` writes the responses of refused HTTP requests.
///
/// A request needs exactly one `Authorization: Bearer` (RFC 6750 section 2.1). A refusal is the
/// status and the challenge of the table at [`RejectionKind`](crate::RejectionKind); to a gRPC
/// request it is a trailers-only gRPC answer.
///
/// # Example: around any service
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
/// let service = ServiceBuilder::new()
///     .layer(JwtAuthLayer::new(verifier))
///     .service(service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()))));
///
/// let response = service.oneshot(Request::new(String::new())).await?;
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"api\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JwtAuthLayer<C = RegisteredClaims, R = EmptyBody> {
    policy: Arc<Policy<C>>,
    responder: R,
}

impl<C: Send + Sync + 'static> JwtAuthLayer<C> {
    /// A layer that asks this verifier, and answers refusals with an empty body.
    pub fn new(verifier: impl VerifyToken<C>) -> Self {
        Self { policy: Arc::new(Policy::new(Arc::new(verifier))), responder: EmptyBody }
    }
}

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Replaces what writes the responses of refused HTTP requests; [`EmptyBody`] by default.
    ///
    /// For a closure, see [`with_rejection_fn`](Self::with_rejection_fn).
    ///
    /// # Example: problem details
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, ProblemJson, any_bearer};
    ///
    /// let layer = JwtAuthLayer::new(any_bearer()).with_rejection_response(ProblemJson);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn with_rejection_response<Q>(self, responder: Q) -> JwtAuthLayer<C, Q> {
        JwtAuthLayer { policy: self.policy, responder }
    }

    /// Replaces what writes the responses of refused HTTP requests by a closure.
    ///
    /// The body still needs a `Default`, for the refusals of gRPC requests, which have none.
    ///
    /// # Example: a page of one's own
    ///
    /// ```
    /// use http::Response;
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// let layer = JwtAuthLayer::new(any_bearer()).with_rejection_fn(|rejection, head| {
    ///     let page = format!("{} is not for everybody: {rejection}", head.uri.path());
    ///     let mut response = Response::new(page);
    ///     *response.status_mut() = rejection.status();
    ///     response
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn with_rejection_fn<B, F>(self, respond: F) -> JwtAuthLayer<C, RejectionFn<F>>
    where
        F: Fn(&Rejection, &Parts) -> Response<B>,
    {
        self.with_rejection_response(RejectionFn(respond))
    }

    /// Replaces the realm of the challenges, which tells people what the token is for; `api` by
    /// default (RFC 9110 section 11.5).
    ///
    /// # Errors
    ///
    /// When it is empty or holds anything but printable ASCII.
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.policy_mut().set_realm(realm)?;
        Ok(self)
    }

    /// Lets requests pass that bear no credentials, or those of another scheme only; without it they
    /// are refused. A bad token does not pass either way.
    ///
    /// Handlers then see whether there is a token: `Option<VerifiedToken<C>>` with axum, the
    /// extensions elsewhere.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.policy_mut().optional = true;
        self
    }

    /// Skips the layer for requests whose head the predicate accepts, such as health checks; none
    /// by default. A further call replaces the predicate.
    ///
    /// Compare whole paths: a prefix opens more than it says.
    ///
    /// # Example: one path
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// let layer = JwtAuthLayer::new(any_bearer()).exempt(|head| head.uri.path() == "/health");
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn exempt(mut self, is_exempt: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.policy_mut().exempt = Some(Arc::new(is_exempt));
        self
    }

    /// Lets CORS preflights pass: an `OPTIONS` request with `Origin` and
    /// `Access-Control-Request-Method`, and without credentials. Off by default; any other `OPTIONS`
    /// request is never let through.
    ///
    /// A CORS layer outside of this one answers them itself and makes this needless.
    #[must_use]
    pub fn pass_cors_preflight(mut self) -> Self {
        self.policy_mut().cors_preflight = true;
        self
    }

    /// Answers gRPC requests as any others, by an HTTP status. By default a request that is gRPC or
    /// gRPC-Web beyond doubt gets a gRPC answer.
    #[must_use]
    pub fn without_grpc(mut self) -> Self {
        self.policy_mut().grpc = false;
        self
    }

    fn policy_mut(&mut self) -> &mut Policy<C> {
        Arc::make_mut(&mut self.policy)
    }
}

impl<S, C, R: Clone> Layer<S> for JwtAuthLayer<C, R> {
    type Service = JwtAuth<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        JwtAuth::new(inner, Arc::clone(&self.policy), self.responder.clone())
    }
}

impl<C, R: Clone> Clone for JwtAuthLayer<C, R> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy), responder: self.responder.clone() }
    }
}

impl<C, R> fmt::Debug for JwtAuthLayer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthLayer").field("policy", &self.policy).finish_non_exhaustive()
    }
}
