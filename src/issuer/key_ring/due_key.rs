use crate::claims::NumericDate;

/// The next key of a [`KeyRing`](crate::KeyRing), when it is time to publish it: see
/// [`KeyRing::due_key`](crate::KeyRing::due_key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueKey {
    pub(super) follows: String,
    pub(super) signs_from: NumericDate,
}

impl DueKey {
    /// The `kid` of the key that it replaces. Processes with the same list find the same one.
    pub fn follows(&self) -> &str {
        &self.follows
    }

    /// The time from which it is to sign. It depends on the clock of the process.
    pub fn signs_from(&self) -> NumericDate {
        self.signs_from
    }
}
