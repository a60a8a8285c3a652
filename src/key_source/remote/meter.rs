//! What the metrics get of a source, with feature `metrics`.

use crate::key_source::remote::held::Held;
use crate::key_source::remote::key_cache::Shared;
#[cfg(feature = "metrics")]
use crate::observe::meters;

#[cfg(feature = "metrics")]
impl Shared {
    /// A fetch ended; `held` are the keys that there are now. A source whose name a client may have made up
    /// is not named, and the age of its keys is that of no source that can be told.
    pub(super) fn meter_fetch(&self, may_be_made_up: bool, is_ok: bool, held: Option<&Held>) {
        meters::fetched((!may_be_made_up).then(|| self.loader.name()), is_ok);
        if let Some(held) = held {
            self.meter_age(may_be_made_up, held);
        }
    }

    pub(super) fn meter_age(&self, may_be_made_up: bool, held: &Held) {
        if !may_be_made_up {
            meters::age(self.loader.name(), held.age(), held.confirmed_at());
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self, reason = "it is there with feature `metrics`")]
impl Shared {
    pub(super) fn meter_fetch(&self, _: bool, _: bool, _: Option<&Held>) {}

    pub(super) fn meter_age(&self, _: bool, _: &Held) {}
}
