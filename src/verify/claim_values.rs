//! The values that claims must have for issuers whose audience alone does not tell the callers apart.

use std::sync::Arc;

use crate::json_member::{member, text};
use crate::rejection::{Rejection, RejectionKind};
use crate::verify::token_ids::{malformed, missing};

/// The values that claims must have, each a string; by default none.
#[derive(Clone, Debug, Default)]
pub(super) struct ClaimValues(Vec<ClaimValue>);

#[derive(Clone, Debug)]
struct ClaimValue {
    claim: &'static str,
    accepted: Values,
    /// The claim and its values in one text, for the log.
    display: Arc<str>,
}

#[derive(Clone, Debug)]
enum Values {
    OneOf(Vec<String>),
    /// The SPIFFE IDs that begin with this text: the ID of a trust domain and a slash.
    SpiffeIdsBelow(String),
}

impl ClaimValues {
    /// Requires one of these values.
    pub(super) fn add(&mut self, claim: &'static str, values: Vec<String>) {
        let display = format!("{claim} {}", values.join(" or ")).into();
        self.0.push(ClaimValue { claim, accepted: Values::OneOf(values), display });
    }

    /// Requires the SPIFFE ID of a workload of this trust domain as `sub`.
    pub(super) fn add_spiffe_id(&mut self, trust_domain: &str) {
        let start = format!("spiffe://{trust_domain}/");
        let display = format!("sub {start}…").into();
        let accepted = Values::SpiffeIdsBelow(start);
        self.0.push(ClaimValue { claim: "sub", accepted, display });
    }

    /// Whether a value says who issued the token, so that `iss` may be absent.
    pub(super) fn name_the_issuer(&self) -> bool {
        self.0.iter().any(|value| matches!(value.accepted, Values::SpiffeIdsBelow(_)))
    }

    /// The claims with their values, for the operator.
    pub(super) fn displays(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|value| &*value.display)
    }

    /// What the claims contain, for an explanation.
    pub(super) fn found<'t>(
        &self,
        claims: &'t str,
    ) -> impl Iterator<Item = (&'static str, Option<&'t str>)> {
        self.0.iter().map(move |value| (value.claim, member(claims, value.claim).ok().flatten()))
    }

    #[inline]
    pub(super) fn check(&self, claims: &[u8]) -> Result<(), Rejection> {
        if self.0.is_empty() { Ok(()) } else { self.check_each(claims) }
    }

    #[cold]
    fn check_each(&self, claims: &[u8]) -> Result<(), Rejection> {
        let claims = std::str::from_utf8(claims).map_err(|_| RejectionKind::MalformedClaims)?;
        self.0.iter().try_for_each(|value| value.check(claims))
    }
}

impl ClaimValue {
    fn check(&self, claims: &str) -> Result<(), Rejection> {
        let json = member(claims, self.claim).map_err(|_| malformed(self.claim))?;
        let json = json.filter(|json| !matches!(*json, "null" | "\"\""));
        let value = text(json.ok_or_else(|| missing(self.claim))?);
        match self.accepted.contain(&value.ok_or_else(|| malformed(self.claim))?) {
            true => Ok(()),
            false => {
                Err(Rejection::from(RejectionKind::WrongWorkload).with_expected(&self.display))
            }
        }
    }
}

impl Values {
    fn contain(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|accepted| accepted == value),
            Self::SpiffeIdsBelow(start) => {
                value.len() <= 2048 && value.strip_prefix(start.as_str()).is_some_and(is_path)
            }
        }
    }
}

/// Whether this is the path of a SPIFFE ID, without its first slash (SPIFFE-ID section 2.2).
fn is_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    path.split('/').all(is_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &ClaimValues, claims: &str) -> Option<RejectionKind> {
        values.check(claims.as_bytes()).err().map(|rejection| rejection.kind())
    }

    #[test]
    fn every_claim_needs_one_of_its_values() {
        use RejectionKind::{MalformedClaims, MissingClaim, WrongWorkload};

        let mut values = ClaimValues::default();
        assert_eq!(kind(&values, "not even JSON"), None);
        values.add("repository", vec!["a/b".into(), "a/c".into()]);
        values.add("ref", vec!["refs/heads/main".into()]);
        for (claims, expected) in [
            (r#"{"repository": "a/c", "ref": "refs/heads/main"}"#, None),
            (r#"{"repository": "a\/b", "ref": "refs/heads/main"}"#, None),
            (r#"{"repository": "a/d", "ref": "refs/heads/main"}"#, Some(WrongWorkload)),
            (r#"{"repository": "A/b", "ref": "refs/heads/main"}"#, Some(WrongWorkload)),
            (r#"{"repository": "a/b", "ref": "refs/heads/main2"}"#, Some(WrongWorkload)),
            (r#"{"repository": "a/b"}"#, Some(MissingClaim)),
            (r#"{"repository": "", "ref": "refs/heads/main"}"#, Some(MissingClaim)),
            (r#"{"repository": null, "ref": "refs/heads/main"}"#, Some(MissingClaim)),
            (r#"{"repository": ["a/b"], "ref": "refs/heads/main"}"#, Some(MalformedClaims)),
            (r#"{"repository": 7, "ref": "refs/heads/main"}"#, Some(MalformedClaims)),
        ] {
            assert_eq!(kind(&values, claims), expected, "{claims}");
        }
        let displays: Vec<&str> = values.displays().collect();
        assert_eq!(displays, ["repository a/b or a/c", "ref refs/heads/main"]);
        assert!(!values.name_the_issuer());
    }

    #[test]
    fn spiffe_id_has_the_trust_domain_and_a_path() {
        let mut values = ClaimValues::default();
        values.add_spiffe_id("example.org");
        assert!(values.name_the_issuer());
        let long = format!("spiffe://example.org/{}", "a".repeat(2027));
        for good in ["spiffe://example.org/web", "spiffe://example.org/ns/A-b_c.d/..e", &long] {
            assert_eq!(kind(&values, &format!(r#"{{"sub": "{good}"}}"#)), None, "{good}");
        }
        for bad in [
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org//web",
            "spiffe://example.org/web/",
            "spiffe://example.org/./web",
            "spiffe://example.org/../web",
            "spiffe://example.org/web?a",
            "spiffe://example.org/web#a",
            "spiffe://example.org/%77eb",
            "spiffe://example.org/wéb",
            "spiffe://example.org:443/web",
            "spiffe://user@example.org/web",
            "spiffe://example.org.evil.example/web",
            "spiffe://evil.example/spiffe://example.org/web",
            "SPIFFE://example.org/web",
            "spiffe://EXAMPLE.org/web",
            "https://example.org/web",
            "web",
            &format!("{long}a"),
        ] {
            let claims = format!(r#"{{"sub": "{bad}"}}"#);
            assert_eq!(kind(&values, &claims), Some(RejectionKind::WrongWorkload), "{bad}");
        }
    }
}
