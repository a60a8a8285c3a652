//! Collects why a rule refuses a token, and makes one rejection of it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::Scope;
use crate::rejection::{Rejection, RejectionKind};

/// What an unreadable token lacks, for the operator's log.
const BY_NAME: &str = "a token whose claims can be read by name";

/// What a token lacks, collected from all parts of a rule.
#[derive(Default)]
pub(super) struct Refusal<'r> {
    scopes: Vec<&'r str>,
    named: HashSet<&'r str>,
    acr: Option<&'r [String]>,
    max_age: Option<Duration>,
    /// The first requirement that a new token or login of this user does not meet, for the operator's log.
    other: Option<String>,
}

impl<'r> Refusal<'r> {
    pub(super) fn add_scope(&mut self, scope: &'r str) {
        if self.named.insert(scope) {
            self.scopes.push(scope);
        }
    }

    /// Keeps the first list only: a challenge has one.
    pub(super) fn add_acr(&mut self, acr: &'r [String]) {
        self.acr.get_or_insert(acr);
    }

    /// Keeps the shortest age.
    pub(super) fn add_max_age(&mut self, max_age: Duration) {
        self.max_age = Some(self.max_age.map_or(max_age, |other| other.min(max_age)));
    }

    /// Whether a new login of the user is enough, together with scopes that the client can request with it.
    pub(super) fn is_step_up(&self) -> bool {
        self.other.is_none() && (self.acr.is_some() || self.max_age.is_some())
    }

    /// Names these scopes, and no others.
    pub(super) fn set_scopes(&mut self, scopes: Vec<&'r str>) {
        self.scopes = scopes;
    }

    pub(super) fn add_other(&mut self, what: &dyn fmt::Display) {
        self.other.get_or_insert_with(|| what.to_string());
    }

    pub(super) fn add_unreadable(&mut self) {
        self.add_other(&BY_NAME);
    }

    /// 403; or 401 for a step-up (RFC 9470 section 3).
    pub(super) fn into_rejection(self) -> Rejection {
        let rejection = if self.is_step_up() {
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
