//! The members of an issuer, and its verifier.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::claims::ScopeHierarchy;
use crate::config::client::Client;
use crate::config::introspection::IntrospectionConfig;
use crate::config::place::{At, Place, exactly_one, first_given};
use crate::config::provider::Provider;
use crate::config::values::{Given, Switch, Table, Texts, Whole};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::Algorithm;
use crate::verify::{ExpectedAudience, ExpectedIssuer, JwtVerifier};

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IssuerConfig {
    pub(super) issuer: Given<Texts>,
    pub(super) dangerous_any_issuer: Switch,
    pub(super) provider: Given<Table<Provider>>,

    audience: Given<Texts>,
    pub(super) authorized_parties: Given<Texts>,
    pub(super) clients: Given<Texts>,
    pub(super) cognito_clients: Given<Texts>,
    dangerous_any_audience: Switch,
    pub(super) exclusive_audience: Switch,

    pub(super) discover: Switch,
    pub(super) jwks_url: Given<String>,
    pub(super) jwks_file: Given<String>,
    pub(super) public_key_file: Given<Texts>,
    pub(super) secret_file: Given<Texts>,
    pub(super) base64_secret_file: Given<Texts>,
    /// Only for a helpful error.
    secret: Given<IgnoredAny>,
    pub(super) introspection: Given<Table<IntrospectionConfig>>,
    pub(super) fetch_base: Given<String>,
    pub(super) key_use: Given<String>,
    pub(super) initial_jwks_file: Given<String>,
    pub(super) key_file: Given<String>,
    pub(super) key_file_max_age_seconds: Given<Whole>,
    pub(super) refuse_private_addresses: Switch,
    pub(super) dangerous_allow_http_hosts: Given<Texts>,

    pub(super) algorithms: Given<Texts>,
    pub(super) leeway_seconds: Given<Whole>,
    pub(super) max_age_seconds: Given<Whole>,
    pub(super) require_rfc9068: Switch,
    pub(super) token_types: Given<Texts>,
    pub(super) required_claims: Given<Texts>,
    pub(super) allow_at_hash: Switch,
    pub(super) max_token_length: Given<Whole>,
    pub(super) max_header_length: Given<Whole>,
    pub(super) dangerous_ignore_confirmation: Switch,
    pub(super) dangerous_accept_id_tokens: Switch,
}

type Setter = fn(JwtVerifier) -> JwtVerifier;

/// What the verifiers of all issuers share.
pub(super) struct Shared {
    pub(super) hierarchy: Option<ScopeHierarchy>,
    pub(super) client: Client,
}

impl IssuerConfig {
    pub(super) fn verifier(
        &self,
        place: &Place,
        shared: &Shared,
    ) -> Result<JwtVerifier, ConfigError> {
        self.check_secret(place)?;
        self.check_audience_rules(place)?;
        let algorithms = self.algorithms(place)?;
        let verifier = match &*self.provider {
            Some(provider) => self.verifier_of_provider(provider, place, &shared.client)?,
            None => {
                let issuer = self.expected_issuer(place)?;
                let (audience_at, audience) = self.audience(place)?;
                let keys = self.keys(place, &algorithms, &shared.client)?;
                JwtVerifier::new(issuer, audience, keys).map_err(|error| match error.kind() {
                    ConfigErrorKind::Audience => error.at(&audience_at),
                    _ => error.at(place.member("issuer")),
                })?
            }
        };
        let verifier = match &shared.hierarchy {
            Some(hierarchy) => verifier.with_scope_hierarchy(hierarchy.clone()),
            None => verifier,
        };
        self.with_rules(verifier, place, algorithms)
    }

    pub(super) fn check_secret(&self, place: &Place) -> Result<(), ConfigError> {
        match *self.secret {
            Some(_) => Err(secret_in_data(&place.member("secret"), "secret_file")),
            None => Ok(()),
        }
    }

    pub(super) fn expected_issuer(&self, place: &Place) -> Result<ExpectedIssuer, ConfigError> {
        let members = [
            ("issuer", self.issuer.is_some()),
            ("dangerous_any_issuer", self.dangerous_any_issuer.0),
        ];
        exactly_one(place, "the issuer", &members)?;
        Ok(match &*self.issuer {
            Some(names) => names.to_vec().into(),
            None => ExpectedIssuer::dangerous_any(),
        })
    }

    /// The expected audience, and the member that names it.
    pub(super) fn audience(&self, place: &Place) -> Result<(Place, ExpectedAudience), ConfigError> {
        let given = exactly_one(place, "the audience", &self.audience_members())?;
        let names = |names: &Option<Texts>| names.as_ref().map(Texts::to_vec).unwrap_or_default();
        let audience = match given {
            "audience" => names(&self.audience).into(),
            "authorized_parties" => {
                ExpectedAudience::authorized_parties(names(&self.authorized_parties))
            }
            "clients" => ExpectedAudience::clients(names(&self.clients)),
            "cognito_clients" => ExpectedAudience::cognito_clients(names(&self.cognito_clients)),
            _ => ExpectedAudience::dangerous_any(),
        };
        Ok((place.member(given), audience))
    }

