use std::fmt;

use http::request::Parts;

use crate::extract::PresentedToken;
use crate::verify::{Accepted, Verification, VerifiedToken, VerifyToken};

/// **Forges** the proof that a token with these claims was verified, to call a handler without
/// HTTP. It has no header and no expiry.
///
/// # Example: claims of a type of one's own
///
/// ```
/// use tower_jwt_auth::VerifiedToken;
/// use tower_jwt_auth::test_util::verified_token;
///
/// fn greet(user: &VerifiedToken<String>) -> String {
///     format!("hello, {}", user.claims())
/// }
///
/// assert_eq!(greet(&verified_token("alice".to_owned())), "hello, alice");
/// ```
pub fn verified_token<C>(claims: C) -> VerifiedToken<C> {
    Accepted::new(claims).into_token()
}

/// A rule that accepts **every** bearer token, and answers each with these claims. A request
/// without one is still refused.
///
/// # Example: a router's tests, all as one user
///
/// ```
/// use tower_jwt_auth::test_util::accept_all;
/// use tower_jwt_auth::{JwtAuthLayer, RegisteredClaims};
///
/// let mut claims = RegisteredClaims::default();
/// claims.sub = Some("alice".into());
/// let layer = JwtAuthLayer::new(accept_all(claims));
/// # let _ = layer;
/// ```
pub fn accept_all<C>(claims: C) -> AcceptingVerifier<C> {
    AcceptingVerifier { token: verified_token(claims) }
}

/// The rule of [`accept_all`].
///
/// # Example: its name
///
/// ```
/// use tower_jwt_auth::test_util::{AcceptingVerifier, accept_all};
///
/// let rule: AcceptingVerifier<u32> = accept_all(7);
/// # let _ = rule;
/// ```
pub struct AcceptingVerifier<C> {
    token: VerifiedToken<C>,
}

impl<C: Send + Sync + 'static> VerifyToken<C> for AcceptingVerifier<C> {
    fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<C> {
        Verification::ready(Ok(self.token.clone().into()))
    }
}

impl<C> Clone for AcceptingVerifier<C> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone() }
    }
}

impl<C> fmt::Debug for AcceptingVerifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptingVerifier").finish_non_exhaustive()
    }
}
