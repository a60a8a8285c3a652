//! The fuzz targets' bodies, outside the workspace: see `targets`.

#![allow(dead_code, reason = "what the tests share with the targets is more than these need")]

#[path = "../../src/crypto/tables/mod.rs"]
mod precomputed;
mod support;
pub mod targets;
