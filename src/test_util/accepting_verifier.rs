use std::fmt;

use http::request::Parts;

use crate::claims::Scope;
use crate::extract::PresentedToken;
use crate::summary::Summary;
use crate::verify::AcceptedTokens;
use crate::verify::{Accepted, Verification, VerifiedToken, VerifyToken};

/// **Forges** a verified token with these claims, so that a test can call a handler without HTTP.
/// The token has no header and no expiry, and its scopes are not known. So a [`Rule`](crate::Rule)
/// over scopes or over claims by name refuses the token. [`Accepted::with_scope`] sets the scopes:
/// `Accepted::from(token).with_scope(scope).into_token()`.
pub fn verified_token<C>(claims: C) -> VerifiedToken<C> {
    Accepted::new(claims).into_token()
}

/// Creates a verifier that accepts **every** bearer token and returns these claims for it. A
/// request without a bearer token is still refused.
///
/// # Example: a router whose requests all come from one user
///
/// ```
/// use tower_jwt_auth::test_util::accept_all;
/// use tower_jwt_auth::{JwtAuthLayer, RegisteredClaims};
///
/// let mut claims = RegisteredClaims::default();
/// claims.sub = Some("alice".into());
/// let layer = JwtAuthLayer::new(accept_all(claims));
/// ```
pub fn accept_all<C>(claims: C) -> AcceptingVerifier<C> {
    AcceptingVerifier { token: verified_token(claims) }
}

/// The verifier that [`accept_all`] creates.
pub struct AcceptingVerifier<C> {
    token: VerifiedToken<C>,
}

impl<C> AcceptingVerifier<C> {
    /// Replaces the scopes of the token. By default they are not known, and a [`Rule`](crate::Rule)
    /// over scopes refuses the token. Rules over claims by name refuse the token in any case.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { token: Accepted::from(self.token).with_scope(scope).into_token() }
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for AcceptingVerifier<C> {
    fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<C> {
        Verification::ready(Ok(self.token.clone().into()))
    }

    fn describe(&self) -> Option<Summary> {
        Some(Summary::new("any bearer token").with_danger("test_util::accept_all"))
    }

    // So that an application whose metadata need an authorization server can be built in a test.
    fn accepted_tokens(&self) -> AcceptedTokens {
        AcceptedTokens::new().add_authorization_server("https://issuer.test")
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
