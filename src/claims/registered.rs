use serde::{Deserialize, Serialize};

use crate::{Audience, NumericDate, Scope};

/// The registered claims (RFC 7519 section 4.1), with the two that nearly every access token adds,
/// `client_id` and `scope`. The claims type of a verifier that is told no other.
///
/// Further claims of the token are ignored; give
/// [`JwtVerifier::with_claims`](crate::JwtVerifier::with_claims) a type of your own to read them.
///
/// # Example: in a handler
///
/// ```
/// use tower_jwt_auth::{RegisteredClaims, VerifiedToken};
///
/// fn greet(token: &VerifiedToken<RegisteredClaims>) -> String {
///     format!("hello, {}", token.sub.as_deref().unwrap_or("stranger"))
/// }
/// # let _ = greet;
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegisteredClaims {
    /// Who issued the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Whom the token speaks of: the user, or the client itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Whom the token is meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    /// The time from which on the token must not be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<NumericDate>,
    /// The time before which the token must not be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<NumericDate>,
    /// The time at which the token was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<NumericDate>,
    /// The token's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The client that the token was issued to (RFC 8693 section 4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What the token permits (RFC 8693 section 4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}
