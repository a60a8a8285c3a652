use std::sync::Arc;

use http::Extensions;

use crate::replay_store::ReplayEntry;

/// Which store has recorded a use. Only clones are equal.
#[derive(Clone)]
pub(crate) struct StoreId(Arc<()>);

impl StoreId {
    pub(crate) fn new() -> Self {
        Self(Arc::new(()))
    }
}

/// A use that a store has recorded for a request.
#[derive(Clone)]
pub(crate) struct RecordedUse {
    store: StoreId,
    digest: [u8; 32],
}

impl RecordedUse {
    pub(crate) fn new(store: &StoreId, entry: &ReplayEntry) -> Self {
        Self { store: store.clone(), digest: *entry.digest() }
    }

    /// Whether it is one of those that layers outside have recorded for this request.
    pub(crate) fn is_one_of(&self, uses: &RecordedUses) -> bool {
        let is_same =
            |one: &Self| Arc::ptr_eq(&one.store.0, &self.store.0) && one.digest == self.digest;
        uses.0.iter().any(is_same)
    }
}

/// The uses that layers outside have recorded for a request, in its extensions: for the same request, a layer inside
/// need not ask the store. No client can send them, since only this crate makes them, and they end with the request.
#[derive(Clone, Default)]
pub(crate) struct RecordedUses(Vec<RecordedUse>);

impl RecordedUses {
    /// Those of a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn push(&mut self, recorded: RecordedUse) {
        self.0.push(recorded);
    }
}
