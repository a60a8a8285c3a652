//! Extraction: finds the token of a request.

pub(crate) mod authorization;
mod issuer_note;
mod presented_token;

#[cfg(feature = "token-cache")]
pub(crate) use self::authorization::RawBearer;
pub(crate) use self::issuer_note::IssuerNote;
pub use self::presented_token::{PresentedToken, TokenScheme, TokenSource};