    fn audience_members(&self) -> [(&'static str, bool); 5] {
        [
            ("audience", self.audience.is_some()),
            ("authorized_parties", self.authorized_parties.is_some()),
            ("clients", self.clients.is_some()),
            ("cognito_clients", self.cognito_clients.is_some()),
            ("dangerous_any_audience", self.dangerous_any_audience.0),
        ]
    }

    /// The first member that names an audience.
    pub(super) fn given_audience(&self) -> Option<&'static str> {
        first_given(self.audience_members())
    }

    /// Refuses rules for `aud` beside a member that replaces it, or that accepts any.
    pub(super) fn check_audience_rules(&self, place: &Place) -> Result<(), ConfigError> {
        let Some(audience) = self.given_audience().filter(|name| *name != "audience") else {
            return Ok(());
        };
        if self.exclusive_audience.0 {
            let place = place.member("exclusive_audience");
            return Err(place.error(format_args!("this does not apply to `{audience}`")));
        }
        if self.require_rfc9068.0 && audience != "dangerous_any_audience" {
            return Err(place.member("require_rfc9068").error(format_args!(
                "this contradicts `{audience}`: an access token of RFC 9068 has an audience"
            )));
        }
        Ok(())
    }

    #[cfg(feature = "oidc-discovery")]
    pub(super) fn cognito_clients(&self, place: &Place) -> Result<Vec<String>, ConfigError> {
        match (&*self.cognito_clients, self.audience(place)?.0) {
            (Some(clients), _) => Ok(clients.to_vec()),
            (None, other) => {
                Err(other.error("tokens of Cognito have no audience: give `cognito_clients`"))
            }
        }
    }

    pub(super) fn algorithms(&self, place: &Place) -> Result<Vec<Algorithm>, ConfigError> {
        let place = place.member("algorithms");
        let names = self.algorithms.iter().flat_map(|names| &names.0.0);
        let mut algorithms = Vec::new();
        for (entry, name) in names {
            let algorithm = name.parse().at(&place.entry(entry))?;
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
        Ok(algorithms)
    }

    fn with_rules(
        &self,
        mut verifier: JwtVerifier,
        place: &Place,
        algorithms: Vec<Algorithm>,
    ) -> Result<JwtVerifier, ConfigError> {
        if self.algorithms.is_some() {
            verifier = verifier.with_algorithms(algorithms).at(&place.member("algorithms"))?;
        }
        if let Some(Whole(leeway)) = *self.leeway_seconds {
            let place = place.member("leeway_seconds");
            verifier = verifier.with_leeway(Duration::from_secs(leeway)).at(&place)?;
        }
        if let Some(Whole(max_age)) = *self.max_age_seconds {
            let place = place.member("max_age_seconds");
            verifier = verifier.with_max_age(Duration::from_secs(max_age)).at(&place)?;
        }
        if let Some(length) = *self.max_token_length {
            let place = place.member("max_token_length");
            verifier = verifier.with_max_token_length(length.as_usize()).at(&place)?;
        }
        if let Some(length) = *self.max_header_length {
            let place = place.member("max_header_length");
            verifier = verifier.with_max_header_length(length.as_usize()).at(&place)?;
        }
        for claim in self.claims_to_require(place)? {
            verifier = verifier.add_required_claim(claim);
        }
        if let Some(types) = &*self.token_types {
            verifier = self.with_token_types(verifier, types, &place.member("token_types"))?;
        }
        let switches: [(Switch, Setter); 5] = [
            (self.exclusive_audience, JwtVerifier::exclusive_audience),
            (self.require_rfc9068, JwtVerifier::require_rfc9068),
            (self.allow_at_hash, JwtVerifier::allow_at_hash),
            (self.dangerous_ignore_confirmation, JwtVerifier::dangerous_ignore_confirmation),
            (self.dangerous_accept_id_tokens, JwtVerifier::dangerous_accept_id_tokens),
        ];
        let on = switches.into_iter().filter(|(switch, _)| switch.0);
        Ok(on.fold(verifier, |verifier, (_, turn_on)| turn_on(verifier)))
    }

    pub(super) fn claims_to_require(&self, place: &Place) -> Result<Vec<&str>, ConfigError> {
        let claims = self.required_claims.iter().flat_map(|claims| &claims.0.0);
        let claims = claims.map(|(entry, claim)| match claim.as_str() {
            "" => {
                let place = place.member("required_claims").entry(entry);
                Err(place.error("the name of a claim must not be empty"))
            }
            claim => Ok(claim),
        });
        claims.collect()
    }

    fn with_token_types(
        &self,
        verifier: JwtVerifier,
        types: &Texts,
        place: &Place,
    ) -> Result<JwtVerifier, ConfigError> {
        if self.require_rfc9068.0 {
            return Err(place.error(
                "this contradicts `require_rfc9068`: no other token is an access token of RFC 9068",
            ));
        }
        if types.0.0.is_empty() {
            return Err(place.error("no type is given: name at least one"));
        }
        types.0.0.iter().try_fold(verifier, |verifier, (entry, typ)| {
            verifier.with_token_type(typ).at(&place.entry(entry))
        })
    }
}

/// The error of a secret that is in the configuration itself.
pub(super) fn secret_in_data(place: &Place, member: &str) -> ConfigError {
    place.error(format_args!(
        "a secret is not read from the configuration: write it to a file, and name that in `{member}`"
    ))
}
