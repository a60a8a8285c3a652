//! The token on the wire: is it a signed token at all?

mod compact;

mod header;

pub(crate) use self::compact::{CompactJws, Limits, Scratch};
pub use self::header::TokenHeader;
pub(crate) use self::header::is_media_type;
