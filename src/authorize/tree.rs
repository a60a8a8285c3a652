//! A rule as a tree: lists of parts, negations, and the requirements at its leaves.

use std::collections::HashSet;
use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::authorize::leaf::Leaf;
use crate::authorize::refusal::Refusal;
use crate::json_member::Unreadable;
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

pub(super) struct Tree<C> {
    node: Node<C>,
    /// Whether it has a predicate.
    calls: bool,
    /// The number of leaves and negations that a refusal can name first.
    width: usize,
}

enum Node<C> {
    Leaf(Leaf<C>),
    /// At least two parts. A chain of `and` or of `or` is one list, so that its length needs no stack.
    List(Operator, Vec<Arc<Tree<C>>>),
    Not(Arc<Tree<C>>),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Operator {
    And,
    Or,
}

/// The leaf or negation that a refusal names first.
#[derive(Clone, Copy)]
struct Unmet {
    /// Its position from the left, within the [`width`](Tree::width).
    at: usize,
    is_unreadable: bool,
}

impl<C> Tree<C> {
    pub(super) fn leaf(leaf: Leaf<C>) -> Arc<Self> {
        let calls = leaf.calls();
        Arc::new(Self { node: Node::Leaf(leaf), calls, width: 1 })
    }

    pub(super) fn not(self: Arc<Self>) -> Arc<Self> {
        let calls = self.calls;
        Arc::new(Self { node: Node::Not(self), calls, width: 1 })
    }

    pub(super) fn join(self: Arc<Self>, operator: Operator, right: Arc<Self>) -> Arc<Self> {
        let calls = self.calls | right.calls;
        let (width, is_merged) = match operator {
            // With a predicate, the right side of `and` remains one part: a refusal can leave it out.
            Operator::And => (self.width.saturating_add(right.width), !right.calls),
            Operator::Or => (self.width, true),
        };
        let mut parts = self.into_parts(operator);
        match is_merged {
            true => parts.append(&mut right.into_parts(operator)),
            false => parts.push(right),
        }
        Arc::new(Self { node: Node::List(operator, parts), calls, width })
    }

    /// The parts of a list with this operator; otherwise the tree itself. A shared list is copied.
    fn into_parts(mut self: Arc<Self>, operator: Operator) -> Vec<Arc<Self>> {
        if let Some(Self { node: Node::List(own, parts), .. }) = Arc::get_mut(&mut self)
            && *own == operator
        {
            return mem::take(parts);
        }
        match &self.node {
            Node::List(own, parts) if *own == operator => parts.clone(),
            _ => vec![self],
        }
    }

    pub(super) fn check(&self, token: &VerifiedToken<C>) -> Result<(), Rejection> {
        let (holds, unmet) = self.evaluate(token);
        if holds == Ok(true) {
            return Ok(());
        }
        let mut refusal = Refusal::default();
        self.explain(unmet, token, &mut refusal);
        if refusal.is_step_up() {
            // The new token takes the place of the old one, so it needs the scopes that the old one has, too.
            refusal.set_scopes(self.required_scopes());
        }
        Err(refusal.into_rejection())
    }

    /// Stops at the first part that decides. What is unreadable is never turned into a yes.
    fn evaluate(&self, token: &VerifiedToken<C>) -> (Result<bool, Unreadable>, Unmet) {
        let (holds, first) = match &self.node {
            Node::Leaf(leaf) => (leaf.holds(token), None),
            Node::Not(tree) => (tree.evaluate(token).0.map(|holds| !holds), None),
            Node::List(operator, parts) => {
                // The value of a part that leaves the result to the others.
                let neutral = *operator == Operator::And;
                let (mut result, mut first, mut before) = (Ok(neutral), None, 0_usize);
                for part in parts {
                    let (holds, Unmet { at, is_unreadable }) = part.evaluate(token);
                    if holds != Ok(true) {
                        first.get_or_insert(Unmet { at: before.saturating_add(at), is_unreadable });
                    }
                    if holds != Ok(neutral) {
                        result = holds;
                    }
                    if holds == Ok(!neutral) {
                        break;
                    }
                    before = before.saturating_add(part.width);
                }
                (result, first)
            }
        };
        (holds, first.unwrap_or(Unmet { at: 0, is_unreadable: holds.is_err() }))
    }

    /// Adds what the token lacks of a rule that it does not meet. No predicate is called.
    fn explain<'r>(
        &'r self,
        mut first: Unmet,
        token: &VerifiedToken<C>,
        refusal: &mut Refusal<'r>,
    ) {
        match &self.node {
            Node::Leaf(leaf) => leaf.explain(token, refusal),
            Node::Not(_) if first.is_unreadable => refusal.add_unreadable(),
            Node::Not(_) => refusal.add_other(&"a rule that must not hold"),
            Node::List(operator, parts) => {
                let mut parts = parts.iter();
                for part in parts.by_ref() {
                    if first.at < part.width {
                        part.explain(first, token, refusal);
                        break;
                    }
                    first.at = first.at.saturating_sub(part.width);
                }
                // Not of other alternatives. A predicate may rely on the parts before it.
                for part in parts.filter(|part| *operator == Operator::And && !part.calls) {
                    let (holds, unmet) = part.evaluate(token);
                    if holds != Ok(true) {
                        part.explain(unmet, token, refusal);
                    }
                }
            }
        }
    }

    /// The scopes that a client has to request, without duplicates.
    pub(super) fn required_scopes(&self) -> Vec<&str> {
        let (mut scopes, mut seen) = (Vec::new(), HashSet::new());
        self.add_required_scopes(&mut scopes);
        scopes.retain(|scope| seen.insert(*scope));
        scopes
    }

    fn add_required_scopes<'r>(&'r self, scopes: &mut Vec<&'r str>) {
        match &self.node {
            Node::Leaf(leaf) => scopes.extend(leaf.required_scopes().iter().map(String::as_str)),
            Node::Not(_) => {}
            Node::List(operator, parts) => {
                let named = match operator {
                    Operator::And => parts.len(),
                    Operator::Or => 1,
                };
                parts.iter().take(named).for_each(|part| part.add_required_scopes(scopes));
            }
        }
    }
}

impl<C> fmt::Debug for Tree<C> {
    /// As it is read: `AllScopes(["a"]) and !(MaxAge(60s) or Claims(..))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, between, close, parts) = match &self.node {
            Node::Leaf(leaf) => return leaf.fmt(f),
            Node::Not(tree) => ("!(", "", ")", std::slice::from_ref(tree)),
            Node::List(Operator::And, parts) => ("", " and ", "", &**parts),
            Node::List(Operator::Or, parts) => ("(", " or ", ")", &**parts),
        };
        f.write_str(open)?;
        for (index, part) in parts.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { between })?;
            part.fmt(f)?;
        }
        f.write_str(close)
    }
}
