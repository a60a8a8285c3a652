use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use tower_layer::Layer;

use crate::resource_metadata::document::Configured;
use crate::resource_metadata::identifier::WELL_KNOWN;
use crate::resource_metadata::metadata::ResourceMetadata;
use crate::resource_metadata::service::ResourceMetadataService;
use crate::verify::AcceptedTokens;

/// A layer that serves the metadata of a protected resource (RFC 9728), and forwards all other requests.
/// [`JwtAuthLayer::resource_metadata_layer`](crate::JwtAuthLayer::resource_metadata_layer) creates it.
///
/// Put it outside of the authentication layer, since the document needs no token. With axum, put it on the outer
/// router: inside of `Router::nest`, the paths lack their prefix.
///
/// | request | response |
/// |---|---|
/// | `GET` or `HEAD` at the [path](Self::path) | 200 with the document, or its head |
/// | `OPTIONS` there | 204, for CORS: pages of any origin may read the document |
/// | `GET` or `HEAD` there, while an [`IssuerSet`](crate::IssuerSet) has no issuer to name | 503 |
/// | another method there | 405 |
/// | any other path | that of the inner service |
///
/// The document follows the configuration: issuers that are added to an [`IssuerSet`](crate::IssuerSet) later are in
/// it. It is written again only when they change. Clients may cache it for 5 minutes. It does not depend on any header
/// of the request.
///
/// # Example: axum
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod example {
/// use axum::{Router, routing::get};
/// use tower_jwt_auth::{ConfigError, JwtAuthLayer, JwtVerifier, ResourceMetadata};
///
/// fn app(verifier: JwtVerifier) -> Result<Router, ConfigError> {
///     let metadata = ResourceMetadata::new("https://api.example")?;
///     let auth = JwtAuthLayer::new(verifier).with_resource_metadata(metadata)?;
///     Ok(Router::new()
///         .route("/orders", get(async || "orders"))
///         .layer(auth.clone())
///         .layer(auth.resource_metadata_layer()?)) // The last layer is the outermost one.
/// }
/// # pub fn used() -> fn(JwtVerifier) -> Result<Router, ConfigError> { app }
/// # }
/// # #[cfg(feature = "axum")]
/// # example::used();
/// ```
#[derive(Clone)]
pub struct ResourceMetadataLayer {
    endpoint: Arc<Endpoint>,
}

/// What is served, and where.
pub(super) struct Endpoint {
    metadata: Arc<ResourceMetadata>,
    configured: Configured,
    accepted: Box<dyn Fn() -> AcceptedTokens + Send + Sync>,
    written: Mutex<Written>,
}

/// The last document, and what it was written from: it is kept because any client may request it often.
#[derive(Clone, Default)]
struct Written {
    from: Option<AcceptedTokens>,
    document: Option<Bytes>,
}

impl ResourceMetadataLayer {
    /// `accepted` asks the verifier of the authentication layer.
    pub(crate) fn new(
        metadata: Arc<ResourceMetadata>,
        configured: Configured,
        accepted: impl Fn() -> AcceptedTokens + Send + Sync + 'static,
    ) -> Self {
        let (accepted, written) = (Box::new(accepted), Mutex::default());
        Self { endpoint: Arc::new(Endpoint { metadata, configured, accepted, written }) }
    }

    /// The path at which the document is served: see [`ResourceMetadata::path`].
    pub fn path(&self) -> &str {
        self.endpoint.metadata.path()
    }

    /// The current document, in JSON; `None` while it would name no authorization server. Use it to serve the document
    /// in another way.
    pub fn document(&self) -> Option<Bytes> {
        self.endpoint.document()
    }
}

impl<S> Layer<S> for ResourceMetadataLayer {
    type Service = ResourceMetadataService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResourceMetadataService::new(inner, Arc::clone(&self.endpoint))
    }
}

impl fmt::Debug for ResourceMetadataLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceMetadataLayer")
            .field("metadata", &self.endpoint.metadata)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The response to a request for the metadata; `None` for a request of the inner service.
    pub(super) fn answer(&self, method: &Method, path: &str) -> Option<Response<Bytes>> {
        let is_here =
            path == self.metadata.path() || (self.metadata.is_at_root && path == WELL_KNOWN);
        is_here.then(|| match *method {
            Method::GET => self.document_response(|document| document),
            Method::HEAD => self.document_response(|_| Bytes::new()),
            Method::OPTIONS => preflight(),
            _ => respond(StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, METHODS)], Bytes::new()),
        })
    }

    fn document(&self) -> Option<Bytes> {
        let accepted = (self.accepted)();
        let Written { from, document } = self.written().clone();
        if from.as_ref() == Some(&accepted) {
            return document;
        }
        let document = self.metadata.document(&self.configured, &accepted);
        *self.written() = Written { from: Some(accepted), document: document.clone() };
        document
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn document_response(&self, body: impl FnOnce(Bytes) -> Bytes) -> Response<Bytes> {
        let Some(document) = self.document() else {
            let headers = [(CACHE_CONTROL, "no-store"), (RETRY_AFTER, "5")];
            return respond(StatusCode::SERVICE_UNAVAILABLE, headers, Bytes::new());
        };
        let length = HeaderValue::from(document.len());
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
        let mut response = respond(StatusCode::OK, headers, body(document));
        // The body of a response to HEAD is empty, so the length of the document is set here.
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    }
}

const METHODS: &str = "GET, HEAD, OPTIONS";

/// The response to a CORS preflight. Clients send additional header fields, such as `MCP-Protocol-Version`.
fn preflight() -> Response<Bytes> {
    let headers = [
        (ALLOW, METHODS),
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    respond(StatusCode::NO_CONTENT, headers, Bytes::new())
}

/// Pages of any origin may read every response: none depends on credentials.
fn respond<const N: usize>(
    status: StatusCode,
    headers: [(HeaderName, &'static str); N],
    body: Bytes,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers.into_iter().chain([(ACCESS_CONTROL_ALLOW_ORIGIN, "*")]) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
