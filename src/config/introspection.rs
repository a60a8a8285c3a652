//! An issuer that is asked about its tokens.

#[cfg(feature = "introspection")]
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[cfg(feature = "introspection")]
use crate::config::client::Client;
#[cfg(feature = "introspection")]
use crate::config::files::{Contents, one_line, read};
#[cfg(feature = "introspection")]
use crate::config::issuer::{IssuerConfig, Shared, secret_in_data};
#[cfg(all(feature = "introspection", not(feature = "issuer")))]
use crate::config::place::needs;
#[cfg(feature = "introspection")]
use crate::config::place::{At, Place, first_given};
#[cfg(all(feature = "introspection", feature = "issuer"))]
use crate::config::values::Texts;
use crate::config::values::{Given, Switch, Whole};
#[cfg(feature = "introspection")]
use crate::config_error::{ConfigError, ConfigErrorKind};
#[cfg(all(feature = "introspection", feature = "issuer"))]
use crate::issuer::SigningKey;
#[cfg(feature = "introspection")]
use crate::verify::{ClientAuthentication, Introspection};

#[cfg_attr(not(feature = "introspection"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntrospectionConfig {
    url: String,
    client_id: String,
    #[serde(default)]
    client_authentication: Given<String>,
    #[serde(default)]
    client_secret_file: Given<String>,
    /// Only for a helpful error.
    #[serde(default)]
    client_secret: Given<IgnoredAny>,
    #[serde(default)]
    private_key_file: Given<String>,
    #[serde(default)]
    private_key_algorithm: Given<String>,
    #[serde(default)]
    private_key_id: Given<String>,
    #[serde(default)]
    require_signed_responses: Switch,
    #[serde(default)]
    cache_age_seconds: Given<Whole>,
    #[serde(default)]
    cache_capacity: Given<Whole>,
    #[serde(default)]
    max_concurrent_requests: Given<Whole>,
    #[serde(default)]
    dangerous_allow_missing_audience: Switch,
}

/// The values of `client_authentication`.
#[cfg(feature = "introspection")]
const METHODS: [&str; 4] =
    ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth"];

#[cfg(feature = "introspection")]
impl IssuerConfig {
    /// The verifier that asks this issuer.
    pub(super) fn introspection(
        &self,
        config: &IntrospectionConfig,
        place: &Place,
        shared: &Shared,
    ) -> Result<Introspection, ConfigError> {
        self.check_secret(place)?;
        self.check_beside_introspection(config, place)?;
        let at = place.member("introspection");
        let issuer = self.expected_issuer(place)?;
        let (audience_at, audience) = self.audience(place)?;
        let authentication = config.authentication(self, &at, &shared.client)?;
        let fetch = shared.client.get(&at)?;
        let verifier = match &*self.dangerous_allow_http_hosts {
            Some(hosts) => {
                self.check_http_hosts(place)?;
                Introspection::dangerous_allow_http_hosts_with(
                    issuer,
                    audience,
                    &config.url,
                    authentication,
                    hosts.iter(),
                    fetch,
                )
            }
            None => Introspection::new_with(issuer, audience, &config.url, authentication, fetch),
        };
        let mut verifier = verifier.map_err(|error| match error.kind() {
            ConfigErrorKind::Audience => error.at(&audience_at),
            ConfigErrorKind::Issuer => error.at(place.member("issuer")),
            _ => error.at(at.member("url")),
        })?;
        if self.refuse_private_addresses.0 {
            verifier = verifier.refuse_private_addresses().at(&at.member("url"))?;
        }
        if config.require_signed_responses.0 {
            let algorithms = self.algorithms(place)?;
            let keys = self.keys(place, &algorithms, &shared.client)?;
            let at = at.member("require_signed_responses");
            verifier = verifier.require_signed_responses(keys).at(&at)?;
        }
        let verifier = self.with_rules_of_answers(verifier, place, shared)?;
        config.with_limits(verifier, &at)
    }

