//! Evaluates a rule for a token: whether the rule holds, and if not, what the token lacks.

use std::collections::HashSet;
use std::time::Duration;

use crate::authorize::claim_path::{equals, has_element};
use crate::authorize::program::{Leaf, Op, Program};
use crate::authorize::refusal::Refusal;
use crate::authorize::truth::{Results, Truth};
use crate::claims::{Actor, NumericDate, Scope};
use crate::json_member::{Unreadable, member, text};
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

/// Each part is evaluated at most once.
pub(super) fn check<C>(program: &Program<C>, token: &VerifiedToken<C>) -> Result<(), Rejection> {
    let mut run = Run { program, token, results: Results::new(program.ops.len()) };
    if run.evaluate(None) == Truth::Yes {
        return Ok(());
    }
    let mut lacks = Lacks { failed: Vec::new(), marks: Vec::new() };
    run.evaluate(Some(&mut lacks));
    Err(lacks.refusal(token).into_rejection())
}

/// The scopes that a client has to request, without duplicates.
pub(super) fn required_scopes<C>(program: &Program<C>) -> Vec<&str> {
    let (mut scopes, mut marks) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(op) = program.ops.get(at) {
        at = after(at);
        match op {
            Op::Leaf(leaf) => match &**leaf {
                Leaf::AllScopes(all) => scopes.extend(all.iter().map(String::as_str)),
                Leaf::AnyScope(any) => scopes.extend(any.first().map(String::as_str)),
                _ => {}
            },
            // Of the first alternative.
            Op::Or { other } => at = at.saturating_add(*other),
            Op::BeginNot => marks.push(scopes.len()),
            Op::EndNot => scopes.truncate(marks.pop().unwrap_or_default()),
            Op::And { .. } | Op::EndAnd { .. } | Op::BeginOr | Op::EndOr { .. } => {}
        }
    }
    let mut seen = HashSet::new();
    scopes.retain(|scope| seen.insert(*scope));
    scopes
}

/// The evaluation of a rule for one token.
struct Run<'r, C> {
    program: &'r Program<C>,
    token: &'r VerifiedToken<C>,
    /// Of each part; at an operator that of its left operand.
    results: Results,
}

/// What a token lacks, gathered from the parts that do not hold.
struct Lacks<'r, C> {
    failed: Vec<Failed<'r, C>>,
    /// The number of failed parts before each operand that is being evaluated.
    marks: Vec<usize>,
}

enum Failed<'r, C> {
    Leaf(&'r Leaf<C>),
    Not(Truth),
}

impl<'r, C> Run<'r, C> {
    /// Without `lacks`, operands that decide nothing are passed over. With `lacks`, those are read that do not
    /// call the application; no predicate is called then, since those that count were called before.
    fn evaluate(&mut self, mut lacks: Option<&mut Lacks<'r, C>>) -> Truth {
        let program = self.program;
        let (mut value, mut at) = (Truth::Unreadable, 0);
        while let Some(op) = program.ops.get(at) {
            let here = at;
            at = after(here);
            match op {
                Op::Leaf(leaf) => {
                    value = self.leaf(here, leaf, lacks.is_none());
                    if let Some(lacks) = lacks.as_deref_mut().filter(|_| value != Truth::Yes) {
                        lacks.failed.push(Failed::Leaf(leaf));
                    }
                }
                Op::And { other, calls } => {
                    self.results.set(here, value);
                    if value == Truth::No && (*calls || lacks.is_none()) {
                        at = after(at.saturating_add(*other));
                    } else if let Some(lacks) = lacks.as_deref_mut() {
                        lacks.mark();
                    }
                }
                Op::EndAnd { other, calls } => {
                    let first = self.first(here, *other);
                    value = first.and(value);
                    if let Some(lacks) = lacks.as_deref_mut() {
                        // A predicate may rely on the rules on its left.
                        lacks.end_operand(*calls && first != Truth::Yes);
                    }
                }
                Op::BeginOr | Op::BeginNot => {
                    if let Some(lacks) = lacks.as_deref_mut() {
                        lacks.mark();
                    }
                }
                Op::Or { other } => {
                    self.results.set(here, value);
                    if value == Truth::Yes {
                        at = after(at.saturating_add(*other));
                        if let Some(lacks) = lacks.as_deref_mut() {
                            lacks.end_operand(true);
                        }
                    } else if let Some(lacks) = lacks.as_deref_mut() {
                        lacks.mark();
                    }
                }
                Op::EndOr { other } => {
                    value = self.first(here, *other).or(value);
                    if let Some(lacks) = lacks.as_deref_mut() {
                        // The first alternative counts.
                        lacks.end_operand(true);
                        lacks.end_operand(value == Truth::Yes);
                    }
                }
                Op::EndNot => {
                    value = !value;
                    if let Some(lacks) = lacks.as_deref_mut() {
                        lacks.end_operand(true);
                        if value != Truth::Yes {
                            lacks.failed.push(Failed::Not(value));
                        }
                    }
                }
            }
        }
        value
    }

    /// The result of the left operand, at the end of an operator.
    fn first(&self, end: usize, other: usize) -> Truth {
        let operator = end.checked_sub(after(other));
        operator.and_then(|at| self.results.get(at)).unwrap_or(Truth::Unreadable)
    }

