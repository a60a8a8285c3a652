use serde::{Deserialize, Serialize};

use crate::claims::audience::Audience;
use crate::claims::numeric_date::NumericDate;
use crate::claims::scope::Scope;

/// The claims of an access token by RFC 9068 section 2.2, for
/// [`JwtVerifier::with_claims`](crate::JwtVerifier::with_claims).
///
/// What the RFC requires is required here; the rest may be absent. Goes with
/// [`JwtVerifier::require_rfc9068`](crate::JwtVerifier::require_rfc9068), which checks the `typ`
/// too.
///
/// # Example: roles in a handler
///
/// ```
/// use tower_jwt_auth::{AccessTokenClaims, VerifiedToken};
///
/// fn may_close_orders(token: &VerifiedToken<AccessTokenClaims>) -> bool {
///     token.roles.iter().any(|role| role == "clerk")
/// }
///
/// // `jti`, which the RFC requires, is missing.
/// let claims = r#"{"iss": "a", "sub": "b", "aud": "c", "exp": 2, "iat": 1, "client_id": "d"}"#;
/// assert!(serde_json::from_str::<AccessTokenClaims>(claims).is_err());
/// # let _ = may_close_orders;
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Who issued the token.
    pub iss: String,
    /// Whom the token speaks of: the user, or the client itself.
    pub sub: String,
    /// Whom the token is meant for.
    pub aud: Audience,
    /// The time from which on the token must not be accepted.
    pub exp: NumericDate,
    /// The time at which the token was issued.
    pub iat: NumericDate,
    /// The token's own name.
    pub jti: String,
    /// The client that the token was issued to.
    pub client_id: String,
    /// What the token permits (section 2.2.3).
    #[serde(default)]
    pub scope: Scope,
    /// When the user last authenticated (section 2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<NumericDate>,
    /// How strongly the user authenticated (section 2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods the user authenticated (section 2.2.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The user's roles (section 2.2.3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The user's groups (section 2.2.3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The user's entitlements (section 2.2.3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<String>,
}
