//! The cache of verified tokens: in front of a verifier, or of the choice of an issuer in a set.

#[cfg(feature = "token-cache")]
mod entry;
#[cfg(not(feature = "token-cache"))]
mod off;
#[cfg(feature = "token-cache")]
mod on;
#[cfg(feature = "token-cache")]
mod settings;

#[cfg(feature = "token-cache")]
use std::sync::Arc;

#[cfg(feature = "token-cache")]
pub(super) use self::entry::Note;
#[cfg(not(feature = "token-cache"))]
pub(super) use self::off::{Note, TokenCache};
#[cfg(feature = "token-cache")]
pub(super) use self::on::TokenCache;
#[cfg(feature = "token-cache")]
pub(super) use self::settings::Settings;
use crate::claims::NumericDate;
use crate::clock::{Clock, Position};
use crate::verify::by_name::Input;

/// When the result of a verification may be used again: as long as the keys have this generation, and the clock
/// shows a time within these limits.
///
/// The verification itself has checked `nbf` and `iat` at `from`. At a later time, they cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "token-cache"), allow(dead_code, reason = "read by a cache alone"))]
pub(super) struct Validity {
    /// That of the look-up which found the key; `None` if the result must not be kept.
    pub(super) generation: Option<u64>,
    /// The time that decided at the verification: the current one by the verifier's clock, or a recent one.
    pub(super) from: NumericDate,
    /// The first time at which the verification would fail.
    pub(super) until: NumericDate,
}

impl Validity {
    #[inline]
    pub(super) fn position(self, clock: &dyn Clock) -> Position {
        Position::of(clock, self.from, self.until)
    }
}

/// What holds at the time of a hit.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "token-cache"), allow(dead_code, reason = "read by a cache alone"))]
pub(super) struct Current {
    /// The generation of the keys.
    pub(super) generation: Option<u64>,
    /// Where the verifier's clock is, relative to the times of the entry. It is read after the entry was found.
    pub(super) position: Position,
}

/// What an entry is bound to beside the keys.
#[cfg(feature = "token-cache")]
pub(super) trait Bound: Clone {
    /// Whether all tokens of the cache are signed JWTs, which end with their signature.
    const OF_SIGNED: bool;

    /// The bytes that an entry keeps beside the text of its token.
    fn length(&self) -> usize {
        0
    }
}

#[cfg(feature = "token-cache")]
impl Bound for () {
    const OF_SIGNED: bool = true;
}

#[cfg(feature = "token-cache")]
impl<T> Bound for Arc<T> {
    const OF_SIGNED: bool = true;
}

/// A token to look for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sought<'a> {
    pub(super) text: &'a [u8],
    pub(super) caller: Caller,
}

/// What a verification depends on beside the text of the token. Entries of one caller are never found by another.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "token-cache"), allow(dead_code, reason = "read by a cache alone"))]
pub(super) enum Caller {
    /// Has no request. Such a token does not always keep its text for rules over claims by name.
    WithoutRequest,
    /// Uses the result as it is. A bound token was refused, or its binding is ignored.
    Layer,
    /// Checks to whom the token is bound.
    ChecksConfirmation,
}

impl<'a> From<Input<'a>> for Sought<'a> {
    fn from(token: Input<'a>) -> Self {
        let caller = match token {
            Input::Presented(_) => Caller::Layer,
            Input::Unconfirmed(_) => Caller::ChecksConfirmation,
            Input::Text(_) => Caller::WithoutRequest,
        };
        Self { text: token.as_bytes(), caller }
    }
}
