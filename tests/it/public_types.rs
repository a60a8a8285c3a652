//! What every public type can do, asserted at compile time: `Send`, `Sync`, `Clone`, and for futures `Unpin`.

use std::convert::Infallible;
use std::marker::PhantomPinned;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{BoxError, Service};
use tower_jwt_auth::*;

/// Claims need not be `Clone`, or anything else.
struct Claims;

/// A responder need not be `Clone` either.
struct Responder;

#[derive(Clone)]
struct Inner;

type Ready = std::future::Ready<Result<Response<()>, Infallible>>;

impl Service<Request<()>> for Inner {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Ready {
        std::future::ready(Ok(Response::default()))
    }
}

fn sent<T: Send + 'static>() {}
fn shared<T: Send + Sync + 'static>() {}
fn cloned<T: Clone + Send + Sync + 'static>() {}
fn error<T: std::error::Error + Send + Sync + 'static + Into<BoxError>>() {}
fn unpin<T: Unpin>() {}

#[test]
fn public_types_are_send_sync_and_clone() {
    cloned::<JwtAuthLayer>();
    cloned::<JwtAuthLayer<Claims, Responder>>();
    cloned::<JwtAuth<Inner>>();
    cloned::<Source>();
    cloned::<TokenSource>();
    cloned::<ClaimHeadersLayer<Claims>>();
    cloned::<ClaimHeaders<Inner, Claims>>();
    cloned::<JwtAuth<Inner, Claims, Responder>>();
    cloned::<EmptyBody>();
    cloned::<ProblemJson>();
    cloned::<RejectionFn<fn(&Rejection, &RequestSummary) -> Response<()>>>();
    cloned::<RequestSummary>();
    cloned::<Rejection>();
    cloned::<RejectionKind>();
    cloned::<Outcome>();
    cloned::<Summary>();
    #[cfg(feature = "introspection")]
    {
        cloned::<ClientAuthentication>();
        cloned::<Introspection<Claims>>();
    }
    cloned::<AcceptedTokens>();
    shared::<UnconfirmedToken<'static>>();
    cloned::<Confirmation>();
    shared::<Box<dyn ResponseForRejection<(), Remembered = ()>>>();

    cloned::<JwtVerifier>();
    cloned::<JwtVerifier<Claims>>();
    cloned::<IssuerSet<Claims>>();
    cloned::<IssuerTemplate<Claims>>();
    cloned::<VerifiedToken<Claims>>();
    shared::<Accepted<Claims>>();
    cloned::<WithChecks<Claims>>();
    cloned::<DenyList<Claims>>();
    cloned::<OneTimeTokens<Claims>>();
    cloned::<MemoryRevocationStore>();
    cloned::<Revocation>();
    cloned::<RevocationQuery<'static>>();
    cloned::<Revoked>();
    sent::<RevocationLookup>();
    shared::<Box<dyn RevocationStore>>();
    error::<RevokeError>();
    cloned::<RevokeErrorKind>();
    cloned::<TokenKinds<Claims>>();
    cloned::<MapClaims<Claims>>();
    cloned::<Explanation>();
    cloned::<ExplainedStep>();
    cloned::<StepOutcome>();
    cloned::<Checked>();
    sent::<Verification<Claims>>();
    shared::<Box<dyn VerifyToken<Claims>>>();
    cloned::<VerifyFn<fn(&PresentedToken) -> Result<Claims, Rejection>>>();
    cloned::<VerifyAsyncFn<fn(PresentedToken) -> std::future::Ready<Result<Claims, Rejection>>>>();
    cloned::<DangerousAnyBearer>();
    cloned::<ExpectedIssuer>();
    cloned::<ExpectedAudience>();
    cloned::<MissingLayer>();
    cloned::<PresentedToken>();
    shared::<TokenHeader>();

    cloned::<Algorithm>();
    cloned::<VerificationKey>();
    cloned::<JwkSet>();
    cloned::<KeyCandidates>();
    shared::<SkippedKey>();
    shared::<KeyQuery<'static>>();
    sent::<KeyLookup>();
    shared::<Box<dyn KeySource>>();
    cloned::<KeyStatus>();
    sent::<KeyTask>();

    cloned::<MemoryReplayStore>();
    cloned::<ReplayEntry>();
    cloned::<ReplayOutcome>();
    sent::<ReplayCheck>();
    shared::<Box<dyn ReplayStore>>();

    cloned::<Rule<Claims>>();
    cloned::<ClaimPath>();
    cloned::<GrpcRules<Claims>>();
    #[cfg(feature = "mcp")]
    cloned::<McpRules<Claims>>();
    #[cfg(feature = "mcp")]
    cloned::<Principal>();
    cloned::<AuthorizeLayer<Claims>>();
    cloned::<AuthorizeService<Inner, Claims>>();
    sent::<<AuthorizeService<Inner> as Service<Request<()>>>::Future>();
    unpin::<<AuthorizeService<Inner> as Service<Request<()>>>::Future>();
    shared::<Box<dyn Authorize<Claims>>>();
    cloned::<Actor>();
    cloned::<ScopeHierarchy>();

    cloned::<AccessTokenClaims>();
    cloned::<RegisteredClaims>();
    cloned::<Audience>();
    cloned::<NumericDate>();
    cloned::<Scope>();
    cloned::<SystemClock>();
    shared::<FixedClock>();
    shared::<Box<dyn Clock>>();
    cloned::<ConfigErrorKind>();

    // Errors fit where errors go.
    error::<ConfigError>();
    error::<KeySourceError>();
    error::<Rejection>();
    error::<MissingLayer>();
}