    fn leaf(&mut self, at: usize, leaf: &Leaf<C>, may_call: bool) -> Truth {
        if let Some(known) = self.results.get(at) {
            return known;
        }
        if !may_call && matches!(leaf, Leaf::Claims(_) | Leaf::Actor(_)) {
            return Truth::Unreadable;
        }
        let result = Truth::from(holds(leaf, self.token));
        self.results.set(at, result);
        result
    }
}

fn after(at: usize) -> usize {
    at.saturating_add(1)
}

fn holds<C>(leaf: &Leaf<C>, token: &VerifiedToken<C>) -> Result<bool, Unreadable> {
    let claims = || VerifiedToken::payload(token).ok_or(Unreadable);
    match leaf {
        Leaf::AllScopes(scopes) => {
            let granted = granted(token)?;
            Ok(scopes.iter().all(|scope| granted.contains(scope)))
        }
        Leaf::AnyScope(scopes) => {
            let granted = granted(token)?;
            Ok(scopes.iter().any(|scope| granted.contains(scope)))
        }
        Leaf::Claim(path, value) => match path.find(claims()?)? {
            None => Ok(false),
            Some(json) => equals(json, value),
        },
        Leaf::Contains(path, value) => match path.find(claims()?)? {
            None | Some("null") => Ok(false),
            Some(json) => has_element(json, value),
        },
        Leaf::Claims(predicate) => Ok(predicate(token.claims())),
        Leaf::Acr(classes) => {
            let json = match member(claims()?, "acr")? {
                None | Some("null") => return Ok(false),
                Some(json) => json,
            };
            let acr = text(json).ok_or(Unreadable)?;
            Ok(classes.iter().any(|class| *class == *acr))
        }
        Leaf::MaxAge(max_age) => is_recent(token, claims()?, *max_age),
        Leaf::Actor(predicate) => match member(claims()?, "act")? {
            None | Some("null") => Ok(false),
            Some(json) => Ok(predicate(&serde_json::from_str::<Actor>(json)?)),
        },
    }
}

fn granted<C>(token: &VerifiedToken<C>) -> Result<&Scope, Unreadable> {
    VerifiedToken::scope(token).ok_or(Unreadable)
}

/// Whether the login is recent enough. A time in the future is unreadable, since a clock must be wrong.
fn is_recent<C>(
    token: &VerifiedToken<C>,
    claims: &str,
    max_age: Duration,
) -> Result<bool, Unreadable> {
    let context = VerifiedToken::rule_context(token).ok_or(Unreadable)?;
    let json = match member(claims, "auth_time")? {
        None | Some("null") => return Ok(false),
        Some(json) => json,
    };
    let at: NumericDate = serde_json::from_str(json)?;
    let now = context.clock.now();
    let latest = at.saturating_add(max_age.as_secs().saturating_add(context.leeway));
    match at <= now.saturating_add(context.leeway) {
        true => Ok(now <= latest),
        false => Err(Unreadable),
    }
}

impl<'r, C> Lacks<'r, C> {
    fn mark(&mut self) {
        self.marks.push(self.failed.len());
    }

    /// Leaves the operand of the last mark, and forgets what failed in it if that is not to be named.
    fn end_operand(&mut self, forgets: bool) {
        let mark = self.marks.pop().unwrap_or_default();
        if forgets {
            self.failed.truncate(mark);
        }
    }

    fn refusal(self, token: &VerifiedToken<C>) -> Refusal<'r> {
        let mut refusal = Refusal::default();
        for failed in self.failed {
            match failed {
                Failed::Leaf(leaf) => explain(leaf, token, &mut refusal),
                Failed::Not(Truth::Unreadable) => refusal.add_unreadable(),
                Failed::Not(_) => refusal.add_other(&"a rule that must not hold"),
            }
        }
        refusal
    }
}

/// Adds what the token lacks of a part that does not hold.
fn explain<'r, C>(leaf: &'r Leaf<C>, token: &VerifiedToken<C>, refusal: &mut Refusal<'r>) {
    match leaf {
        Leaf::AllScopes(scopes) => {
            let granted = VerifiedToken::scope(token);
            for scope in scopes {
                if !granted.is_some_and(|granted| granted.contains(scope)) {
                    refusal.add_scope(scope);
                }
            }
            if granted.is_none() {
                refusal.add_unreadable();
            }
        }
        Leaf::AnyScope(scopes) => {
            if let Some(first) = scopes.first() {
                refusal.add_scope(first);
            }
            if VerifiedToken::scope(token).is_none() {
                refusal.add_unreadable();
            }
        }
        Leaf::Claims(_) => refusal.add_other(&"claims that a predicate accepts"),
        _ if VerifiedToken::payload(token).is_none() => refusal.add_unreadable(),
        Leaf::Acr(classes) => refusal.add_acr(classes),
        Leaf::MaxAge(max_age) => refusal.add_max_age(*max_age),
        Leaf::Claim(path, _) | Leaf::Contains(path, _) => refusal.add_other(path),
        Leaf::Actor(_) => refusal.add_other(&"act"),
    }
}
