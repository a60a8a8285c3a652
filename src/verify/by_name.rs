//! Reads claims of a verified JWT by their names, for rules that do not know the type of the claims.

use std::sync::{Arc, OnceLock};

use crate::claims::{NumericDate, Scope};
use crate::extract::PresentedToken;
use crate::json_member::{Unreadable, member};
use crate::token::{CompactJws, Scratch};
use crate::verify::rule_context::RuleContext;
use crate::verify::token_ids::TokenIds;

/// A token to verify. It decides what is kept of the text of the token.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    /// The token of a request, whose text is shared with the header.
    Presented(&'a PresentedToken),
    /// The same, for a caller that checks to whom the token is bound.
    Unconfirmed(&'a PresentedToken),
    /// A token without a request, whose text is copied if the verifier is configured to do so.
    Text(&'a str),
}

impl<'a> Input<'a> {
    pub(super) fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Presented(token) | Self::Unconfirmed(token) => token.as_bytes(),
            Self::Text(text) => text.as_bytes(),
        }
    }

    /// Whether the caller checks to whom the token is bound. No caller without a request does.
    pub(super) fn defers_confirmation(self) -> bool {
        matches!(self, Self::Unconfirmed(_))
    }

    /// The text that is kept after the token was verified.
    pub(super) fn kept(self, copies_text: bool) -> Option<PresentedToken> {
        match self {
            Self::Presented(token) | Self::Unconfirmed(token) => Some(token.clone()),
            Self::Text(text) if copies_text => PresentedToken::bearer(text).ok(),
            Self::Text(_) => None,
        }
    }
}

/// The text of a verified token, which is decoded when the first rule needs it, and what its verifier knows beside the
/// claims.
#[derive(Default)]
pub(super) struct ByName {
    token: Option<PresentedToken>,
    context: Option<Arc<RuleContext>>,
    /// The first time at which the verifier refuses the token.
    refused_from: Option<NumericDate>,
    payload: OnceLock<Option<Box<str>>>,
    scope: OnceLock<Option<Scope>>,
    ids: OnceLock<Result<Box<TokenIds>, &'static str>>,
}

impl ByName {
    pub(super) fn new(
        token: Option<PresentedToken>,
        context: Arc<RuleContext>,
        refused_from: NumericDate,
    ) -> Self {
        let (context, refused_from) = (Some(context), Some(refused_from));
        Self { token, context, refused_from, ..Self::default() }
    }

    /// From the JSON of an answer about the token.
    #[cfg(feature = "introspection")]
    pub(super) fn of_answer(
        claims: &str,
        context: Arc<RuleContext>,
        refused_from: Option<NumericDate>,
    ) -> Self {
        let payload = OnceLock::from(Some(Box::from(claims)));
        Self { context: Some(context), refused_from, payload, ..Self::default() }
    }

    /// The same text, with nothing decoded yet.
    pub(super) fn again(&self) -> Self {
        Self {
            token: self.token.clone(),
            context: self.context.clone(),
            refused_from: self.refused_from,
            payload: match self.token {
                Some(_) => OnceLock::new(),
                // Those of an answer, if there are any.
                None => self.payload.clone(),
            },
            ..Self::default()
        }
    }

    pub(super) fn context(&self) -> Option<&RuleContext> {
        self.context.as_deref()
    }

    pub(super) fn refused_from(&self) -> Option<NumericDate> {
        self.refused_from
    }

    /// The claims as JSON; `None` when the text was not kept.
    pub(super) fn payload(&self) -> Option<&str> {
        let decode = || {
            let mut scratch = Scratch::new();
            let token = self.token.as_ref()?.as_bytes();
            let payload = CompactJws::decode_payload(token, &mut scratch).ok()?;
            std::str::from_utf8(payload).ok().map(Box::from)
        };
        self.payload.get_or_init(decode).as_deref()
    }

    /// The scopes of the token and the scopes that they include; `None` if they are unreadable.
    pub(super) fn scope(&self) -> Option<&Scope> {
        let read = || Some(self.expand(granted(self.payload()?).ok()?).shrunk());
        self.scope.get_or_init(read).as_ref()
    }

    /// What identifies the token; `None` when the text was not kept. The error is the name of a malformed claim.
    pub(super) fn ids(&self) -> Option<Result<&TokenIds, &'static str>> {
        let payload = self.payload()?;
        let ids = self.ids.get_or_init(|| TokenIds::read(payload).map(Box::new));
        Some(ids.as_deref().map_err(|claim| *claim))
    }

    pub(super) fn expand(&self, scope: Scope) -> Scope {
        match self.context().and_then(|context| context.hierarchy.as_ref()) {
            Some(hierarchy) => hierarchy.expand(&scope),
            None => scope,
        }
    }
}

/// The values of `scope` and `scp`, each a string or an array of strings.
fn granted(claims: &str) -> Result<Scope, Unreadable> {
    let read = |name| {
        let json = member(claims, name)?.filter(|json| *json != "null");
        Ok::<_, Unreadable>(json.map(serde_json::from_str::<Scope>).transpose()?)
    };
    Ok(match (read("scope")?, read("scp")?) {
        (Some(scope), None) | (None, Some(scope)) => scope,
        (None, None) => Scope::default(),
        (Some(scope), Some(scp)) => scope.iter().chain(scp.iter()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(claims: &str) -> Option<Vec<String>> {
        Some(granted(claims).ok()?.iter().map(String::from).collect())
    }

    #[test]
    fn scopes_are_those_of_scope_and_scp_in_either_form() {
        for (claims, expected) in [
            (r#"{}"#, vec![]),
            (r#"{"scope": "a b"}"#, vec!["a", "b"]),
            (r#"{"scope": ["a", "b"]}"#, vec!["a", "b"]),
            (r#"{"scp": "a b"}"#, vec!["a", "b"]),
            (r#"{"scp": ["a", "b"], "scope": null}"#, vec!["a", "b"]),
            (r#"{"scp": ["c"], "scope": "a  b"}"#, vec!["a", "b", "c"]),
            (r#"{"roles": ["a"], "scopes": "b"}"#, vec![]),
        ] {
            assert_eq!(values(claims).unwrap(), expected, "{claims}");
        }
    }

    #[test]
    fn scopes_of_another_type_are_not_known() {
        for claims in [
            r#"{"scope": 7}"#,
            r#"{"scope": ["a", 7]}"#,
            r#"{"scp": {"a": true}}"#,
            r#"{"scope": "a", "scp": true}"#,
            r#"{"scope": {"$serde_json::private::RawValue": "\"a\""}}"#,
            r#"{"scope": "a", "scope": "b"}"#,
        ] {
            assert_eq!(values(claims), None, "{claims}");
        }
    }
}
