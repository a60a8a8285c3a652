//! The ring as a source of verification keys, in the process of the issuer.

use crate::issuer::key_ring::KeyRing;
use crate::key_source::{KeyLookup, KeyQuery, KeySource, KeyStatus};
use crate::summary::Summary;

/// The keys that are not gone verify, also secrets. They are always loaded. When a key is added or gone, the generation
/// changes.
impl KeySource for KeyRing {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.at_stage(|stage| stage.set.find_key(query))
    }

    fn generation(&self) -> Option<u64> {
        self.at_stage(|stage| KeySource::generation(&stage.set))
    }

    fn describe(&self) -> Option<Summary> {
        self.at_stage(|stage| stage.set.describe())
    }

    fn status(&self) -> KeyStatus {
        self.at_stage(|stage| stage.set.status())
    }
}
