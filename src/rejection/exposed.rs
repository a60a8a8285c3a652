use http::HeaderName;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use crate::rejection::grpc;

/// The nonce for the next proof of possession (RFC 9449 section 8.1).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Returns the headers of a refusal that a page of another origin must be able to read: `WWW-Authenticate`,
/// `Retry-After`, `DPoP-Nonce`, `grpc-status`, `grpc-message`, `grpc-status-details-bin` and `grpc-retry-pushback-ms`.
/// Pass them to the CORS layer, which belongs outside of the authentication layer (see [the page on layer
/// order](crate::docs::layer_order)).
///
/// A browser hides these headers from scripts unless the response exposes them (Fetch,
/// `Access-Control-Expose-Headers`). If they are hidden, a client cannot distinguish an expired token from a missing
/// scope, or a refused gRPC-Web call from an accepted one.
///
/// # Example: with tower-http
///
/// ```
/// use http::HeaderValue;
/// use tower_http::cors::CorsLayer;
///
/// fn cors() -> CorsLayer {
///     CorsLayer::new()
///         .allow_origin(HeaderValue::from_static("https://app.example"))
///         .expose_headers(tower_jwt_auth::cors_exposed_headers())
/// }
/// # cors();
/// ```
pub fn cors_exposed_headers() -> Vec<HeaderName> {
    vec![
        WWW_AUTHENTICATE,
        RETRY_AFTER,
        DPOP_NONCE,
        grpc::GRPC_STATUS,
        grpc::GRPC_MESSAGE,
        grpc::GRPC_STATUS_DETAILS,
        grpc::GRPC_RETRY_PUSHBACK,
    ]
}
