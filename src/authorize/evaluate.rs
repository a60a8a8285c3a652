//! Evaluates a rule for a token: it holds, it does not hold, or a claim is unreadable. `!` leaves "unreadable"
//! unchanged, so that a negated rule does not accept such a token.

use std::time::Duration;

use crate::authorize::claim_path::{equals, has_element};
use crate::authorize::refusal::Refusal;
use crate::authorize::rule::{Node, Rule};
use crate::claims::{Actor, NumericDate, Scope};
use crate::json_member::{Unreadable, member, text};
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

pub(super) fn check<C>(rule: &Rule<C>, token: &VerifiedToken<C>) -> Result<(), Rejection> {
    if holds(rule, token) == Ok(true) {
        return Ok(());
    }
    let mut refusal = Refusal::default();
    explain(rule, token, &mut refusal);
    Err(refusal.into_rejection())
}

/// The scopes that a client has to request.
pub(super) fn required_scopes<C>(rule: &Rule<C>) -> Vec<&str> {
    match &*rule.0 {
        Node::AllScopes(scopes) => scopes.iter().map(String::as_str).collect(),
        Node::AnyScope(scopes) => scopes.first().map(String::as_str).into_iter().collect(),
        Node::Or(first, _) => required_scopes(first),
        Node::And(one, other) => {
            let mut scopes = required_scopes(one);
            let more = required_scopes(other);
            scopes.extend(more);
            // Without duplicates, in the order of their first occurrence.
            let mut seen = Vec::with_capacity(scopes.len());
            scopes.retain(|scope| {
                let is_new = !seen.contains(scope);
                seen.push(*scope);
                is_new
            });
            scopes
        }
        _ => Vec::new(),
    }
}

fn holds<C>(rule: &Rule<C>, token: &VerifiedToken<C>) -> Result<bool, Unreadable> {
    let claims = || VerifiedToken::payload(token).ok_or(Unreadable);
    match &*rule.0 {
        Node::AllScopes(scopes) => {
            let granted = granted(token)?;
            Ok(scopes.iter().all(|scope| granted.contains(scope)))
        }
        Node::AnyScope(scopes) => {
            let granted = granted(token)?;
            Ok(scopes.iter().any(|scope| granted.contains(scope)))
        }
        Node::Claim(path, value) => match path.find(claims()?)? {
            None => Ok(false),
            Some(json) => equals(json, value),
        },
        Node::Contains(path, value) => match path.find(claims()?)? {
            None | Some("null") => Ok(false),
            Some(json) => has_element(json, value),
        },
        Node::Claims(predicate) => Ok(predicate(token.claims())),
        Node::Acr(classes) => {
            let json = match member(claims()?, "acr")? {
                None | Some("null") => return Ok(false),
                Some(json) => json,
            };
            let acr = text(json).ok_or(Unreadable)?;
            Ok(classes.iter().any(|class| *class == *acr))
        }
        Node::MaxAge(max_age) => is_recent(token, claims()?, *max_age),
        Node::Actor(predicate) => match member(claims()?, "act")? {
            None | Some("null") => Ok(false),
            Some(json) => Ok(predicate(&serde_json::from_str::<Actor>(json)?)),
        },
        Node::And(one, other) => match holds(one, token) {
            Ok(false) => Ok(false),
            first => match holds(other, token) {
                Ok(false) => Ok(false),
                second => first.and(second),
            },
        },
        Node::Or(one, other) => match holds(one, token) {
            Ok(true) => Ok(true),
            first => match holds(other, token) {
                Ok(true) => Ok(true),
                second => first.and(second),
            },
        },
        Node::Not(rule) => holds(rule, token).map(|holds| !holds),
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

/// Whether the rule calls a predicate of the application.
fn has_predicate<C>(rule: &Rule<C>) -> bool {
    match &*rule.0 {
        Node::Claims(_) | Node::Actor(_) => true,
        Node::And(one, other) | Node::Or(one, other) => has_predicate(one) || has_predicate(other),
        Node::Not(rule) => has_predicate(rule),
        _ => false,
    }
}

/// Collects what the token lacks, for a rule that does not hold.
fn explain<'r, C>(rule: &'r Rule<C>, token: &VerifiedToken<C>, refusal: &mut Refusal<'r>) {
    match &*rule.0 {
        Node::AllScopes(scopes) => {
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
        Node::AnyScope(scopes) => {
            if let Some(first) = scopes.first() {
                refusal.add_scope(first);
            }
            if VerifiedToken::scope(token).is_none() {
                refusal.add_unreadable();
            }
        }
        Node::And(one, other) => {
            let holds_first = holds(one, token) == Ok(true);
            if !holds_first {
                explain(one, token, refusal);
            }
            // A predicate may rely on the rules on its left.
            if (holds_first || !has_predicate(other)) && holds(other, token) != Ok(true) {
                explain(other, token, refusal);
            }
        }
        Node::Or(first, _) => explain(first, token, refusal),
        Node::Claims(_) => refusal.add_other(&"claims that a predicate accepts"),
        Node::Not(rule) if holds(rule, token).is_ok() => {
            refusal.add_other(&"a rule that must not hold");
        }
        _ if VerifiedToken::payload(token).is_none() => refusal.add_unreadable(),
        Node::Acr(classes) => refusal.add_acr(classes),
        Node::MaxAge(max_age) => refusal.add_max_age(*max_age),
        Node::Claim(path, _) | Node::Contains(path, _) => refusal.add_other(path),
        Node::Actor(_) => refusal.add_other(&"act"),
        Node::Not(_) => refusal.add_unreadable(),
    }
}
