//! Guides, and the design record.

#[doc = include_str!("from_fastapi.md")]
pub mod from_fastapi {}

#[doc = include_str!("providers.md")]
pub mod providers {}

#[doc = include_str!("layer_order.md")]
pub mod layer_order {}

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("security.md")]
pub mod security {}
