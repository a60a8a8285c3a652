use crate::claims::NumericDate;
use crate::crypto::Algorithm;

/// What a key of a [`KeyRing`](crate::KeyRing) does at one moment.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RingKeyState {
    /// Published, and will sign when its time has come.
    Next,
    /// Signs.
    Current,
    /// Published as long as a token that it may have signed is valid.
    Retired,
}

/// A key of a [`KeyRing`](crate::KeyRing) at one moment, for the operator.
#[derive(Clone, Debug)]
pub struct RingKeyStatus {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) state: RingKeyState,
    pub(super) signs_from: NumericDate,
    pub(super) gone_at: Option<NumericDate>,
}

impl RingKeyStatus {
    /// The key ID.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What the key does.
    pub fn state(&self) -> RingKeyState {
        self.state
    }

    /// The time from which the key signs.
    pub fn signs_from(&self) -> NumericDate {
        self.signs_from
    }

    /// The time at which the key is gone; `None` for the newest key, which has no successor yet.
    pub fn gone_at(&self) -> Option<NumericDate> {
        self.gone_at
    }
}