#[cfg(feature = "axum")]
#[test]
fn public_types_of_feature_axum_are_send_sync_and_clone() {
    cloned::<ExtractorRejection>();
    cloned::<Authorized<Claims, Claims>>();
    error::<ExtractorRejection>();
}

#[cfg(feature = "dpop")]
#[test]
fn public_types_of_feature_dpop_are_send_sync_and_clone() {
    cloned::<Dpop>();
    cloned::<ProxyHeaders>();
}

#[cfg(feature = "stream-expiry")]
#[test]
fn public_types_of_feature_stream_expiry_are_send_sync_and_clone() {
    cloned::<EndAtExpiryLayer<Claims>>();
    cloned::<EndAtExpiry<Inner, Claims>>();
    shared::<EndAtExpiryFuture<Ready, ()>>();
    unpin::<EndAtExpiryFuture<Ready, PhantomPinned>>();
    shared::<ExpiringBody<String>>();
    unpin::<ExpiringBody<String>>();
}

#[cfg(feature = "issuer")]
#[test]
fn public_types_of_feature_issuer_are_send_and_sync() {
    cloned::<KeyRing>();
    cloned::<RingKeyStatus>();
    cloned::<DueKey>();
    cloned::<RingKeyState>();
    cloned::<JwkSetService<PhantomPinned>>();
    cloned::<NewAccessToken>();
    cloned::<NewIdToken>();
    shared::<PrivatePem>();
    shared::<TokenIssuer>();
    shared::<SigningKey>();
    cloned::<IssueErrorKind>();
    error::<IssueError>();
}

#[cfg(feature = "oidc-discovery")]
#[test]
fn public_types_of_fetched_keys_are_send_sync_and_clone() {
    cloned::<JwksUrl>();
    cloned::<ChangedKeys>();
    #[cfg(feature = "key-file")]
    cloned::<KeyFile>();
    cloned::<OidcDiscovery>();
    cloned::<FetchRequest>();
    sent::<FetchFuture>();
    shared::<Box<dyn Fetch>>();
    shared::<KnownIssuer>();
    cloned::<SpiffeBundle>();
    cloned::<GithubJobs>();
    cloned::<GitlabJobs>();
}

#[cfg(feature = "reqwest-0_13")]
#[test]
fn public_types_of_fetched_documents_are_send_sync_and_clone() {
    cloned::<DocumentClient>();
    cloned::<DocumentErrorKind>();
    cloned::<FetchUrl>();
    cloned::<FetchedDocument>();
    error::<DocumentError>();
}

#[cfg(feature = "resource-metadata")]
#[test]
fn public_types_of_feature_resource_metadata_are_send_sync_and_clone() {
    use tower_jwt_auth::{ResourceMetadata, ResourceMetadataLayer, ResourceMetadataService};

    cloned::<ResourceMetadata>();
    cloned::<ResourceMetadataLayer>();
    cloned::<ResourceMetadataService<Inner>>();
}

#[cfg(feature = "config")]
#[test]
fn public_types_of_feature_config_are_send_sync_and_clone() {
    use tower_jwt_auth::{ConfigVerifier, LayerConfig};

    cloned::<LayerConfig>();
    cloned::<ConfigVerifier>();
    cloned::<ConfigVerifier<Claims>>();
}

#[cfg(feature = "test-util")]
#[test]
fn public_types_of_feature_test_util_are_send_and_sync() {
    shared::<test_util::TestIssuer>();
    sent::<test_util::TokenBuilder>();
    cloned::<test_util::ManualClock>();
    shared::<test_util::AcceptingVerifier<Claims>>();
    shared::<test_util::Attack>();
    shared::<test_util::ProtectedRequests>();
    cloned::<test_util::ProtectionReport>();
    cloned::<test_util::ProtectionFinding>();
    cloned::<test_util::SentBody>();
}

/// Compiles for every inner service: that is the test.
fn future_is_send<S, C, R, B, M>()
where
    S: Service<Request<B>, Future: Send, Response: Send> + Send + 'static,
    C: 'static,
    R: Send + Sync + 'static,
    B: Send + 'static,
    M: Send + 'static,
{
    fn is_send<T: Send>() {}
    is_send::<ResponseFuture<S, C, R, B, M>>();
}

/// Compiles for every inner service whose future is `Unpin`, whatever its bodies are.
fn future_is_unpin<S, C, R, B, M>()
where
    S: Service<Request<B>, Future: Unpin>,
{
    unpin::<ResponseFuture<S, C, R, B, M>>();
}

#[test]
fn response_future_is_send_and_unpin_where_the_inner_future_is() {
    future_is_send::<Inner, Claims, Responder, (), RequestSummary>();
    future_is_unpin::<Inner, Claims, PhantomPinned, (), PhantomPinned>();
    sent::<<JwtAuth<Inner> as Service<Request<()>>>::Future>();
    unpin::<<JwtAuth<Inner> as Service<Request<()>>>::Future>();
    // Its name, for a responder that remembers nothing.
    let name: fn(ResponseFuture<Inner, Claims, EmptyBody, ()>) = |_| {};
    let _: fn(<JwtAuth<Inner, Claims> as Service<Request<()>>>::Future) = name;
}
