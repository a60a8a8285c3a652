use http::request::Parts;

use crate::extract::PresentedToken;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::verification::Verification;
use crate::verify::verify_token::VerifyToken;

/// Creates a verifier that accepts **every** well-formed bearer token (a non-empty `token68`) and verifies
/// nothing, like FastAPI's `HTTPBearer`. The claims type is `()`.
///
/// Any client can invent such a token. Use this verifier only in a service that forwards the token to another
/// service, which verifies it.
pub fn dangerous_any_bearer() -> DangerousAnyBearer {
    DangerousAnyBearer
}

/// The verifier that [`dangerous_any_bearer`] creates. It accepts **every** well-formed bearer token.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct DangerousAnyBearer;

impl VerifyToken<()> for DangerousAnyBearer {
    fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<()> {
        Verification::ready(Ok(Accepted::new(())))
    }

    fn describe(&self) -> Option<Summary> {
        Some(Summary::new("any bearer token").with_danger("dangerous_any_bearer"))
    }
}
