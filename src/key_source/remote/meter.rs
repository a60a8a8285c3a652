//! The metrics of a source of fetched keys, with feature `metrics`.

use crate::key_source::remote::held::Held;
use crate::key_source::remote::key_cache::Shared;
#[cfg(feature = "metrics")]
use crate::observe::meters;

#[cfg(feature = "metrics")]
impl Shared {
    /// Records the end of a fetch; `held` is the set that is loaded now. If a client may have invented the name
    /// of the source, the name is left out, and the age of the keys is not recorded.
    pub(super) fn meter_fetch(&self, may_be_made_up: bool, is_ok: bool, held: Option<&Held>) {
        meters::fetched((!may_be_made_up).then(|| self.loader.name()), is_ok);
        if let Some(held) = held {
            self.meter_age(may_be_made_up, held);
        }
    }

    pub(super) fn meter_age(&self, may_be_made_up: bool, held: &Held) {
        if let (false, Some(confirmed_at)) = (may_be_made_up, held.confirmed_at()) {
            meters::age(self.loader.name(), held.age(), confirmed_at);
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self, reason = "it is there with feature `metrics`")]
impl Shared {
    pub(super) fn meter_fetch(&self, _: bool, _: bool, _: Option<&Held>) {}

    pub(super) fn meter_age(&self, _: bool, _: &Held) {}
}
