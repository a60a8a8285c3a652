use std::fmt;
use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tower_layer::Layer;

use crate::authenticate::Policy;
use crate::authenticate::service::JwtAuth;
use crate::claims::RegisteredClaims;
use crate::config_error::ConfigError;
use crate::rejection::grpc::GrpcAnswers;
use crate::rejection::{EmptyBody, Rejection, RejectionFn, RequestSummary};
use crate::verify::VerifyToken;

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
/// # Refusals from below
///
/// A [`Rejection`] that a part below the layer returns gets the same answer: the layer writes it on the way
/// out, with its realm, its responder, its gRPC form and its log event. So one place decides on the form of
/// all refusals of an API. Such parts are handlers and extractors of axum (`Err(rejection)`), methods of tonic
/// with feature `tonic-0_14` (`Err(rejection.into())`, before the response begins), and other layers of this
/// crate.
///
/// Where layers are nested, the outermost one writes. A layer with [a realm](Self::with_realm) or
/// [a responder](Self::with_rejection_response) of its own writes its own refusals, and those of the parts
/// below it. What layers in between add to the response is kept: header fields, extensions. If one of them
/// changes its status, the response is left as it is.
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
    responder: Arc<R>,
}

impl<C: Send + Sync + 'static> JwtAuthLayer<C> {
    /// A layer that asks this verifier: a [`JwtVerifier`](crate::JwtVerifier), or another rule
    /// ([`VerifyToken`]).
    ///
    /// By default every request needs a token, the realm is `api`, HTTP refusals have an empty body,
    /// and a gRPC request gets a gRPC answer.
    pub fn new(verifier: impl VerifyToken<C>) -> Self {
        Self { policy: Arc::new(Policy::new(Arc::new(verifier))), responder: Arc::new(EmptyBody) }
    }
}

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Replaces what writes the responses of refused HTTP requests; [`EmptyBody`] by default.
    ///
    /// For a closure, see [`with_rejection_fn`](Self::with_rejection_fn).
    #[must_use]
    pub fn with_rejection_response<Q>(mut self, responder: Q) -> JwtAuthLayer<C, Q> {
        self.policy_mut().has_own_form = true;
        JwtAuthLayer { policy: self.policy, responder: Arc::new(responder) }
    }

    /// Replaces what writes the responses of refused HTTP requests by a closure.
    ///
    /// The body has to be `Default`, for the refusals of gRPC requests, whose body is empty. Implement
    /// [`ResponseForRejection`](crate::ResponseForRejection) for another body, to read more of the request
    /// than its method and URI, or where the type has to be written down (a field, what a function returns),
    /// which cannot be done for a closure.
    ///
    /// It writes what the layer refuses, and what the parts below it refuse (see "Refusals from below" at
    /// [`JwtAuthLayer`]).
    ///
    /// The closure sees the URI as this layer does: inside of axum's `Router::nest`, its path lacks the
    /// prefix (see [`exempt`](Self::exempt)).
    ///
    /// # Example: a custom page
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
    /// let layer = JwtAuthLayer::new(verifier).with_rejection_fn(|rejection, request| {
    ///     let page = format!("{} is not for everybody: {rejection}", request.uri().path());
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
        F: Fn(&Rejection, &RequestSummary) -> Response<B> + Send + Sync + 'static,
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

    /// Lets requests pass that bear no credentials, or those of another scheme only: the two that
    /// are challenged without an error code (RFC 6750 section 3.1). Off by default, when they are
    /// refused. A bad token does not pass either way.
    ///
    /// Handlers then see whether there is a token: `Option<VerifiedToken<C>>` with axum, the
    /// extensions elsewhere. It is always a token that this layer verified: one of a layer outside of
    /// it, with claims of the same type, is removed.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.policy_mut().optional = true;
        self
    }

    /// Lets requests pass without a look at their token when the predicate accepts their head: health
    /// checks, or metadata that clients read before they have a token (RFC 9728 section 3). None by
    /// default. A further call replaces the predicate.
    ///
    /// Compare whole paths: a prefix opens more than it says. The path is as the client wrote it,
    /// not normalized (RFC 3986 section 6.2.2).
    ///
    /// **Inside of axum's `Router::nest` the path lacks the prefix**: a layer on the router that is
    /// nested at `/admin` sees `/health`, and opens `/admin/health`. Read the whole path from axum's
    /// `OriginalUri` in `head.extensions`, as [the page on layer order](crate::docs::layer_order) shows,
    /// or put the layer around the outer router.
    ///
    /// Handlers see no [`VerifiedToken`](crate::VerifiedToken) of an exempt request, not even one that a
    /// layer outside of this one left there with claims of the same type. The value of `Authorization`
    /// is marked as sensitive all the same.
    ///
    /// # Example: one path
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
    /// let service = ServiceBuilder::new()
    ///     .layer(JwtAuthLayer::new(verifier).exempt(|head| head.uri.path() == "/health"))
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

    /// Answers refused gRPC-Web requests by gRPC-Web, and gRPC requests by gRPC. Off by default: the
    /// answer is an HTTP 200 with a `grpc-status`, and a request is gRPC-Web by its `content-type` alone,
    /// which any page and any client can send to a service that has no gRPC.
    ///
    /// Only for a service that browsers call by gRPC-Web, without a translator outside of this layer
    /// (such as `tonic_web::GrpcWebLayer`) that makes gRPC of it. Replaces
    /// [`without_grpc`](Self::without_grpc).
    #[must_use]
    pub fn with_grpc_web(mut self) -> Self {
        self.policy_mut().grpc_answers = GrpcAnswers::GrpcAndWeb;
        self
    }

    /// Answers refused gRPC requests by an HTTP status, as any others. By default a request that is
    /// gRPC beyond doubt gets a gRPC answer, an HTTP 200 (gRPC over HTTP/2, "Responses"). Replaces
    /// [`with_grpc_web`](Self::with_grpc_web).
    ///
    /// Call it where a status of 2xx means "allow": in a service that a proxy asks about each request
    /// (nginx `auth_request`, Envoy `ext_authz` over HTTP, Traefik `ForwardAuth`).
    #[must_use]
    pub fn without_grpc(mut self) -> Self {
        self.policy_mut().grpc_answers = GrpcAnswers::Never;
        self
    }

    fn policy_mut(&mut self) -> &mut Policy<C> {
        Arc::make_mut(&mut self.policy)
    }
}

impl<S, C, R> Layer<S> for JwtAuthLayer<C, R> {
    type Service = JwtAuth<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        JwtAuth::new(inner, Arc::clone(&self.policy), Arc::clone(&self.responder))
    }
}

impl<C, R> Clone for JwtAuthLayer<C, R> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy), responder: Arc::clone(&self.responder) }
    }
}

impl<C, R> fmt::Debug for JwtAuthLayer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthLayer").field("policy", &self.policy).finish_non_exhaustive()
    }
}
