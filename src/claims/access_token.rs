use serde::{Deserialize, Serialize};

use crate::claims::audience::Audience;
use crate::claims::numeric_date::NumericDate;
use crate::claims::scope::Scope;

/// The claims of an access token (RFC 9068 section 2.2), for
/// [`JwtVerifier::with_claims`](crate::JwtVerifier::with_claims).
///
/// Claims that the RFC requires are required here. The others may be absent: then `auth_time` and
/// `acr` are `None`, and `scope`, `amr`, `roles`, `groups` and `entitlements` are empty. A token in
/// which one of these has another form, such as a string in place of the array `roles`, is refused.
/// Use this type with [`JwtVerifier::require_rfc9068`](crate::JwtVerifier::require_rfc9068), which
/// also requires `typ` to be `at+jwt`.
///
/// # Example: roles in a handler
///
/// ```
/// use tower_jwt_auth::{AccessTokenClaims, VerifiedToken};
///
/// fn may_close_orders(token: &VerifiedToken<AccessTokenClaims>) -> bool {
///     token.roles.iter().any(|role| role == "clerk")
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The issuer of the token.
    pub iss: String,
    /// The subject of the token: the user, or the client itself.
    pub sub: String,
    /// The services that the token is meant for.
    pub aud: Audience,
    /// The time from which the token must not be accepted.
    pub exp: NumericDate,
    /// The time at which the token was issued.
    pub iat: NumericDate,
    /// The identifier of the token.
    pub jti: String,
    /// The client that the token was issued to.
    pub client_id: String,
    /// The scopes of the token (section 2.2.3), from the claim `scope` only, not `scp`.
    #[serde(default)]
    pub scope: Scope,
    /// When the user last authenticated (section 2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<NumericDate>,
    /// The authentication context class: how strongly the user authenticated (section 2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// The methods that the user authenticated with (section 2.2.1).
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
