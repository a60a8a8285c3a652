use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};

/// A `use` that marks the verification keys instead of `sig`.
#[derive(Clone, Debug)]
pub(crate) struct KeyUse(Arc<str>);

impl KeyUse {
    /// Accepts any name except those of keys that must never verify a token: encryption keys, and
    /// the X.509 authorities in a SPIFFE bundle.
    pub(crate) fn parse(name: &str) -> Result<Self, ConfigError> {
        const NEVER: [&str; 3] = ["", "enc", "x509-svid"];

        if NEVER.iter().any(|never| name.eq_ignore_ascii_case(never)) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "keys of this `use` do not verify tokens: name one such as `jwt-svid`",
            ));
        }
        Ok(Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
