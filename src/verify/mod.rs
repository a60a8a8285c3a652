//! Verification: from the text of a token to trusted claims.

mod accepted;
mod by_name;
mod issuer_set;
mod jwt;
#[cfg(feature = "oidc-discovery")]
mod known_issuer;
mod rule_context;
mod verified_token;
mod verify_token;

pub use self::accepted::Accepted;
pub(crate) use self::accepted::{Extras, append};
pub use self::issuer_set::{IssuerKeyStatus, IssuerSet, IssuerTemplate, TemplateMatch};
pub use self::jwt::{ExpectedAudience, ExpectedIssuer, JwtVerifier};
#[cfg(feature = "oidc-discovery")]
pub use self::known_issuer::KnownIssuer;
pub use self::verified_token::VerifiedToken;
pub use self::verify_token::{
    DangerousAnyBearer, Verification, VerifyAsyncFn, VerifyFn, VerifyToken, dangerous_any_bearer,
    verify_async_fn, verify_fn,
};
pub(crate) use self::verify_token::{PendingVerdict, VerificationState};
