//! `--scope`: what a token must have beside a signature.

use axum::http::request::Parts;
use tower_jwt_auth::{Authorize, Rejection, Rule, Scope, VerifiedToken};

use crate::flags::Flags;
use crate::verifier::Claims;
use crate::{is_readiness_probe, with_causes};

/// All of the scopes. Requests without a token pass where the layer outside lets them pass.
#[derive(Clone)]
pub(crate) struct Scopes {
    rule: Rule<Claims>,
    optional: bool,
}

impl Scopes {
    /// `None` without the flag.
    pub(crate) fn new(flags: &Flags) -> Result<Option<Self>, String> {
        if flags.scopes.is_empty() {
            return Ok(None);
        }
        let rule = Rule::all_scopes(flags.scopes.iter().map(String::as_str))
            .map_err(|error| format!("cannot use --scope: {}", with_causes(&error)))?;
        Ok(Some(Self { rule, optional: flags.optional }))
    }
}

impl Authorize<Claims> for Scopes {
    fn authorize(&self, token: &VerifiedToken<Claims>, _: &Parts) -> Result<(), Rejection> {
        self.rule.check(token)
    }

    fn required_scope(&self) -> Option<Scope> {
        self.rule.required_scope()
    }

    fn permits_without_token(&self, head: &Parts) -> bool {
        self.optional || is_readiness_probe(head)
    }
}
