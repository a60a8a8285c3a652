//! The token as received: the compact serialization and the header.

mod compact;
mod header;
mod known_header;

pub(crate) use self::compact::{CompactJws, Limits, Scratch, Segments};
pub use self::header::TokenHeader;
pub(crate) use self::header::is_media_type;
