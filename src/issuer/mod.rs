//! Issuing tokens: signing keys and how they rotate, and the claims that the issuer sets.

mod claims;
pub(crate) mod compact;
mod crypto;
mod issue_error;
mod jwk_set_service;
mod key_ring;
mod lifetime;
mod new_token;
mod private_jwk;
mod private_key;
mod private_pem;
mod public_jwk;
mod signing_key;
mod token_issuer;

pub use self::issue_error::{IssueError, IssueErrorKind};
pub use self::jwk_set_service::JwkSetService;
pub use self::key_ring::{DueKey, KeyRing, RingKeyState, RingKeyStatus};
pub use self::new_token::{NewAccessToken, NewIdToken};
pub use self::private_pem::PrivatePem;
pub use self::signing_key::SigningKey;
pub use self::token_issuer::TokenIssuer;
