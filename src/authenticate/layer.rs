use std::fmt;
use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tower_layer::Layer;

use crate::authenticate::Policy;
use crate::authenticate::service::JwtAuth;
use crate::claims::{RegisteredClaims, Scope};
use crate::config_error::ConfigError;
#[cfg(feature = "grpc-error-info")]
use crate::rejection::error_info::ErrorInfos;
use crate::rejection::grpc::GrpcAnswers;
use crate::rejection::{EmptyBody, Rejection, RejectionFn, RequestSummary};
#[cfg(feature = "resource-metadata")]
use crate::resource_metadata::ResourceMetadata;
use crate::verify::VerifyToken;

/// A layer that forwards requests with a valid token, and refuses all others.
///
/// The inner service finds the claims in the request's extensions, as a [`VerifiedToken<C>`](crate::VerifiedToken).
/// `C` is the type of the claims. `R` writes the responses of refused HTTP requests. The layer works in every
/// framework that is built on Tower, with any request body: the inner service must be `Clone`, and by default its
/// response body `Default` (see [`JwtAuth`](crate::JwtAuth)). The layer is cheap to clone.
///
/// A request needs exactly one `Authorization` header with a scheme of the verifier (by default `Bearer`, RFC 6750
/// section 2.1), or, with [`with_sources`](Self::with_sources), exactly one credential in one of the sources. A refusal has
/// the status in the table at [`RejectionKind`](crate::RejectionKind) and, unless that is 503, a challenge. A gRPC
/// request gets a trailers-only gRPC response.
///
/// # Refusals from below
///
/// Services inside of the layer can refuse a request too, with a [`Rejection`]. The layer then replaces their
/// response with its own: its realm, its responder, its gRPC form and its log event. So all refusals of an
/// API have the same form. These services are:
///
/// - handlers and extractors of axum: `Err(rejection)`;
/// - methods of tonic, with feature `tonic-0_14`, before the response begins: `Err(rejection.into())`;
/// - other layers of this crate.
///
/// If layers are nested, the outermost one writes the response. But a layer with a form of its own
/// ([realm](Self::with_realm), [responder](Self::with_rejection_response), scope or metadata in the challenge, the scheme
/// `DPoP`, gRPC error info, [`without_grpc`](Self::without_grpc) or [`with_grpc_web`](Self::with_grpc_web)) writes its own refusals
/// and those of the services inside of it.
///
/// Header fields and extensions that services in between add to the response are kept; the body is replaced. If a
/// service in between changes the status of the response (for tonic: the code or the message), or makes a new
/// response, the layer leaves that response unchanged. Then the refusal is not logged, except that of an inner
/// `JwtAuthLayer`, which has logged it. A service that hides a refusal, for example behind a 404, must also remove
/// `WWW-Authenticate`.
///
/// # Example: protect any service
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 bytes", Algorithm::HS256)?;
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
    #[cfg(feature = "resource-metadata")]
    pub(super) resource_metadata: Option<Arc<ResourceMetadata>>,
}

