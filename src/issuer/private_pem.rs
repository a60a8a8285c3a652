use std::fmt;

use pkcs1::pem;
use pkcs1::pem::LineEnding;
use zeroize::Zeroizing;

use crate::config_error::{ConfigError, ConfigErrorKind};

/// A private key as a PEM text: see [`SigningKey::private_pem`](crate::SigningKey::private_pem).
///
/// Whoever has this text can sign tokens. `Debug` does not show it, and it is overwritten with zeros when it is
/// dropped.
pub struct PrivatePem(Zeroizing<String>);

impl PrivatePem {
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, ConfigError> {
        pem::encode_string("PRIVATE KEY", LineEnding::LF, der)
            .map(|text| Self(Zeroizing::new(text)))
            .map_err(|error| {
                ConfigError::new(ConfigErrorKind::Key, "the private key cannot be written as PEM")
                    .with_source(error)
            })
    }

    /// The text, with the private key in it: one PEM block with the label `PRIVATE KEY` (RFC 7468 section 10).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivatePem").finish_non_exhaustive()
    }
}
