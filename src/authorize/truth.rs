//! The results of the parts of a rule: three values, and a list of them.

use std::ops::Not;

use crate::json_member::Unreadable;

/// Whether a rule holds. What cannot be told is never turned into a yes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Truth {
    Yes,
    No,
    Unreadable,
}

impl Truth {
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unreadable,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        !(!self).and(!other)
    }
}

impl Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unreadable => Self::Unreadable,
        }
    }
}

impl From<Result<bool, Unreadable>> for Truth {
    fn from(holds: Result<bool, Unreadable>) -> Self {
        match holds {
            Ok(true) => Self::Yes,
            Ok(false) => Self::No,
            Err(Unreadable) => Self::Unreadable,
        }
    }
}

/// Results by position; none at first. The first ones need no allocation.
pub(super) struct Results {
    first: [Option<Truth>; Self::WITHOUT_ALLOCATION],
    more: Vec<Option<Truth>>,
}

impl Results {
    const WITHOUT_ALLOCATION: usize = 256;

    pub(super) fn new(length: usize) -> Self {
        let more = vec![None; length.saturating_sub(Self::WITHOUT_ALLOCATION)];
        Self { first: [None; Self::WITHOUT_ALLOCATION], more }
    }

    pub(super) fn get(&self, at: usize) -> Option<Truth> {
        let rest = at.checked_sub(Self::WITHOUT_ALLOCATION);
        rest.map_or_else(|| self.first.get(at), |at| self.more.get(at)).copied().flatten()
    }

    pub(super) fn set(&mut self, at: usize, result: Truth) {
        let slot = match at.checked_sub(Self::WITHOUT_ALLOCATION) {
            None => self.first.get_mut(at),
            Some(at) => self.more.get_mut(at),
        };
        if let Some(slot) = slot {
            *slot = Some(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_is_decided_by_the_other_operand_alone() {
        use Truth::{No, Unreadable, Yes};
        for (one, other, and, or) in [
            (Yes, Yes, Yes, Yes),
            (Yes, No, No, Yes),
            (No, No, No, No),
            (Unreadable, Yes, Unreadable, Yes),
            (Unreadable, No, No, Unreadable),
            (Unreadable, Unreadable, Unreadable, Unreadable),
        ] {
            assert!(one.and(other) == and && other.and(one) == and);
            assert!(one.or(other) == or && other.or(one) == or);
        }
        assert!(!Unreadable == Unreadable && !Yes == No && !No == Yes);
    }

    #[test]
    fn results_are_kept_by_position_within_and_beyond_the_first() {
        let mut results = Results::new(300);
        for at in [0, 255, 256, 299] {
            assert!(results.get(at).is_none());
            results.set(at, Truth::No);
            assert!(results.get(at) == Some(Truth::No));
        }
        results.set(300, Truth::Yes);
        assert!(results.get(300).is_none() && results.get(1).is_none());
    }
}
