//! Guides, and the design record.

#[doc = include_str!("layer_order.md")]
pub mod layer_order {}

#[doc = include_str!("design.md")]
pub mod design {}
