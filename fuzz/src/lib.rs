//! The fuzz targets' bodies, outside the workspace: see `targets`.

#![allow(dead_code, reason = "what the tests share with the targets is more than these need")]

mod support;
pub mod targets;
