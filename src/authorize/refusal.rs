//! Why a rule refuses a token, and the one rejection that says all of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::Scope;
use crate::rejection::{Rejection, RejectionKind};

/// For the operator's log.
const BY_NAME: &str = "a token whose claims can be read by name";

/// What a token lacks, gathered from all parts of a rule.
#[derive(Default)]
pub(super) struct Refusal<'r> {
    scopes: Vec<&'r str>,
    acr: Option<&'r [String]>,
    max_age: Option<Duration>,
    /// What no new token or login of this user changes, for the operator's log.
    other: Option<String>,
}

impl<'r> Refusal<'r> {
    pub(super) fn add_scope(&mut self, scope: &'r str) {
        if !self.scopes.contains(&scope) {
            self.scopes.push(scope);
        }
    }

    /// The first list counts: a client is asked for one.
    pub(super) fn add_acr(&mut self, acr: &'r [String]) {
        self.acr.get_or_insert(acr);
    }

    /// The shortest age counts.
    pub(super) fn add_max_age(&mut self, max_age: Duration) {
        self.max_age = Some(self.max_age.map_or(max_age, |other| other.min(max_age)));
    }

    pub(super) fn add_other(&mut self, what: &dyn fmt::Display) {
        self.other.get_or_insert_with(|| what.to_string());
    }

    pub(super) fn add_unreadable(&mut self) {
        self.add_other(&BY_NAME);
    }

    /// 403; 401 where a new login of the user is all that is needed, beside scopes that the client can ask
    /// for with it (RFC 9470 section 3).
    pub(super) fn into_rejection(self) -> Rejection {
        let is_step_up = self.other.is_none() && (self.acr.is_some() || self.max_age.is_some());
        let rejection = if is_step_up {
            let acr: Vec<&str> = self.acr.unwrap_or_default().iter().map(String::as_str).collect();
            Rejection::insufficient_user_authentication(&acr, self.max_age)
        } else {
            Rejection::from(RejectionKind::InsufficientScope)
        };
        let rejection = match self.scopes.is_empty() {
            true => rejection,
            false => rejection.with_scope(self.scopes.into_iter().collect::<Scope>()),
        };
        match self.other {
            Some(what) => rejection.with_expected(&Arc::from(what)),
            None => rejection,
        }
    }
}
