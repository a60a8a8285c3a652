//! Known issuers, by the parameters of their providers.

use serde::Deserialize;

use crate::config::client::Client;
use crate::config::issuer::IssuerConfig;
#[cfg(feature = "oidc-discovery")]
use crate::config::place::first_given;
#[cfg(not(feature = "oidc-discovery"))]
use crate::config::place::needs;
use crate::config::place::{At, Place, exactly_one};
use crate::config::values::{Given, Switch, Table};
use crate::config::workload::{GithubActions, GitlabCi, Spiffe};
use crate::config_error::ConfigError;
#[cfg(feature = "oidc-discovery")]
use crate::config_error::ConfigErrorKind;
use crate::verify::JwtVerifier;
#[cfg(feature = "oidc-discovery")]
use crate::verify::KnownIssuer;

/// Exactly one of these is given. An enum would have a special form in YAML.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Provider {
    auth0: Given<Table<Domain>>,
    keycloak: Given<Table<Realm>>,
    entra_id: Given<Table<Tenant>>,
    entra_id_v1: Given<Table<Tenant>>,
    cognito: Given<Table<UserPool>>,
    google_id_tokens: Switch,
    okta: Given<Table<AuthorizationServer>>,
    firebase: Given<Table<Project>>,
    dex: Given<Table<Issuer>>,
    kubernetes: Given<Table<Issuer>>,
    pub(super) spiffe: Given<Table<Spiffe>>,
    pub(super) github_actions: Given<Table<GithubActions>>,
    pub(super) gitlab_ci: Given<Table<GitlabCi>>,
}

macro_rules! parameters {
    ($($name:ident { $($parameter:ident),+ })+) => {$(
        #[cfg_attr(not(feature = "oidc-discovery"), allow(dead_code))]
        #[derive(Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            $($parameter: String,)+
        }
    )+};
}

parameters! {
    Domain { domain }
    Realm { base, realm }
    Tenant { tenant }
    UserPool { user_pool }
    AuthorizationServer { domain, authorization_server }
    Project { project }
    Issuer { issuer }
}

impl Provider {
    /// The name of the provider.
    fn name(&self, place: &Place) -> Result<&'static str, ConfigError> {
        exactly_one(
            place,
            "the provider",
            &[
                ("auth0", self.auth0.is_some()),
                ("keycloak", self.keycloak.is_some()),
                ("entra_id", self.entra_id.is_some()),
                ("entra_id_v1", self.entra_id_v1.is_some()),
                ("cognito", self.cognito.is_some()),
                ("google_id_tokens", self.google_id_tokens.0),
                ("okta", self.okta.is_some()),
                ("firebase", self.firebase.is_some()),
                ("dex", self.dex.is_some()),
                ("kubernetes", self.kubernetes.is_some()),
                ("spiffe", self.spiffe.is_some()),
                ("github_actions", self.github_actions.is_some()),
                ("gitlab_ci", self.gitlab_ci.is_some()),
            ],
        )
    }
}

impl IssuerConfig {
    #[cfg(not(feature = "oidc-discovery"))]
    pub(super) fn verifier_of_provider(
        &self,
        provider: &Provider,
        place: &Place,
        _: &Client,
    ) -> Result<JwtVerifier, ConfigError> {
        let place = place.member("provider");
        let name = provider.name(&place)?;
        Err(needs("oidc-discovery")).at(&place.member(name))
    }

    #[cfg(feature = "oidc-discovery")]
    pub(super) fn verifier_of_provider(
        &self,
        provider: &Provider,
        place: &Place,
        client: &Client,
    ) -> Result<JwtVerifier, ConfigError> {
        let provider_at = place.member("provider");
        let name = provider.name(&provider_at)?;
        let provider_at = provider_at.member(name);
        self.check_beside_provider(provider, place)?;
        if self.dangerous_allow_http_hosts.is_some() {
            self.check_http_hosts(place)?;
        }
        let known = match self.workloads(provider, place, &provider_at)? {
            Some(known) => Ok(known),
            None => self.known_issuer(provider, place).map_err(|error| match error.kind() {
                // It already names its place.
                ConfigErrorKind::Member => error,
                ConfigErrorKind::Audience => {
                    let member = self.given_audience().unwrap_or("audience");
                    error.at(place.member(member))
                }
                _ => error.at(&provider_at),
            }),
        };
        let mut known = known?;
        if let Some(hosts) = &*self.dangerous_allow_http_hosts {
            known = known.dangerous_allow_http_hosts(hosts.iter()).at(&provider_at)?;
        }
        if let Some(base) = &*self.fetch_base {
            known = known.with_fetch_base(base).at(&place.member("fetch_base"))?;
        }
        if let Some(url) = &*self.jwks_url {
            known = known.with_jwks_url(url).at(&place.member("jwks_url"))?;
        }
        known.verifier_with_needed(|| client.get(&provider_at))
    }

