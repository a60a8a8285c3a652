//! What keys from the network begin with, before they are fetched: keys of a file, and a file that remembers keys.

#[cfg(feature = "key-file")]
use std::time::Duration;

use crate::config::issuer::IssuerConfig;
#[cfg(not(feature = "key-file"))]
use crate::config::place::needs;
use crate::config::place::{At, Place};
#[cfg(feature = "key-file")]
use crate::config::values::Whole;
use crate::config_error::ConfigError;
use crate::key::JwkSet;
#[cfg(feature = "key-file")]
use crate::key_source::KeyFile;

impl IssuerConfig {
    /// The keys to begin with.
    pub(super) fn initial_keys(&self, place: &Place) -> Result<Option<JwkSet>, ConfigError> {
        match &*self.initial_jwks_file {
            Some(path) => self.jwk_set(path, &place.member("initial_jwks_file"), place).map(Some),
            None => Ok(None),
        }
    }

    /// The file that remembers keys.
    #[cfg(feature = "key-file")]
    pub(super) fn remembering(&self, place: &Place) -> Result<Option<KeyFile>, ConfigError> {
        let age_at = place.member("key_file_max_age_seconds");
        let Some(path) = &*self.key_file else {
            return match *self.key_file_max_age_seconds {
                Some(_) => Err(age_at.error("this needs `key_file`")),
                None => Ok(None),
            };
        };
        let mut file = KeyFile::new(path).at(&place.member("key_file"))?;
        if let Some(Whole(seconds)) = *self.key_file_max_age_seconds {
            file = file.with_max_age(Duration::from_secs(seconds)).at(&age_at)?;
        }
        Ok(Some(file))
    }

    #[cfg(not(feature = "key-file"))]
    pub(super) fn check_remembering(&self, place: &Place) -> Result<(), ConfigError> {
        let given = [
            ("key_file", self.key_file.is_some()),
            ("key_file_max_age_seconds", self.key_file_max_age_seconds.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(needs("key-file")).at(&place.member(name)),
            None => Ok(()),
        }
    }
}
