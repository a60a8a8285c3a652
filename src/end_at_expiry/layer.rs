use std::fmt;
use std::marker::PhantomData;

use tower_layer::Layer;

use crate::claims::RegisteredClaims;
use crate::end_at_expiry::service::EndAtExpiry;

/// A layer that ends the streams of a request when its token expires. Without it a stream goes on, since a token is
/// verified once, when the request begins.
///
/// Put it inside of a [`JwtAuthLayer`](crate::JwtAuthLayer) with the same claims type `C`. A stream ends when the verifier
/// would refuse the token: at `exp` plus the verifier's leeway, by the verifier's clock. For the token of a custom
/// verifier it is the expiry of its [`Accepted`](crate::Accepted), without a leeway, by the system clock.
///
/// | what is open at that time | how it ends |
/// |---|---|
/// | a gRPC response | with status 16 in the trailers |
/// | a gRPC-Web response | with status 16 in its last frame, or with an error within a message |
/// | an HTTP response | with an error, so that a client does not take what it has for the whole |
/// | the body of a request | with an error; the response is then the refusal of an expired token |
/// | a request that was read, but has no response yet | the response begins, and ends after its first frame of data |
///
/// So a call of one message is not cut off: its client would send it again, although it was executed. A request
/// without an expiry, or without a token (`optional`, `exempt`), does not end. A request that did not pass a
/// `JwtAuthLayer` with this claims type gets a 500, with feature `tracing` also one `error` event. A WebSocket is not a
/// body: its handler has to read [`VerifiedToken::expires_at`](crate::VerifiedToken::expires_at).
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
    /// Replaces the claims type, which has to be that of the verifier: `with_claims::<Claims>()`. The default is
    /// [`RegisteredClaims`].
    #[must_use]
    pub fn with_claims<D>(self) -> EndAtExpiryLayer<D> {
        EndAtExpiryLayer::default()
    }
}

impl<S, C> Layer<S> for EndAtExpiryLayer<C> {
    type Service = EndAtExpiry<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        EndAtExpiry::new(inner)
    }
}

impl<C> Default for EndAtExpiryLayer<C> {
    fn default() -> Self {
        Self { claims: PhantomData }
    }
}

impl<C> Clone for EndAtExpiryLayer<C> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<C> fmt::Debug for EndAtExpiryLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndAtExpiryLayer").finish_non_exhaustive()
    }
}