    #[cfg(feature = "oidc-discovery")]
    fn known_issuer(&self, provider: &Provider, place: &Place) -> Result<KnownIssuer, ConfigError> {
        if let Some(Table(Project { project })) = &*provider.firebase {
            return match self.given_audience() {
                Some(name) => Err(place
                    .member(name)
                    .error("the audience of tokens of Firebase is the project: leave this out")),
                None => KnownIssuer::firebase(project),
            };
        }
        if let Some(Table(UserPool { user_pool })) = &*provider.cognito {
            return KnownIssuer::cognito(user_pool, self.cognito_clients(place)?);
        }
        let (_, audience) = self.audience(place)?;
        match provider {
            Provider { auth0: Given(Some(Table(Domain { domain }))), .. } => {
                KnownIssuer::auth0(domain, audience)
            }
            Provider { keycloak: Given(Some(Table(Realm { base, realm }))), .. } => {
                KnownIssuer::keycloak(base, realm, audience)
            }
            Provider { entra_id: Given(Some(Table(Tenant { tenant }))), .. } => {
                KnownIssuer::entra_id(tenant, audience)
            }
            Provider { entra_id_v1: Given(Some(Table(Tenant { tenant }))), .. } => {
                KnownIssuer::entra_id_v1(tenant, audience)
            }
            Provider {
                okta: Given(Some(Table(AuthorizationServer { domain, authorization_server }))),
                ..
            } => KnownIssuer::okta(domain, authorization_server, audience),
            Provider { dex: Given(Some(Table(Issuer { issuer }))), .. } => {
                KnownIssuer::dex(issuer, audience)
            }
            Provider { kubernetes: Given(Some(Table(Issuer { issuer }))), .. } => {
                KnownIssuer::kubernetes(issuer, audience)
            }
            _ => KnownIssuer::google_id_tokens(audience),
        }
    }

    /// Refuses members that contradict a provider, or that would have no effect.
    #[cfg(feature = "oidc-discovery")]
    fn check_beside_provider(&self, provider: &Provider, place: &Place) -> Result<(), ConfigError> {
        let members = [
            ("issuer", self.issuer.is_some()),
            ("dangerous_any_issuer", self.dangerous_any_issuer.0),
            ("discover", self.discover.0),
            ("jwks_file", self.jwks_file.is_some()),
            ("public_key_file", self.public_key_file.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("base64_secret_file", self.base64_secret_file.is_some()),
            ("key_use", self.key_use.is_some()),
            ("refuse_private_addresses", self.refuse_private_addresses.0),
        ];
        let cold_start = [
            ("initial_jwks_file", self.initial_jwks_file.is_some()),
            ("key_file", self.key_file.is_some()),
            ("key_file_max_age_seconds", self.key_file_max_age_seconds.is_some()),
        ];
        if let Some(name) = first_given(cold_start) {
            return Err(place.member(name).error(
                "this does not apply to `provider`: name the issuer by `issuer`, and find its keys by `discover`",
            ));
        }
        match first_given(members) {
            Some(name) => Err(place
                .member(name)
                .error("this contradicts `provider`, which names the issuer and its keys")),
            None if self.fetch_base.is_some() && self.jwks_url.is_some() => Err(place.error(
                "`fetch_base` and `jwks_url` contradict each other: the keys have one place",
            )),
            None => match &*provider.spiffe {
                Some(spiffe) => self.check_beside_spiffe(spiffe, place),
                None => Ok(()),
            },
        }
    }

    /// A trust domain has a bundle, and no metadata.
    #[cfg(feature = "oidc-discovery")]
    fn check_beside_spiffe(&self, spiffe: &Spiffe, place: &Place) -> Result<(), ConfigError> {
        let members = [
            ("jwks_url", self.jwks_url.is_some()),
            ("fetch_base", self.fetch_base.is_some()),
            (
                "dangerous_allow_http_hosts",
                self.dangerous_allow_http_hosts.is_some() && !spiffe.has_url(),
            ),
        ];
        match first_given(members) {
            Some(name) => Err(place.member(name).error(
                "this does not apply to `spiffe`: `bundle_url` or `bundle_file` says where the keys are",
            )),
            None => Ok(()),
        }
    }
}
