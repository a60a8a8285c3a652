use crate::replay_store::{RecordedUse, RecordedUses};
use crate::verify::accepted::Accepted;

impl<C> Accepted<C> {
    /// Tells the layers inside that this use was recorded for the request, beside those of the layers outside.
    pub(super) fn with_recorded_use(
        mut self,
        outside: RecordedUses,
        recorded: RecordedUse,
    ) -> Self {
        let extensions = &mut self.extras().extensions;
        // Another verifier of this layer may have recorded one too.
        let mut uses = extensions.remove::<RecordedUses>().unwrap_or(outside);
        uses.push(recorded);
        extensions.insert(uses);
        self
    }
}
