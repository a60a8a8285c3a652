//! One requirement of a rule: whether a token meets it, and what a refusal says of it.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::authorize::claim_path::{ClaimPath, equals, has_element};
use crate::authorize::refusal::Refusal;
use crate::claims::{Actor, NumericDate, Scope};
use crate::json_member::{Unreadable, member, text};
use crate::verify::VerifiedToken;

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

impl<C> Leaf<C> {
    /// Whether it calls the application.
    pub(super) fn calls(&self) -> bool {
        matches!(self, Self::Claims(_) | Self::Actor(_))
    }

    /// The scopes that a client has to request.
    pub(super) fn required_scopes(&self) -> &[String] {
        match self {
            Self::AllScopes(all) => all,
            Self::AnyScope(any) => any.first().map_or(&[], std::slice::from_ref),
            _ => &[],
        }
    }

    pub(super) fn holds(&self, token: &VerifiedToken<C>) -> Result<bool, Unreadable> {
        let claims = || VerifiedToken::payload(token).ok_or(Unreadable);
        match self {
            Self::AllScopes(scopes) => {
                let granted = granted(token)?;
                Ok(scopes.iter().all(|scope| granted.contains(scope)))
            }
            Self::AnyScope(scopes) => {
                let granted = granted(token)?;
                Ok(scopes.iter().any(|scope| granted.contains(scope)))
            }
            Self::Claim(path, value) => match path.find(claims()?)? {
                None => Ok(false),
                Some(json) => equals(json, value),
            },
            Self::Contains(path, value) => match path.find(claims()?)? {
                None | Some("null") => Ok(false),
                Some(json) => has_element(json, value),
            },
            Self::Claims(predicate) => Ok(predicate(token.claims())),
            Self::Acr(classes) => {
                let json = match member(claims()?, "acr")? {
                    None | Some("null") => return Ok(false),
                    Some(json) => json,
                };
                let acr = text(json).ok_or(Unreadable)?;
                Ok(classes.iter().any(|class| *class == *acr))
            }
            Self::MaxAge(max_age) => is_recent(token, claims()?, *max_age),
            Self::Actor(predicate) => match member(claims()?, "act")? {
                None | Some("null") => Ok(false),
                Some(json) => Ok(predicate(&serde_json::from_str::<Actor>(json)?)),
            },
        }
    }

    /// Adds what the token lacks, if it does not hold. The application is not called.
    pub(super) fn explain<'r>(&'r self, token: &VerifiedToken<C>, refusal: &mut Refusal<'r>) {
        match self {
            Self::AllScopes(_) | Self::AnyScope(_) => {
                let granted = VerifiedToken::scope(token);
                for scope in self.required_scopes() {
                    if !granted.is_some_and(|granted| granted.contains(scope)) {
                        refusal.add_scope(scope);
                    }
                }
                if granted.is_none() {
                    refusal.add_unreadable();
                }
            }
            Self::Claims(_) => refusal.add_other(&"claims that a predicate accepts"),
            _ if VerifiedToken::payload(token).is_none() => refusal.add_unreadable(),
            Self::Acr(classes) => refusal.add_acr(classes),
            Self::MaxAge(max_age) => refusal.add_max_age(*max_age),
            Self::Claim(path, _) | Self::Contains(path, _) => refusal.add_other(path),
            Self::Actor(_) => refusal.add_other(&"act"),
        }
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
