use serde::{Deserialize, Serialize};

use crate::claims::audience::Audience;
use crate::claims::numeric_date::NumericDate;
use crate::claims::scope::Scope;

/// The registered claims (RFC 7519 section 4.1), and two that nearly every access token has:
/// `client_id` and `scope`. This is the default claims type of a verifier.
///
/// A claim that the token lacks is `None`. Other claims of the token are ignored. To read them,
/// give [`JwtVerifier::with_claims`](crate::JwtVerifier::with_claims) a custom type.
///
/// # Example: in a handler
///
/// ```
/// use tower_jwt_auth::VerifiedToken;
///
/// fn may_read(token: &VerifiedToken) -> bool {
///     token.scope.as_ref().is_some_and(|scope| scope.contains("read"))
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegisteredClaims {
    /// The issuer of the token (section 4.1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The subject of the token: the user, or the client itself (section 4.1.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The services that the token is meant for (section 4.1.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    /// The time from which the token must not be accepted (section 4.1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<NumericDate>,
    /// The time before which the token must not be accepted (section 4.1.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<NumericDate>,
    /// The time at which the token was issued (section 4.1.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<NumericDate>,
    /// The identifier of the token (section 4.1.7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The client that the token was issued to (RFC 8693 section 4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The scopes of the token (RFC 8693 section 4.2), from the claim `scope` only, not `scp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}
