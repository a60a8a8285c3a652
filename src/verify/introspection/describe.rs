//! What the verifier accepts, for the log line at start-up, for `Debug` and for the metadata of the resource.

use std::fmt;

use crate::summary::Summary;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::introspection::Introspection;
use crate::verify::jwt::Expected;

impl<C> Introspection<C> {
    pub(super) fn summary(&self) -> Summary {
        let rules = &self.rules.rules;
        let (url, client) = (self.endpoint.url(), self.endpoint.client_id());
        let signed = match &self.signed {
            Some(signed) => {
                let keys = signed.keys.describe();
                let keys = keys.unwrap_or_else(|| Summary::new("of a source of the application"));
                Some(keys)
            }
            None => None,
        };
        let by_keys = match &signed {
            Some(keys) => format!(", signed by keys {}", keys.accepts().join(" or ")),
            None => String::new(),
        };
        let accepts = format!(
            "{}, by introspection at {} as {client}{by_keys}",
            rules.describe_parties(),
            url.name()
        );
        let mut summary = url.warn_of_http(Summary::new(accepts));
        for danger in rules.dangers() {
            summary = summary.with_danger(danger);
        }
        if self.rules.allows_missing_audience {
            summary = summary.with_danger("dangerous_allow_missing_audience");
        }
        let of_keys = signed.iter().flat_map(Summary::dangers).cloned();
        of_keys.fold(summary, Summary::with_danger)
    }

    /// What a client must know to get a token: the first name of https, or else of http.
    pub(super) fn issued_by(&self) -> AcceptedTokens {
        let names: &[String] = match self.rules.rules.issuer() {
            Expected::Any => &[],
            Expected::OneOf { values, .. } => values,
        };
        let first = |scheme| names.iter().find(|name| name.starts_with(scheme));
        let issuer = first("https://").or_else(|| first("http://"));
        issuer.into_iter().fold(AcceptedTokens::new(), AcceptedTokens::add_authorization_server)
    }
}

impl<C> fmt::Debug for Introspection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.endpoint)
            .field("rules", &self.rules.rules)
            .field("cache_age", &self.cache.age())
            .finish_non_exhaustive()
    }
}
