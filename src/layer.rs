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
    /// A layer that asks this verifier: a [`JwtVerifier`](crate::JwtVerifier), or another rule
    /// ([`VerifyToken`]).
    ///
    /// By default every request needs a token, the realm is `api`, HTTP refusals have an empty body,
    /// and requests that are gRPC get a gRPC answer.
    ///
    /// # Example: with a token and without
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = ServiceBuilder::new()
    ///     .layer(JwtAuthLayer::new(any_bearer()))
    ///     .service(service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()))));
    ///
    /// let with = Request::builder().header("authorization", "Bearer demo-token").body(String::new())?;
    /// let without = Request::new(String::new());
    /// assert_eq!(service.clone().oneshot(with).await?.status(), 200);
    /// assert_eq!(service.oneshot(without).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
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
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, ProblemJson, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = ServiceBuilder::new()
    ///     .layer(JwtAuthLayer::new(any_bearer()).with_rejection_response(ProblemJson))
    ///     .service(service_fn(async |_: Request<Bytes>| Ok::<_, std::io::Error>(Response::new(Bytes::new()))));
    ///
    /// let response = service.oneshot(Request::new(Bytes::new())).await?;
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.headers()["content-type"], "application/problem+json");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_rejection_response<Q>(self, responder: Q) -> JwtAuthLayer<C, Q> {
        JwtAuthLayer { policy: self.policy, responder }
    }

    /// Replaces what writes the responses of refused HTTP requests by a closure.
    ///
    /// The body still needs a `Default`, for the refusals of gRPC requests, which have none. A type that
    /// has to be written down (a field, what a function returns) cannot name a closure: implement
    /// [`ResponseForRejection`](crate::ResponseForRejection) for a type of yours there.
    ///
    /// It writes what the *layer* refuses. What an extractor or a handler refuses (a missing scope, say)
    /// is answered there, with an empty body; those responses too have the [`Rejection`] among their
    /// extensions: to give all of them one form, map the response outside of the layer.
    ///
    /// # Example: a page of one's own
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = JwtAuthLayer::new(any_bearer()).with_rejection_fn(|rejection, head| {
    ///     let page = format!("{} is not for everybody: {rejection}", head.uri.path());
    ///     let mut response = Response::new(page);
    ///     *response.status_mut() = rejection.status();
    ///     response
    /// });
    /// let service = ServiceBuilder::new()
    ///     .layer(layer)
    ///     .service(service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()))));
    ///
    /// let response = service.oneshot(Request::get("/orders").body(String::new())?).await?;
    /// assert_eq!(response.body(), "/orders is not for everybody: no bearer token was given");
    /// # Ok(())
    /// # }
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
    ///
    /// # Example: the orders
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = JwtAuthLayer::new(any_bearer());
    /// assert!(layer.clone().with_realm("").is_err());
    /// let service = ServiceBuilder::new()
    ///     .layer(layer.with_realm("orders")?)
    ///     .service(service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()))));
    ///
    /// let response = service.oneshot(Request::new(String::new())).await?;
    /// assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"orders\"");
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.policy_mut().set_realm(realm)?;
        Ok(self)
    }

    /// Lets requests pass that bear no credentials, or those of another scheme only: the two that
    /// are challenged without an error code (RFC 6750 section 3.1). Off by default, when they are
    /// refused. A bad token does not pass either way.
    ///
    /// Handlers then see whether there is a token: `Option<VerifiedToken<C>>` with axum, the
    /// extensions elsewhere.
    ///
    /// # Example: a greeting for everybody
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, VerifiedToken, any_bearer};
    ///
    /// async fn greet(request: Request<String>) -> Result<Response<String>, std::io::Error> {
    ///     let known = VerifiedToken::<()>::from_extensions(request.extensions()).is_ok();
    ///     Ok(Response::new(if known { "welcome back" } else { "welcome" }.into()))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service =
    ///     ServiceBuilder::new().layer(JwtAuthLayer::new(any_bearer()).optional()).service(service_fn(greet));
    ///
    /// let response = service.clone().oneshot(Request::new(String::new())).await?;
    /// assert_eq!(response.body(), "welcome");
    ///
    /// let bad = Request::builder().header("authorization", "Bearer").body(String::new())?;
    /// assert_eq!(service.oneshot(bad).await?.status(), 400);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.policy_mut().optional = true;
        self
    }

    /// Skips the layer for requests whose head the predicate accepts, such as health checks, or
    /// metadata that clients read before they have a token (RFC 9728 section 3); none by default. A
    /// further call replaces the predicate.
    ///
    /// Compare whole paths: a prefix opens more than it says. The path is as the client wrote it,
    /// not normalized (RFC 3986 section 6.2.2).
    ///
    /// # Example: one path
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = ServiceBuilder::new()
    ///     .layer(JwtAuthLayer::new(any_bearer()).exempt(|head| head.uri.path() == "/health"))
    ///     .service(service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()))));
    ///
    /// for (path, status) in [("/health", 200), ("/health/", 401), ("/orders", 401)] {
    ///     let request = Request::builder().uri(path).body(String::new())?;
    ///     assert_eq!(service.clone().oneshot(request).await?.status(), status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn exempt(mut self, is_exempt: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.policy_mut().exempt = Some(Arc::new(is_exempt));
        self
    }

    /// Lets CORS preflights pass, as browsers send them (Fetch standard, "CORS-preflight request"):
    /// an `OPTIONS` request with `Origin` and `Access-Control-Request-Method`, and without
    /// credentials. Off by default; any other `OPTIONS` request is never let through.
    ///
    /// A CORS layer outside of this one answers them itself and makes this needless.
    ///
    /// # Example: a preflight, and another `OPTIONS` request
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service = ServiceBuilder::new()
    ///     .layer(JwtAuthLayer::new(any_bearer()).pass_cors_preflight())
    ///     .service(service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()))));
    ///
    /// let preflight = Request::builder()
    ///     .method("OPTIONS")
    ///     .header("origin", "https://app.example")
    ///     .header("access-control-request-method", "POST")
    ///     .body(String::new())?;
    /// assert_eq!(service.clone().oneshot(preflight).await?.status(), 200);
    ///
    /// let other = Request::builder().method("OPTIONS").body(String::new())?;
    /// assert_eq!(service.oneshot(other).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pass_cors_preflight(mut self) -> Self {
        self.policy_mut().cors_preflight = true;
        self
    }

    /// Answers gRPC requests as any others, by an HTTP status. By default a request that is gRPC or
    /// gRPC-Web beyond doubt gets a gRPC answer (gRPC over HTTP/2, "Responses").
    ///
    /// # Example: either answer
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_jwt_auth::{JwtAuthLayer, any_bearer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let inner = service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new())));
    /// let request = || {
    ///     Request::post("/orders.Orders/List")
    ///         .header("content-type", "application/grpc")
    ///         .header("te", "trailers")
    ///         .body(String::new())
    /// };
    /// let layer = JwtAuthLayer::new(any_bearer());
    ///
    /// let grpc = layer.layer(inner).oneshot(request()?).await?;
    /// assert_eq!(grpc.headers()["grpc-status"], "16");
    ///
    /// let http = layer.without_grpc().layer(inner).oneshot(request()?).await?;
    /// assert_eq!(http.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
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
