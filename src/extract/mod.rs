//! Extraction: finds the token of a request.

pub(crate) mod authorization;
mod presented_token;

pub use self::presented_token::{PresentedToken, TokenScheme, TokenSource};
