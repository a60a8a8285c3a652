//! Proves that a service is protected: sends bad credentials, and reports which were accepted.

mod allowed;
mod attack;
mod attacker;
mod attacks;
mod certificate;
mod credential;
mod good_token;
mod place;
mod public_key;
#[cfg(feature = "reqwest-0_13")]
mod remote;
mod report;
mod requests;
mod response;
mod run;
mod sent_body;

use std::error::Error;

use http::{Request, Response};
use tower_service::Service;

pub use self::attack::Attack;
pub use self::place::Place;
#[cfg(feature = "reqwest-0_13")]
pub use self::remote::{RemoteFuture, RemoteService};
pub use self::report::{ProtectionFault, ProtectionFinding, ProtectionReport};
pub use self::requests::ProtectedRequests;
pub use self::sent_body::SentBody;

/// Sends every [`Attack`] to a service, and panics if the service is not protected: see
/// [`check_protection`]. The message lists what was let through, and why it must be refused.
///
/// # Panics
///
/// When the report of [`check_protection`] has a finding.
///
/// # Example: prove a set-up in one test
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, service_fn};
/// use tower_jwt_auth::JwtAuthLayer;
/// use tower_jwt_auth::test_util::{ProtectedRequests, SentBody, TestIssuer, assert_protected};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let issuer = TestIssuer::new();
/// let app = ServiceBuilder::new()
///     .layer(JwtAuthLayer::new(issuer.verifier()))
///     .service(service_fn(async |_: Request<SentBody>| {
///         Ok::<_, Infallible>(Response::new(String::from("hello")))
///     }));
///
/// assert_protected(app, ProtectedRequests::new(issuer.token()).get("/orders")).await;
/// # });
/// ```
pub async fn assert_protected<S, B, R>(app: S, requests: ProtectedRequests<B>)
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let report = check_protection(app, requests).await;
    assert!(report.findings().is_empty(), "{report}");
}

/// Sends every [`Attack`] to a service, at each of the requests, and reports which were let through.
///
/// The good token must be accepted first, or the attacks prove nothing, and are not sent to this
/// request. It must also be accepted after the attacks. Both times the request must succeed: HTTP
/// 2xx, or the gRPC status OK.
///
/// | response to an attack | result |
/// |---|---|
/// | HTTP 401 with a challenge; 400 | refused |
/// | gRPC status `UNAUTHENTICATED` or `INVALID_ARGUMENT` | refused |
/// | HTTP 413, 414 or 431, gRPC `RESOURCE_EXHAUSTED` | refused, for requests of more than 4 KiB |
/// | HTTP 403 | refused, for good tokens in a cookie: the origin was checked |
/// | a response that [`ProtectedRequests::refused_by`] names | refused, save a server error |
/// | HTTP 408, 413, 414, 415, 429 or 431, gRPC `RESOURCE_EXHAUSTED` | [`ProtectionFault::Inconclusive`] |
/// | HTTP 401 without `WWW-Authenticate` | [`ProtectionFault::MissingChallenge`] |
/// | HTTP 5xx; gRPC `INTERNAL`, `UNKNOWN` or `UNAVAILABLE` | [`ProtectionFault::ServerError`] |
/// | an error of the service | [`ProtectionFault::NoResponse`], save for attacks that are far too long |
/// | a panic of the service | [`ProtectionFault::NoResponse`] |
/// | any other | [`ProtectionFault::LetThrough`], also 403: the token was accepted, and lacked a permission |
///
/// A gRPC status counts only in the headers of the response, where a refusal has it. The body is
/// not read.
///
/// It is a fault too when nothing was sent, and when attacks were left out without a reason: see
/// [`ProtectedRequests::from_token`].
///
/// The requests are sent one after the other, in the order of [`Attack::all`], and each has a
/// `jti` of its own if the good token has one, save with [`ProtectedRequests::with_fixed_jti`]. Before an attack of the
/// group `cache`, the good token that it changes is sent. What is let through takes effect: use a service
/// whose data do not matter. The report contains no token.
pub async fn check_protection<S, B, R>(app: S, requests: ProtectedRequests<B>) -> ProtectionReport
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    run::run(app, &requests).await
}
