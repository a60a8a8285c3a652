//! Where the token is found, and what is no token; and who passes without one.

mod before_verification;
mod grammar;
mod passing;
mod properties;
mod rules;
mod sensitive;

use http::Response;
use tower_jwt_auth::{JwtAuthLayer, PresentedToken, RejectionKind, verify_fn};

use crate::support::requests::{Body, claims_or_refusal, request, send};

/// A layer that accepts every token, and whose claims are the token.
fn echo() -> JwtAuthLayer<String> {
    JwtAuthLayer::new(verify_fn(|token: &PresentedToken| Ok(token.as_str().to_owned())))
}

/// The token that the inner service was called with, or the reason why it was not called.
fn outcome(response: &Response<Body>) -> Result<String, RejectionKind> {
    claims_or_refusal(response)
}

fn extracted<V: AsRef<[u8]>>(
    authorization: impl IntoIterator<Item = V>,
) -> Result<String, RejectionKind> {
    outcome(&send(&echo(), request(authorization)))
}

/// The token that a layer without sources finds.
pub(crate) fn echo_outcome(request: http::Request<()>) -> Result<String, RejectionKind> {
    outcome(&send(&echo(), request))
}
