//! What a verifier accepts, for the log line at start-up, for `Debug` and for the metadata of the resource.

use std::fmt;

use crate::summary::Summary;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::jwt::JwtVerifier;
use crate::verify::jwt::claim_rules::Rules;
use crate::verify::jwt::expected::Expected;
use crate::verify::jwt::token_types::TokenTypes;

impl<C> JwtVerifier<C> {
    /// The issuer names that the verifier expects; `None` if it accepts any issuer.
    pub(crate) fn issuer_names(&self) -> Option<&[String]> {
        match self.rules.issuer() {
            Expected::Any => None,
            Expected::OneOf { values, .. } => Some(values),
        }
    }

    /// Describes what the verifier accepts: issuer, audience, algorithms, keys, and each weakening
    /// in force.
    pub(in crate::verify) fn summary(&self) -> Summary {
        let keys = self.keys.describe();
        let keys = keys.unwrap_or_else(|| Summary::new("of a source of the application"));
        let accepts = format!("{}, keys {}", self.rules.describe(), keys.accepts().join(" or "));
        let dangers = self.rules.dangers().into_iter().map(str::to_owned);
        dangers
            .chain(keys.dangers().iter().cloned())
            .fold(Summary::new(accepts), Summary::with_danger)
    }

    /// What a client must know to get a token.
    pub(in crate::verify) fn issued_by(&self) -> AcceptedTokens {
        let issuer = self.authorization_server().into_iter();
        issuer.fold(AcceptedTokens::new(), AcceptedTokens::add_authorization_server)
    }

    /// The issuer of the keys, or else the first expected name of https, or else of http. The other names are
    /// spellings of the same issuer.
    pub(in crate::verify) fn authorization_server(&self) -> Option<&str> {
        let expected = self.issuer_names().unwrap_or_default();
        let first = |scheme| expected.iter().map(String::as_str).find(|it| it.starts_with(scheme));
        self.keys.issuer().or_else(|| first("https://")).or_else(|| first("http://"))
    }
}

impl Rules {
    fn describe(&self) -> String {
        let algorithms = self.algorithms.map_or("of the keys".into(), |set| set.to_string());
        let types = match &self.types {
            TokenTypes::AccessTokens | TokenTypes::Rfc9068 => String::new(),
            others @ TokenTypes::Others { .. } => format!(", typ {}", others.expected()),
        };
        let values = self.value_displays().map(|value| format!(", {value}"));
        let values: String = values.collect();
        format!("{}{values}, algorithms {algorithms}{types}", self.describe_parties())
    }

    /// The issuer and the audience.
    pub(in crate::verify) fn describe_parties(&self) -> String {
        let text =
            |expected: &Expected| expected.display().map_or("any".into(), ToString::to_string);
        let (issuer, audience) = (text(self.issuer()), text(self.audience()));
        let claim = self.audience_claim().unwrap_or("audience");
        format!("issuer {issuer}, {claim} {audience}")
    }

    /// The weakenings in force, by their names in the code.
    pub(in crate::verify) fn dangers(&self) -> Vec<&'static str> {
        let any = |expected: &Expected| matches!(expected, Expected::Any);
        let all = [
            (any(self.issuer()) && !self.knows_issuer_otherwise(), "ExpectedIssuer::dangerous_any"),
            (any(self.audience()), "ExpectedAudience::dangerous_any"),
            (self.ignore_confirmation, "dangerous_ignore_confirmation"),
            // An issuer whose access tokens have that form sets the first one alone.
            (self.accept_id_tokens && self.accept_events, "dangerous_accept_id_tokens"),
        ];
        all.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect()
    }
}

impl<C> fmt::Debug for JwtVerifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("keys", &self.keys)
            .field("rules", &*self.rules)
            .finish_non_exhaustive()
    }
}
