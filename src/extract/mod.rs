//! Extraction: finds the token of a request.

pub(crate) mod authorization;
mod cookie;
pub(crate) mod header;
mod on_response;
mod presented_token;
#[cfg(feature = "query-token")]
mod query;
mod source;
mod sources;
mod verifier_note;
mod websocket;

#[cfg(feature = "token-cache")]
pub(crate) use self::authorization::RawBearer;
pub(crate) use self::on_response::OnResponse;
pub(crate) use self::presented_token::FoundToken;
pub use self::presented_token::{PresentedToken, TokenSource};
pub use self::source::Source;
pub(crate) use self::sources::{SchemeUsed, Sources};
pub(crate) use self::verifier_note::VerifierNote;
