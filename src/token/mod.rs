//! The token on the wire: where it stands in a request, and whether it is a JWS at all.

mod compact;
pub(crate) mod extract;
mod header;
mod presented;

pub(crate) use self::compact::{CompactJws, Limits, Scratch};
pub use self::header::TokenHeader;
pub(crate) use self::header::is_media_type;
pub use self::presented::{PresentedToken, TokenScheme, TokenSource};