    /// The rules of the issuer that apply to answers too.
    fn with_rules_of_answers(
        &self,
        mut verifier: Introspection,
        place: &Place,
        shared: &Shared,
    ) -> Result<Introspection, ConfigError> {
        if let Some(Whole(leeway)) = *self.leeway_seconds {
            let place = place.member("leeway_seconds");
            verifier = verifier.with_leeway(Duration::from_secs(leeway)).at(&place)?;
        }
        if let Some(length) = *self.max_token_length {
            let place = place.member("max_token_length");
            verifier = verifier.with_max_token_length(length.as_usize()).at(&place)?;
        }
        for claim in self.claims_to_require(place)? {
            verifier = verifier.add_required_claim(claim);
        }
        if let Some(hierarchy) = &shared.hierarchy {
            verifier = verifier.with_scope_hierarchy(hierarchy.clone());
        }
        Ok(match self.dangerous_ignore_confirmation.0 {
            true => verifier.dangerous_ignore_confirmation(),
            false => verifier,
        })
    }

    /// Refuses members that an introspected token would ignore.
    fn check_beside_introspection(
        &self,
        config: &IntrospectionConfig,
        place: &Place,
    ) -> Result<(), ConfigError> {
        let members = [
            ("provider", self.provider.is_some()),
            ("exclusive_audience", self.exclusive_audience.0),
            ("max_age_seconds", self.max_age_seconds.is_some()),
            ("require_rfc9068", self.require_rfc9068.0),
            ("token_types", self.token_types.is_some()),
            ("allow_at_hash", self.allow_at_hash.0),
            ("max_header_length", self.max_header_length.is_some()),
            ("dangerous_accept_id_tokens", self.dangerous_accept_id_tokens.0),
        ];
        let keys = [
            ("algorithms", self.algorithms.is_some()),
            ("fetch_base", self.fetch_base.is_some()),
            ("key_use", self.key_use.is_some()),
            ("initial_jwks_file", self.initial_jwks_file.is_some()),
            ("key_file", self.key_file.is_some()),
            ("key_file_max_age_seconds", self.key_file_max_age_seconds.is_some()),
        ];
        let keys = self.key_members().into_iter().chain(keys);
        if let Some(name) = first_given(members) {
            return Err(place.member(name).error("this does not apply to `introspection`"));
        }
        if let (
            true,
            Some(
                name @ ("authorized_parties"
                | "clients"
                | "cognito_clients"
                | "dangerous_any_audience"),
            ),
        ) = (config.dangerous_allow_missing_audience.0, self.given_audience())
        {
            let at = place.member("introspection").member("dangerous_allow_missing_audience");
            return Err(at.error(format_args!("this has no effect beside `{name}`")));
        }
        let is_key_file = self.public_key_file.is_some()
            || self.secret_file.is_some()
            || self.base64_secret_file.is_some();
        if config.require_signed_responses.0 {
            return match self.algorithms.is_some() && !is_key_file {
                true => Err(place.member("algorithms").error(
                    "this does not apply to `introspection`: a signed response has an algorithm of the keys",
                )),
                false => Ok(()),
            };
        }
        match first_given(keys) {
            Some(name) => Err(place.member(name).error(
                "this does not apply to `introspection`, unless `require_signed_responses` is true",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "introspection")]
impl IntrospectionConfig {
    fn with_limits(
        &self,
        mut verifier: Introspection,
        place: &Place,
    ) -> Result<Introspection, ConfigError> {
        if let Some(Whole(age)) = *self.cache_age_seconds {
            let place = place.member("cache_age_seconds");
            verifier = verifier.with_cache_age(Duration::from_secs(age)).at(&place)?;
        }
        if let Some(capacity) = *self.cache_capacity {
            let place = place.member("cache_capacity");
            if matches!(*self.cache_age_seconds, Some(Whole(0))) {
                return Err(place.error("this has no effect if `cache_age_seconds` is 0"));
            }
            verifier = verifier.with_cache_capacity(capacity.as_usize()).at(&place)?;
        }
        if let Some(requests) = *self.max_concurrent_requests {
            let place = place.member("max_concurrent_requests");
            verifier = verifier.with_max_concurrent_requests(requests.as_usize()).at(&place)?;
        }
        Ok(match self.dangerous_allow_missing_audience.0 {
            true => verifier.dangerous_allow_missing_audience(),
            false => verifier,
        })
    }

    fn authentication(
        &self,
        issuer: &IssuerConfig,
        place: &Place,
        client: &Client,
    ) -> Result<ClientAuthentication, ConfigError> {
        if self.client_secret.is_some() {
            return Err(secret_in_data(&place.member("client_secret"), "client_secret_file"));
        }
        let method = self.client_authentication.as_deref().unwrap_or("client_secret_basic");
        let at = place.member("client_authentication");
        // First, and without the value: it could be a secret in the wrong place.
        if !METHODS.contains(&method) {
            let names = METHODS.map(|name| format!("`{name}`")).join(", ");
            return Err(at.error(format_args!("unknown method: give one of {names}")));
        }
        self.check_credentials(method, place)?;
        match method {
            "client_secret_basic" => {
                ClientAuthentication::client_secret_basic(&self.client_id, self.secret(place)?)
                    .at(place)
            }
            "client_secret_post" => {
                ClientAuthentication::client_secret_post(&self.client_id, self.secret(place)?)
                    .at(place)
            }
            "private_key_jwt" => self.assertion(issuer, place),
            "tls_client_auth" if client.is_of_crate() => Err(at.error(
                "the HTTP client of this crate has no certificate: use a method that ends in `_with`, with a client \
                 that has one",
            )),
            _ => ClientAuthentication::tls_client(&self.client_id).at(place),
        }
    }

    /// Refuses credentials of another method.
    fn check_credentials(&self, method: &str, place: &Place) -> Result<(), ConfigError> {
        let has_secret = method.starts_with("client_secret_");
        let has_key = method == "private_key_jwt";
        let members = [
            ("client_secret_file", self.client_secret_file.is_some(), has_secret),
            ("private_key_file", self.private_key_file.is_some(), has_key),
            ("private_key_algorithm", self.private_key_algorithm.is_some(), has_key),
            ("private_key_id", self.private_key_id.is_some(), has_key),
        ];
        match members.into_iter().find(|(_, is_given, applies)| *is_given && !applies) {
            Some((name, ..)) => {
                Err(place.member(name).error(format_args!("this does not apply to `{method}`")))
            }
            None => Ok(()),
        }
    }

    /// The secret in the file. It cannot contain a line break, so one at the end is not a part.
    fn secret(&self, place: &Place) -> Result<String, ConfigError> {
        let Some(path) = &*self.client_secret_file else {
            return Err(place.error("the secret is missing: give `client_secret_file`"));
        };
        let at = place.member("client_secret_file");
        let bytes = read(path, Contents::Secret, &at)?;
        one_line(&bytes).map(str::to_owned).ok_or_else(|| at.error("the file is not UTF-8"))
    }

    #[cfg(feature = "issuer")]
    fn assertion(
        &self,
        issuer: &IssuerConfig,
        place: &Place,
    ) -> Result<ClientAuthentication, ConfigError> {
        let (Some(path), Some(algorithm)) = (&*self.private_key_file, &*self.private_key_algorithm)
        else {
            return Err(place.error(
                "the key is missing: `private_key_jwt` needs `private_key_file` and `private_key_algorithm`",
            ));
        };
        let Some(audience) = issuer.issuer.iter().flat_map(Texts::iter).next() else {
            let at = place.member("client_authentication");
            return Err(at.error("`private_key_jwt` needs `issuer`, which the assertion is for"));
        };
        let algorithm = algorithm.parse().at(&place.member("private_key_algorithm"))?;
        let at = place.member("private_key_file");
        let pem = read(path, Contents::Secret, &at)?;
        let mut key = SigningKey::from_pem(&pem, algorithm).at(&at)?;
        if let Some(id) = &*self.private_key_id {
            key = key.with_kid(id);
        }
        ClientAuthentication::private_key_jwt(&self.client_id, key, audience).at(place)
    }

    #[cfg(not(feature = "issuer"))]
    fn assertion(
        &self,
        _: &IssuerConfig,
        place: &Place,
    ) -> Result<ClientAuthentication, ConfigError> {
        Err(needs("issuer")).at(&place.member("client_authentication"))
    }
}
