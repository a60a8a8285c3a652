//! What a verifier accepts, for the log line at start-up.

use crate::summary::Summary;
use crate::verify::jwt::JwtVerifier;
use crate::verify::jwt::claim_rules::Rules;
use crate::verify::jwt::expected::Expected;

impl<C> JwtVerifier<C> {
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
}

impl Rules {
    fn describe(&self) -> String {
        let text =
            |expected: &Expected| expected.display().map_or("any".into(), ToString::to_string);
        let (issuer, audience) = (text(self.issuer()), text(self.audience()));
        let claim = self.audience_claim().unwrap_or("audience");
        let algorithms = self.algorithms.map_or("of the keys".into(), |set| set.to_string());
        format!("issuer {issuer}, {claim} {audience}, algorithms {algorithms}")
    }

    /// The weakenings in force, by their names in the code.
    fn dangers(&self) -> Vec<&'static str> {
        let any = |expected: &Expected| matches!(expected, Expected::Any);
        let all = [
            (any(self.issuer()), "ExpectedIssuer::dangerous_any"),
            (any(self.audience()), "ExpectedAudience::dangerous_any"),
            (self.ignore_confirmation, "dangerous_ignore_confirmation"),
            // An issuer whose access tokens have that form sets the first one alone.
            (self.accept_id_tokens && self.accept_events, "dangerous_accept_id_tokens"),
        ];
        all.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect()
    }
}
