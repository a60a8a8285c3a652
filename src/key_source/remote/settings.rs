//! What a source of fetched keys does before its first fetch and after each one. Every setter of a source keeps it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::claims::NumericDate;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::KeyType;
use crate::key::JwkSet;
use crate::key_source::remote::cache_headers::Lifetime;
use crate::key_source::remote::changed_keys::ChangedKeys;
use crate::key_source::remote::held::{Held, age_since};
#[cfg(feature = "key-file")]
use crate::key_source::remote::key_file::KeyFile;

pub(super) type OnChangedKeys = Arc<dyn Fn(&ChangedKeys) + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) initial_keys: Option<InitialKeys>,
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
        Ok(Self { initial_keys: Some(InitialKeys { keys, fetched: None }), ..self })
    }

    /// A set that the source has read from this text, and the time at which it was fetched.
    pub(super) fn with_initial_json(
        self,
        keys: Result<JwkSet, ConfigError>,
        json: &str,
        fetched_at: NumericDate,
    ) -> Result<Self, ConfigError> {
        let keys = keys?;
        let at = Duration::from_secs(u64::try_from(fetched_at.unix_seconds()).unwrap_or(0));
        if age_since(at).is_none() {
            return Err(ConfigError::new(
                ConfigErrorKind::KeySet,
                "the initial keys were fetched in the future, so their age is unknown",
            ));
        }
        let fetched = Some((Bytes::from(json.to_owned()), at));
        Ok(Self { initial_keys: Some(InitialKeys { keys, fetched }), ..self })
    }

    pub(super) fn on_changed_keys(self, f: impl Fn(&ChangedKeys) + Send + Sync + 'static) -> Self {
        Self { on_changed_keys: Some(Arc::new(f)), ..self }
    }

    #[cfg(feature = "key-file")]
    pub(super) fn with_key_file(self, file: KeyFile) -> Self {
        Self { key_file: Some(file), ..self }
    }
}

/// Keys of the application, to begin with.
#[derive(Clone)]
pub(super) struct InitialKeys {
    keys: JwkSet,
    /// The text of the set, and when it was fetched, since 1970.
    fetched: Option<(Bytes, Duration)>,
}

impl InitialKeys {
    /// The set that a source begins with; `None` if the clock was set back since the setting was made.
    pub(super) fn held(&self) -> Option<Held> {
        let set = self.keys.clone();
        let Some((json, at)) = &self.fetched else { return Some(Held::initial(set)) };
        Some(Held::remembered(set, json.clone(), Lifetime::default(), *at, age_since(*at)?))
    }
}
