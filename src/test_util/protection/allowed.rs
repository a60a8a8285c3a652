//! Attacks that a set-up lets through on purpose.

use std::fmt;

use crate::test_util::protection::attack::Attack;

/// The name under which refusals without a challenge are reported.
pub(super) const CHALLENGE: &str = "challenge";

/// An attack or a group that a set-up lets through on purpose.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    name: String,
    pub(super) reason: String,
    /// The request, such as `GET /orders`; `None` for all.
    request: Option<String>,
}

impl Allowed {
    /// Panics when no attack and no group has this name.
    #[track_caller]
    pub(super) fn new(name: &str, reason: String, request: Option<String>) -> Self {
        let mut groups: Vec<&str> = Attack::all().map(Attack::group).collect();
        groups.dedup();
        groups.push(CHALLENGE);
        let is_known = groups.contains(&name) || Attack::all().any(|attack| attack.name() == name);
        assert!(
            is_known,
            "no attack and no group is named {name:?}; the groups are {}",
            groups.join(", ")
        );
        Self { name: name.to_owned(), reason, request }
    }

    /// Whether it has one of these names, and is for this request.
    pub(super) fn matches(&self, names: &[&str], request: &str) -> bool {
        let is_here = self.request.as_deref().is_none_or(|only| only == request);
        is_here && names.contains(&&*self.name)
    }
}

impl fmt::Display for Allowed {
    /// The name, and the request if it is for one alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            None => f.write_str(&self.name),
            Some(request) => write!(f, "{} at {request}", self.name),
        }
    }
}
