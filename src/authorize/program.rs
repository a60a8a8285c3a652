//! A rule as a flat list, so that no depth of nesting needs the stack: not to decide, to print or to drop it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::authorize::claim_path::ClaimPath;
use crate::claims::Actor;

/// The parts of a rule from left to right, each operator between its operands and at their end.
pub(super) struct Program<C> {
    pub(super) ops: VecDeque<Op<C>>,
    /// Whether it calls the application.
    calls: bool,
}

/// `other` is the length of the right operand.
pub(super) enum Op<C> {
    Leaf(Arc<Leaf<C>>),
    And {
        other: usize,
        /// Whether the right operand calls the application.
        calls: bool,
    },
    EndAnd {
        other: usize,
        calls: bool,
    },
    BeginOr,
    Or {
        other: usize,
    },
    EndOr {
        other: usize,
    },
    BeginNot,
    EndNot,
}

pub(super) enum Leaf<C> {
    AllScopes(Vec<String>),
    AnyScope(Vec<String>),
    Claim(ClaimPath, Value),
    Contains(ClaimPath, Value),
    Claims(Box<dyn Fn(&C) -> bool + Send + Sync>),
    Acr(Vec<String>),
    MaxAge(Duration),
    Actor(Box<dyn Fn(&Actor) -> bool + Send + Sync>),
}

impl<C> Program<C> {
    pub(super) fn new(leaf: Leaf<C>) -> Self {
        let calls = matches!(leaf, Leaf::Claims(_) | Leaf::Actor(_));
        Self { ops: VecDeque::from([Op::Leaf(Arc::new(leaf))]), calls }
    }

    pub(super) fn and(mut self, mut right: Self) -> Self {
        let (other, calls) = (right.ops.len(), right.calls);
        self.ops.push_back(Op::And { other, calls });
        right.ops.push_back(Op::EndAnd { other, calls });
        self.followed_by(right)
    }

    pub(super) fn or(mut self, mut right: Self) -> Self {
        let other = right.ops.len();
        self.ops.push_front(Op::BeginOr);
        self.ops.push_back(Op::Or { other });
        right.ops.push_back(Op::EndOr { other });
        self.followed_by(right)
    }

    pub(super) fn not(mut self) -> Self {
        self.ops.push_front(Op::BeginNot);
        self.ops.push_back(Op::EndNot);
        self
    }

    /// Moves the shorter list, so that a long rule is built in little time from either side.
    fn followed_by(mut self, mut right: Self) -> Self {
        let calls = self.calls | right.calls;
        if self.ops.len() < right.ops.len() {
            while let Some(op) = self.ops.pop_back() {
                right.ops.push_front(op);
            }
            return Self { calls, ..right };
        }
        self.ops.append(&mut right.ops);
        Self { calls, ..self }
    }
}

impl<C> Clone for Program<C> {
    fn clone(&self) -> Self {
        Self { ops: self.ops.clone(), calls: self.calls }
    }
}

impl<C> Clone for Op<C> {
    fn clone(&self) -> Self {
        match *self {
            Self::Leaf(ref leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::And { other, calls } => Self::And { other, calls },
            Self::EndAnd { other, calls } => Self::EndAnd { other, calls },
            Self::BeginOr => Self::BeginOr,
            Self::Or { other } => Self::Or { other },
            Self::EndOr { other } => Self::EndOr { other },
            Self::BeginNot => Self::BeginNot,
            Self::EndNot => Self::EndNot,
        }
    }
}

impl<C> fmt::Debug for Program<C> {
    /// As it is read: `AllScopes(["a"]) and !(MaxAge(60s) or Claims(..))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ops.iter().try_for_each(|op| match op {
            Op::Leaf(leaf) => leaf.fmt(f),
            Op::And { .. } => f.write_str(" and "),
            Op::EndAnd { .. } => Ok(()),
            Op::BeginOr => f.write_str("("),
            Op::Or { .. } => f.write_str(" or "),
            Op::BeginNot => f.write_str("!("),
            Op::EndOr { .. } | Op::EndNot => f.write_str(")"),
        })
    }
}

impl<C> fmt::Debug for Leaf<C> {
    /// Without the values of claims.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllScopes(scopes) => f.debug_tuple("AllScopes").field(scopes).finish(),
            Self::AnyScope(scopes) => f.debug_tuple("AnyScope").field(scopes).finish(),
            Self::Claim(path, _) => f.debug_tuple("Claim").field(path).finish_non_exhaustive(),
            Self::Contains(path, _) => {
                f.debug_tuple("Contains").field(path).finish_non_exhaustive()
            }
            Self::Claims(_) => f.debug_tuple("Claims").finish_non_exhaustive(),
            Self::Acr(classes) => f.debug_tuple("Acr").field(classes).finish(),
            Self::MaxAge(age) => f.debug_tuple("MaxAge").field(age).finish(),
            Self::Actor(_) => f.debug_tuple("Actor").finish_non_exhaustive(),
        }
    }
}
