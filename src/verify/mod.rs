//! Verification, which turns the text of a token into trusted claims.

mod accepted;
mod accepted_tokens;
mod any_bearer;
mod by_name;
mod checks;
#[cfg(feature = "oidc-discovery")]
mod claim_values;
mod confirmation;
mod deny_list;
mod explanation;
#[cfg(feature = "introspection")]
mod introspection;
mod issuer_set;
mod jwt;
#[cfg(feature = "oidc-discovery")]
mod known_issuer;
mod map_claims;
mod one_time_tokens;
#[cfg(feature = "mcp")]
mod principal;
mod recorded_uses;
mod rule_context;
mod sender_constrained;
mod token_cache;
mod token_form;
mod token_ids;
mod token_kinds;
mod unconfirmed_token;
mod verification;
mod verified_token;
mod verify_token;

pub use self::accepted::Accepted;
pub(crate) use self::accepted::{Extras, append};
pub use self::accepted_tokens::AcceptedTokens;
pub use self::any_bearer::{DangerousAnyBearer, dangerous_any_bearer};
pub use self::checks::{Checked, IntoChecked, WithChecks};
pub use self::confirmation::Confirmation;
pub use self::deny_list::{
    DenyList, MemoryRevocationStore, Revocation, RevocationLookup, RevocationQuery,
    RevocationStore, RevokeError, RevokeErrorKind, Revoked,
};
pub use self::explanation::{ExplainedStep, Explanation, StepOutcome};
#[cfg(feature = "introspection")]
pub use self::introspection::{ClientAuthentication, Introspection};
pub use self::issuer_set::{IssuerKeyStatus, IssuerSet, IssuerTemplate, TemplateMatch};
pub use self::jwt::{ExpectedAudience, ExpectedIssuer, JwtVerifier};
#[cfg(feature = "oidc-discovery")]
pub use self::known_issuer::{GithubJobs, GitlabJobs, KnownIssuer, SpiffeBundle};
pub use self::map_claims::MapClaims;
pub use self::one_time_tokens::OneTimeTokens;
#[cfg(feature = "config")]
pub(crate) use self::one_time_tokens::TokenUses;
#[cfg(feature = "mcp")]
pub use self::principal::Principal;
pub use self::sender_constrained::{ClientCertificate, ClientCertificates, SenderConstrained};
pub(crate) use self::token_form::TokenForm;
pub use self::token_kinds::TokenKinds;
pub use self::unconfirmed_token::UnconfirmedToken;
pub use self::verification::Verification;
pub(crate) use self::verification::{PendingVerdict, VerificationState};
pub use self::verified_token::VerifiedToken;
pub use self::verify_token::{VerifyAsyncFn, VerifyFn, VerifyToken, verify_async_fn, verify_fn};
