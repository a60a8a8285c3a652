//! For tests of your handlers and services: **a dev-dependency only**.
//!
//! This module makes a [`VerifiedToken`](crate::VerifiedToken) without a token, accepts any bearer
//! token, and signs any token. Tests need these functions, and no server may contain them: a
//! `VerifiedToken` proves that a token was verified only if nothing else than a verification can
//! create one. So enable the feature `test-util` in the dev-dependencies, and list the crate
//! without it in the dependencies. `cargo build` and `cargo install` then leave it out:
//!
//! ```sh
//! cargo add --dev tower-jwt-auth --features test-util
//! ```
//!
//! From fast to thorough:
//!
//! | to test | use |
//! |---|---|
//! | a handler, called as a function | [`verified_token`] |
//! | a router, with every request accepted | [`accept_all`] |
//! | a router with its real verifier: valid and invalid tokens | [`TestIssuer`] |
//! | a whole service: that no bad token is accepted | [`assert_protected`] |
//! | what changes as time passes | [`ManualClock`] |
//! | keys from the network: rotations, outages, faults (feature `jwks-url`) | [`MockIssuer`] |
//!
//! Unlike the rest of the crate, the functions of this module panic when a test uses them wrongly.
//!
//! # Example: a handler without HTTP
//!
//! ```
//! use serde::Deserialize;
//! use tower_jwt_auth::VerifiedToken;
//! use tower_jwt_auth::test_util::verified_token;
//!
//! #[derive(Deserialize)]
//! struct Claims {
//!     tenant: u32,
//! }
//!
//! fn handler(token: VerifiedToken<Claims>) -> String {
//!     format!("tenant {}", token.tenant)
//! }
//!
//! assert_eq!(handler(verified_token(Claims { tenant: 7 })), "tenant 7");
//! ```
//!
//! # Example: invalid tokens
//!
//! ```
//! use tower_jwt_auth::RejectionKind;
//! use tower_jwt_auth::test_util::TestIssuer;
//!
//! let issuer = TestIssuer::new();
//! let refused = |token: &str| issuer.verifier().verify_now(token).unwrap_err().kind();
//!
//! assert_eq!(refused(&issuer.token().expired().build()), RejectionKind::ExpiredToken);
//! assert_eq!(refused(&issuer.token().forged().build()), RejectionKind::InvalidSignature);
//! assert_eq!(refused(&issuer.token().without("aud").build()), RejectionKind::MissingClaim);
//! ```

mod accepting_verifier;
mod manual_clock;
#[cfg(feature = "jwks-url")]
mod mock_issuer;
mod protection;
mod test_issuer;
mod token_builder;

pub use self::accepting_verifier::{AcceptingVerifier, accept_all, verified_token};
pub use self::manual_clock::ManualClock;
#[cfg(feature = "jwks-url")]
pub use self::mock_issuer::{MockAnswer, MockIssuer};
pub use self::protection::{
    Attack, Place, ProtectedRequests, ProtectionFault, ProtectionFinding, ProtectionReport,
    SentBody, assert_protected, check_protection,
};
#[cfg(feature = "reqwest-0_13")]
pub use self::protection::{RemoteFuture, RemoteService};
pub use self::test_issuer::TestIssuer;
pub use self::token_builder::TokenBuilder;