impl<C: Send + Sync + 'static> JwtAuthLayer<C> {
    /// Creates a layer that verifies tokens with a [`JwtVerifier`](crate::JwtVerifier) or another [`VerifyToken`].
    ///
    /// By default every request needs a token, the realm is `api`, HTTP refusals have an empty body, and a gRPC
    /// request gets a gRPC response.
    pub fn new(verifier: impl VerifyToken<C>) -> Self {
        Self {
            policy: Arc::new(Policy::new(Arc::new(verifier))),
            responder: Arc::new(EmptyBody),
            #[cfg(feature = "resource-metadata")]
            resource_metadata: None,
        }
    }
}

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Replaces the responder, which writes the responses to refused HTTP requests. The default is
    /// [`EmptyBody`].
    ///
    /// For a closure, see [`with_rejection_fn`](Self::with_rejection_fn).
    #[must_use]
    pub fn with_rejection_response<Q>(mut self, responder: Q) -> JwtAuthLayer<C, Q> {
        self.policy_mut().has_own_form = true;
        JwtAuthLayer {
            policy: self.policy,
            responder: Arc::new(responder),
            #[cfg(feature = "resource-metadata")]
            resource_metadata: self.resource_metadata,
        }
    }

    /// Replaces the responder with a closure that writes the responses to refused HTTP requests.
    ///
    /// The closure returns a response with the body type of the inner service (for axum, `axum::body::Body`). This type
    /// must be `Default`, for the empty body of gRPC refusals. The type of a closure has no name: if you have to name
    /// the type of the layer, pass a function pointer, as in the example of [`RejectionFn`](crate::RejectionFn).
    ///
    /// To use a body type that is not `Default`, or to read more of the request than its method and URI, write a
    /// [`ResponseForRejection`](crate::ResponseForRejection) of your own.
    ///
    /// The closure writes the refusals of the layer, and the refusals of services inside of it (see [Refusals from
    /// below](JwtAuthLayer#refusals-from-below)).
    ///
    /// Inside of axum's `Router::nest`, the path of the URI lacks the prefix (see [`exempt`](Self::exempt)).
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
    /// let key = VerificationKey::from_secret(b"an example of a secret: 32 bytes", Algorithm::HS256)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
    /// let layer = JwtAuthLayer::new(verifier).with_rejection_fn(|rejection, request| {
    ///     let page = format!("{} is not for everybody: {rejection}", request.path());
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

    /// Replaces the realm in the challenges (RFC 9110 section 11.5). The realm tells people which protected
    /// area the challenge is for. The default is `api`.
    ///
    /// When layers are nested, the outermost one normally writes the response to every refusal. But an inner layer
    /// on which `with_realm` was called writes the responses to its own refusals and to those of the services
    /// inside of it: see [Refusals from below](JwtAuthLayer#refusals-from-below).
    ///
    /// # Errors
    ///
    /// When the realm is empty or contains a character that is not printable ASCII (a space is allowed).
    pub fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.policy_mut().set_realm(realm)?;
        Ok(self)
    }

    /// Sets the scope that the challenge of every 401 names, so that a client knows what to request for its token
    /// (RFC 6750 section 3). By default a 401 names none. A [`Rejection`](crate::Rejection) with a scope of its own,
    /// such as the 403 for a missing scope, names that scope instead. The 401 of a step-up never names this scope: the
    /// client would lose the other scopes of its token.
    ///
    /// Name the smallest scope that is useful. [`Rule::required_scope`](crate::Rule::required_scope) returns the
    /// scope to name for a rule.
    ///
    /// # Errors
    ///
    /// When a value is `offline_access` or is not a valid scope value (RFC 6749 section 3.3).
    ///
    /// # Example: the scope of a rule
    ///
    /// ```
    /// use tower_jwt_auth::{AuthorizeLayer, ConfigError, JwtAuthLayer, JwtVerifier, Rule};
    ///
    /// fn layers(verifier: JwtVerifier) -> Result<(JwtAuthLayer, AuthorizeLayer), ConfigError> {
    ///     let authorize = AuthorizeLayer::new(Rule::scope("orders:read")?);
    ///     let auth = JwtAuthLayer::new(verifier).with_scope_in_challenge(authorize.required_scope())?;
    ///     Ok((auth, authorize))
    /// }
    /// # let _ = layers;
    /// ```
    pub fn with_scope_in_challenge(
        mut self,
        scope: impl Into<Option<Scope>>,
    ) -> Result<Self, ConfigError> {
        self.policy_mut().set_scope(scope.into())?;
        Ok(self)
    }

    /// Forwards requests that have no credentials, or only credentials of another scheme, or only a cookie from a
    /// [foreign origin](crate::RejectionKind::ForeignOrigin). By default such requests are refused. A request with an invalid token is refused in any case.
    ///
    /// A handler learns whether there is a token from `Option<VerifiedToken<C>>` with axum, and from the extensions
    /// otherwise. The token is always one that this layer verified: the layer removes a token with the same claims
    /// type that an outer layer verified.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.policy_mut().optional = true;
        self
    }

    /// Forwards requests without verification if the predicate accepts their head. Use it for health checks, or
    /// for metadata that clients read before they have a token (RFC 9728 section 3). No request is exempt by
    /// default. A second call replaces the predicate.
    ///
    /// Compare whole paths: a prefix also matches longer paths. The path is not normalized (RFC 3986 section
    /// 6.2.2).
    ///
    /// **Inside of axum's `Router::nest` the path lacks the prefix**: a layer on the router that is
    /// nested at `/admin` sees `/health`, and opens `/admin/health`. Read the whole path from axum's
    /// `OriginalUri` in `head.extensions`, as [the page on layer order](crate::docs::layer_order) shows,
    /// or put the layer around the outer router.
    ///
    /// Handlers of an exempt request see no [`VerifiedToken<C>`](crate::VerifiedToken), not even one from an
    /// outer layer. The value of `Authorization` is still marked as sensitive.
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
    /// let key = VerificationKey::from_secret(b"an example of a secret: 32 bytes", Algorithm::HS256)?;
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

    /// Refuses gRPC-Web requests with a gRPC-Web response, and gRPC requests with a gRPC response. By default
    /// a refused gRPC-Web request gets an HTTP status.
    ///
    /// Call this method only for a service that browsers call over gRPC-Web. It is not needed behind a translator
    /// such as `tonic_web::GrpcWebLayer`, which turns a request into gRPC and a refusal back into gRPC-Web.
    ///
    /// A gRPC-Web refusal is an HTTP 200, with the status and the message in its header, so CORS must
    /// [expose them](crate::cors_exposed_headers). Any client can ask for this form with its `content-type`. A proxy
    /// that asks this service for a decision (nginx `auth_request`, Envoy `ext_authz`, Traefik `ForwardAuth`) would
    /// take the refusal for "allowed": use [`without_grpc`](Self::without_grpc) there. This setting replaces it.
    #[must_use]
    pub fn with_grpc_web(mut self) -> Self {
        self.policy_mut().set_grpc_answers(GrpcAnswers::GrpcAndWeb);
        self
    }

    /// Refuses gRPC requests with an HTTP status, like all other requests. By default a gRPC request gets a
    /// gRPC response, which is an HTTP 200 (gRPC over HTTP/2, "Responses"). This setting replaces
    /// [`with_grpc_web`](Self::with_grpc_web).
    ///
    /// Call this method in a service that authorizes requests for a proxy, where a 2xx status means "allow" (nginx
    /// `auth_request`, Envoy `ext_authz` over HTTP, Traefik `ForwardAuth`).
    #[must_use]
    pub fn without_grpc(mut self) -> Self {
        self.policy_mut().set_grpc_answers(GrpcAnswers::Never);
        self
    }

    /// Adds a `google.rpc.ErrorInfo` to the status details of refusals over gRPC and gRPC-Web
    /// (`grpc-status-details-bin`), so that a client can read the reason without parsing a text; none by default. HTTP
    /// refusals do not change.
    ///
    /// The domain names the service that refuses, such as `orders.example.com`. The reason is the name of the
    /// [`RejectionKind`](crate::RejectionKind) in upper case, such as `EXPIRED_TOKEN`. The metadata are what the
    /// [`Rejection`] has of `error`, `scope`, `acr_values` and `max_age`, and nothing that the layer adds to its
    /// challenges ([`with_scope_in_challenge`](Self::with_scope_in_challenge), the metadata of the resource). The details
    /// of a `tonic::Status` that the application made with a rejection as its source are kept instead.
    ///
    /// # Errors
    ///
    /// When the domain is empty, longer than 253 bytes, or contains a space or a character that is not printable
    /// ASCII.
    ///
    /// # Example: a client that reads the reason
    ///
    /// ```
    /// use tonic_types::StatusExt;
    /// use tower_jwt_auth::{ConfigError, JwtAuthLayer, JwtVerifier};
    ///
    /// fn server(verifier: JwtVerifier) -> Result<JwtAuthLayer, ConfigError> {
    ///     JwtAuthLayer::new(verifier).with_grpc_error_info("orders.example.com")
    /// }
    ///
    /// fn should_get_a_new_token(status: &tonic::Status) -> bool {
    ///     status.get_details_error_info().is_some_and(|info| info.reason == "EXPIRED_TOKEN")
    /// }
    /// # let _ = (server, should_get_a_new_token);
    /// ```
    #[cfg(feature = "grpc-error-info")]
    pub fn with_grpc_error_info(mut self, domain: &str) -> Result<Self, ConfigError> {
        let error_infos = ErrorInfos::new(domain)?;
        let policy = self.policy_mut();
        policy.grpc.error_infos = Some(Arc::new(error_infos));
        policy.has_own_form = true;
        Ok(self)
    }

    pub(super) fn policy_mut(&mut self) -> &mut Policy<C> {
        let policy = Arc::make_mut(&mut self.policy);
        policy.is_to_be_announced();
        policy
    }
}

impl<C, R> JwtAuthLayer<C, R> {
    pub(super) fn policy(&self) -> &Arc<Policy<C>> {
        &self.policy
    }
}

impl<S, C: 'static, R> Layer<S> for JwtAuthLayer<C, R> {
    type Service = JwtAuth<S, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        self.policy.announce();
        JwtAuth::new(inner, Arc::clone(&self.policy), Arc::clone(&self.responder))
    }
}

impl<C, R> Clone for JwtAuthLayer<C, R> {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            responder: Arc::clone(&self.responder),
            #[cfg(feature = "resource-metadata")]
            resource_metadata: self.resource_metadata.clone(),
        }
    }
}

impl<C, R> fmt::Debug for JwtAuthLayer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthLayer").field("policy", &self.policy).finish_non_exhaustive()
    }
}
