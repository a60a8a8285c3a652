use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tower_layer::Layer;

use crate::claims::RegisteredClaims;
#[cfg(feature = "grpc-error-info")]
use crate::config_error::ConfigError;
use crate::end_at_expiry::service::EndAtExpiry;
use crate::rejection::error_info::ErrorInfos;

/// A layer that ends the streams of a request when its token expires. Without it a stream continues after that, since a
/// token is verified once, when the request begins.
///
/// Put it inside of a [`JwtAuthLayer`](crate::JwtAuthLayer) with the same claims type `C`. A stream ends when the
/// verifier would refuse the token, by the verifier's clock: at `exp` plus the leeway, or at the [maximum
/// age](crate::JwtVerifier::with_max_age) if that is earlier
/// ([`VerifiedToken::refused_from`](crate::VerifiedToken::refused_from)). For a token that is not a JWT, it ends at the
/// expiry of its [`Accepted`](crate::Accepted), by the system clock.
///
/// | what is open at that time | how it ends |
/// |---|---|
/// | a gRPC response | with status 16 in the trailers |
/// | a gRPC-Web response | with status 16 in a last frame; within a message, with an error |
/// | another response, or one with a `content-length` | with an error, so that a part does not look like the whole |
/// | the body of a request | with an error; the response is then the refusal of an expired token |
/// | a request without a response yet | the response begins, and ends after its first frame (gRPC: message) |
///
/// So a call of one message is not cut off if its message is ready when the response begins, as it is with tonic. If it
/// were cut off, the client would send the call again, although it was executed. A response counts as gRPC only if its
/// request is gRPC too.
///
/// A request with a token without an expiry, or without a token (`optional`, `exempt`), is not ended. A request that
/// did not pass a `JwtAuthLayer` with this claims type gets a 500 and, with feature `tracing`, one `error` event. A
/// WebSocket is not a body: its handler has to end it at
/// [`VerifiedToken::refused_from`](crate::VerifiedToken::refused_from).
///
/// The layer needs the timer of a tokio runtime.
///
/// # Example: streams of a tonic server
///
/// ```
/// use tonic::transport::server::{Router, Server};
/// use tower::layer::util::{Identity, Stack};
/// use tower_jwt_auth::{EndAtExpiryLayer, JwtAuthLayer, JwtVerifier};
///
/// type Layers = Stack<EndAtExpiryLayer, Stack<JwtAuthLayer, Identity>>;
///
/// fn server(verifier: JwtVerifier) -> Router<Layers> {
///     let (_reporter, health) = tonic_health::server::health_reporter();
///     Server::builder()
///         .layer(JwtAuthLayer::new(verifier))
///         .layer(EndAtExpiryLayer::new())
///         .add_service(health)
/// }
/// # let _ = server;
/// ```
pub struct EndAtExpiryLayer<C = RegisteredClaims> {
    error_infos: Option<Arc<ErrorInfos>>,
    claims: PhantomData<fn() -> C>,
}

impl EndAtExpiryLayer {
    /// Creates a layer for tokens with [`RegisteredClaims`]. For another claims type, call
    /// [`with_claims`](Self::with_claims).
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> EndAtExpiryLayer<C> {
    /// Replaces the claims type, for example `with_claims::<Claims>()`. It has to be the claims type of the verifier.
    /// The default is [`RegisteredClaims`].
    #[must_use]
    pub fn with_claims<D>(self) -> EndAtExpiryLayer<D> {
        EndAtExpiryLayer { error_infos: self.error_infos, claims: PhantomData }
    }

    /// Adds a `google.rpc.ErrorInfo` to the status that ends a stream over gRPC or gRPC-Web. The default is none. Use
    /// the domain of [`JwtAuthLayer::with_grpc_error_info`](crate::JwtAuthLayer::with_grpc_error_info), which adds it
    /// to refusals. The reason is `EXPIRED_TOKEN`, or `TOO_OLD` at the maximum age.
    ///
    /// # Errors
    ///
    /// When the domain is empty, longer than 253 bytes, or contains a space or a character that is not printable
    /// ASCII.
    #[cfg(feature = "grpc-error-info")]
    pub fn with_grpc_error_info(self, domain: &str) -> Result<Self, ConfigError> {
        Ok(Self { error_infos: Some(Arc::new(ErrorInfos::new(domain)?)), ..self })
    }
}

impl<S, C> Layer<S> for EndAtExpiryLayer<C> {
    type Service = EndAtExpiry<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        EndAtExpiry::new(inner, self.error_infos.clone())
    }
}

impl<C> Default for EndAtExpiryLayer<C> {
    fn default() -> Self {
        Self { error_infos: None, claims: PhantomData }
    }
}

impl<C> Clone for EndAtExpiryLayer<C> {
    fn clone(&self) -> Self {
        Self { error_infos: self.error_infos.clone(), claims: PhantomData }
    }
}

impl<C> fmt::Debug for EndAtExpiryLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndAtExpiryLayer").finish_non_exhaustive()
    }
}
