//! A Tower layer for bearer tokens.

mod config_error;
mod key;

pub use crate::config_error::{ConfigError, ConfigErrorKind};
pub use crate::key::Algorithm;
