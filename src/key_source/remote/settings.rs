//! What a source of fetched keys does before its first fetch and after each one. Every setter of a source keeps it.

use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::KeyType;
use crate::key::JwkSet;
use crate::key_source::remote::changed_keys::ChangedKeys;
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::KeyFile;

pub(super) type OnChangedKeys = Arc<dyn Fn(&ChangedKeys) + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) initial_keys: Option<JwkSet>,
    pub(super) on_changed_keys: Option<OnChangedKeys>,
    #[cfg(feature = "key-file")]
    pub(super) key_file: Option<KeyFile>,
}

impl Settings {
    pub(super) fn with_initial_keys(self, keys: JwkSet) -> Result<Self, ConfigError> {
        let unusable = |message: &'static str| ConfigError::new(ConfigErrorKind::KeySet, message);
        if keys.is_empty() {
            return Err(unusable("the initial keys have no key that can be used"));
        }
        if keys.keys().flat_map(|key| key.algorithms()).any(|one| one.key_type() == KeyType::Secret)
        {
            return Err(unusable(
                "the initial keys have a secret: a source of fetched keys has public keys only",
            ));
        }
        Ok(Self { initial_keys: Some(keys), ..self })
    }

    pub(super) fn on_changed_keys(self, f: impl Fn(&ChangedKeys) + Send + Sync + 'static) -> Self {
        Self { on_changed_keys: Some(Arc::new(f)), ..self }
    }

    #[cfg(feature = "key-file")]
    pub(super) fn with_key_file(self, file: KeyFile) -> Self {
        Self { key_file: Some(file), ..self }
    }
}
