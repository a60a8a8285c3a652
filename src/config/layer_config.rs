use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

use crate::authorize::Rule;
use crate::claims::{Scope, ScopeHierarchy};
use crate::config::around::SharedAround;
use crate::config::cache::CacheConfig;
use crate::config::client::Client;
use crate::config::dpop::DpopConfig;
use crate::config::format_error::FormatError;
use crate::config::issuer::{IssuerConfig, Shared};
use crate::config::place::{At, Place};
use crate::config::replay::OneTimeConfig;
use crate::config::resource::ResourceConfig;
use crate::config::sources::SourcesConfig;
use crate::config::values::{Entries, Given, Name, Switch, Table, Texts, TextsByName};
use crate::config::verifier::ConfigVerifier;
use crate::config_error::{ConfigError, ConfigErrorKind};
#[cfg(feature = "jwks-url")]
use crate::key_source::Fetch;

/// The configuration of a [`JwtAuthLayer`](crate::JwtAuthLayer) as data: `serde` deserializes it from TOML, YAML, JSON
/// or environment variables, and [`JwtAuthLayer::from_config`](crate::JwtAuthLayer::from_config) makes the layer.
///
/// The guide [`docs::configuration`](crate::docs::configuration) lists all members. A member has the name and the
/// default of a setter, so a `dangerous_…` setting needs its full name. An unknown member, a wrong type, a
/// contradiction and a value that a setter refuses are errors. Deserialization alone does not find all of them: only a
/// built layer has been checked as a whole.
///
/// Secrets are read from files, which the configuration names. `Debug` shows only the names of the issuers.
///
/// # Example: one issuer, in TOML
///
/// ```
/// # #[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_jwt_auth::{JwtAuthLayer, LayerConfig};
///
/// let text = r#"
///     required_scopes = "orders:read"
///
///     [issuers.main]
///     issuer = "https://issuer.example"
///     audience = "https://api.example"
///     discover = true
/// "#;
/// let config: LayerConfig = toml::from_str(text)?;
/// let layer: JwtAuthLayer = JwtAuthLayer::from_config(&config)?;
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "oidc-discovery", feature = "reqwest-0_13")))]
/// # fn main() {}
/// ```
///
/// # Example: an error names its place
///
/// ```
/// use tower_jwt_auth::LayerConfig;
///
/// let text = r#"{"issuers": [{"issuer": "https://issuer.example", "algorithms": ["HS1"]}]}"#;
/// let config: LayerConfig = serde_json::from_str(text)?;
/// let error = config.verifier::<tower_jwt_auth::RegisteredClaims>().unwrap_err();
/// assert!(error.to_string().starts_with("issuers[0].algorithms[0]: unknown algorithm"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct LayerConfig(pub(super) Members);

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Members {
    pub(super) issuers: Entries<Table<IssuerConfig>>,
    pub(super) required_scopes: Given<Texts>,
    scope_hierarchy: TextsByName,
    pub(super) token_cache: Given<Table<CacheConfig>>,
    pub(super) dpop: Given<Table<DpopConfig>>,
    pub(super) one_time_tokens: Given<Table<OneTimeConfig>>,
    /// Built with the first layer.
    #[serde(skip)]
    pub(super) around: SharedAround,

    pub(super) sources: Given<Table<SourcesConfig>>,
    pub(super) remove_credential: Switch,
    pub(super) optional: Switch,
    /// Set by the application, not by the data.
    #[serde(skip)]
    pub(super) is_optional_allowed: bool,

    pub(super) realm: Given<String>,
    scope_in_challenge: Given<Texts>,
    pub(super) grpc_web: Switch,
    pub(super) without_grpc: Switch,
    pub(super) grpc_error_info: Given<String>,
    pub(super) metrics: Switch,
    pub(super) resource_metadata: Given<Table<ResourceConfig>>,
}

impl LayerConfig {
    /// Deserializes a configuration. Unlike [`Deserialize`], every format then gets an error that names the place of
    /// the fault, such as `issuers[1].jwks_url`. The [source](std::error::Error::source) is the error of the format
    /// without the values and the lines of the file, which could be secret.
    ///
    /// If the configuration is a part of the application's, call `serde_path_to_error::deserialize`, or use the places
    /// of the format: most have a line or a path.
    ///
    /// # Errors
    ///
    /// When the text is not of the format, when a member is unknown, or when its value has another type.
    ///
    /// # Example: a member that is misspelled
    ///
    /// ```
    /// use tower_jwt_auth::LayerConfig;
    ///
    /// let text = r#"{"issuers": [{"issuer": "https://issuer.example", "jwk_url": "https://…"}]}"#;
    /// let mut json = serde_json::Deserializer::from_str(text);
    /// let error = LayerConfig::from_deserializer(&mut json).unwrap_err();
    /// assert_eq!(error.to_string(), "issuers[0].jwk_url: this is not a valid configuration");
    /// ```
    ///
    /// # Example: nothing may follow the configuration
    ///
    /// Some formats, such as JSON, are read up to the end of the first value. Then check with the deserializer that
    /// this is the end of the text.
    ///
    /// ```
    /// use tower_jwt_auth::LayerConfig;
    ///
    /// let mut json = serde_json::Deserializer::from_str(r#"{"realm": "shop"} {"realm": "orders"}"#);
    /// assert!(LayerConfig::from_deserializer(&mut json).is_ok());
    /// assert!(json.end().is_err());
    /// ```
    pub fn from_deserializer<'de, D>(deserializer: D) -> Result<Self, ConfigError>
    where
        D: Deserializer<'de>,
    {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let message = "this is not a valid configuration";
            let fault = ConfigError::new(ConfigErrorKind::Member, message);
            let fault = match error.path().iter().next() {
                Some(_) => fault.at(error.path()),
                None => fault,
            };
            fault.with_source(FormatError::new(&error.inner().to_string()))
        })
    }

    /// Allows the configuration to have `optional = true`. By default that is an error, since only the application
    /// knows whether its handlers can do without a token: call this if each of them asks for an `Option` of the token.
    ///
    /// # Example: a server whose handlers look for a token themselves
    ///
    /// ```
    /// use tower_jwt_auth::{ConfigError, JwtAuthLayer, LayerConfig};
    ///
    /// fn layer(config: LayerConfig) -> Result<JwtAuthLayer, ConfigError> {
    ///     JwtAuthLayer::from_config(&config.allow_optional())
    /// }
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn allow_optional(mut self) -> Self {
        self.0.is_optional_allowed = true;
        self
    }

    /// Builds the verifier of the configuration, to add checks to it. The crate's HTTP client (feature `reqwest-0_13`)
    /// fetches keys; for another client see [`verifier_with`](Self::verifier_with).
    /// [`layer_with_verifier`](Self::layer_with_verifier) makes the layer.
    ///
    /// # Errors
    ///
    /// See [`JwtAuthLayer::from_config`](crate::JwtAuthLayer::from_config).
    pub fn verifier<C>(&self) -> Result<ConfigVerifier<C>, ConfigError>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        self.build_verifier(Client::of_crate())
    }

    /// Like [`verifier`](Self::verifier), but `fetch` fetches keys. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// See [`JwtAuthLayer::from_config`](crate::JwtAuthLayer::from_config).
    #[cfg(feature = "jwks-url")]
    pub fn verifier_with<C>(&self, fetch: impl Fetch) -> Result<ConfigVerifier<C>, ConfigError>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        self.build_verifier(Client::custom(fetch))
    }

    /// The identifier of the protected resource, if the configuration has `resource_metadata`.
    pub fn resource(&self) -> Option<&str> {
        self.0.resource_metadata.as_ref().map(|metadata| &*metadata.resource)
    }

    fn build_verifier<C>(&self, client: Client) -> Result<ConfigVerifier<C>, ConfigError>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let shared = Shared { hierarchy: self.hierarchy()?, client };
        let issuers = self.issuers(&shared)?;
        ConfigVerifier::new(issuers, self.required_scopes()?, &self.around()?)
    }

    /// The rule of `required_scopes`, if the configuration has them: for tokens that arrive without a request, whose
    /// verifier needs [`with_claims_by_name`](crate::JwtVerifier::with_claims_by_name). The layer and the verifier of the
    /// configuration check it themselves.
    ///
    /// # Errors
    ///
    /// When there is no scope in `required_scopes`, or one that a token cannot have.
    ///
    /// # Example: a scope that a token lacks
    ///
    /// ```
    /// use tower_jwt_auth::{LayerConfig, RegisteredClaims};
    ///
    /// let config: LayerConfig = serde_json::from_str(r#"{"required_scopes": "orders:read"}"#)?;
    /// let rule = config.required_scopes::<RegisteredClaims>().unwrap();
    /// assert!(rule.is_some());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn required_scopes<C>(&self) -> Result<Option<Rule<C>>, ConfigError> {
        let scopes = self.0.required_scopes.as_ref();
        let rule = scopes.map(|scopes| Rule::all_scopes(scopes.scopes()));
        rule.transpose().at(&Place::default().member("required_scopes"))
    }

    /// The scope that challenges name, and its place.
    pub(super) fn scope_to_name(&self) -> Option<(Place, Scope)> {
        let own = self.0.scope_in_challenge.as_ref().map(|scopes| ("scope_in_challenge", scopes));
        let required = self.0.required_scopes.as_ref().map(|scopes| ("required_scopes", scopes));
        let (name, scopes) = own.or(required)?;
        Some((Place::default().member(name), scopes.scopes().collect()))
    }

    fn hierarchy(&self) -> Result<Option<ScopeHierarchy>, ConfigError> {
        let place = Place::default().member("scope_hierarchy");
        let mut pairs = Vec::new();
        for (scope, included) in &self.0.scope_hierarchy.0 {
            let included = included.join(" ");
            // Alone, so that an error names the scope.
            ScopeHierarchy::new([(scope.as_str(), included.as_str())])
                .at(&place.entry(&Name::Key(scope.clone())))?;
            pairs.push((scope.as_str(), included));
        }
        if pairs.is_empty() {
            return Ok(None);
        }
        let pairs = pairs.iter().map(|(scope, included)| (*scope, included.as_str()));
        ScopeHierarchy::new(pairs).map(Some).at(&place)
    }
}

impl<'de> Deserialize<'de> for LayerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Table::deserialize(deserializer).map(|Table(members)| Self(members))
    }
}

impl fmt::Debug for LayerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.issuers.0.iter().flat_map(|(_, issuer)| issuer.issuer.iter());
        let names: Vec<&str> = names.flat_map(Texts::iter).collect();
        f.debug_struct("LayerConfig").field("issuers", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::JwtAuthLayer;
    use crate::claims::RegisteredClaims;

    #[test]
    fn member_that_needs_a_feature_is_an_error_without_it() {
        let secret = "issuers = [{ issuer = 'https://a.example', audience = 'b', algorithms = 'HS256', secret_file = \
                      'src/config/layer_config.rs' }]\n";
        let issuer = |keys: &str| {
            format!("issuers = [{{ issuer = 'https://a.example', audience = 'b', {keys} }}]")
        };
        let bundle = std::env::temp_dir().join(format!("bundle-{}.json", std::process::id()));
        let key = r#"{"kty": "EC", "crv": "P-256", "use": "jwt-svid", "kid": "a",
            "x": "fK-wKTnKL7KFLM27lqq5DC-bxrVaH6rDV-IcCSEOeL4",
            "y": "wq-g3TQWxYlV51TCPH030yXsRxvujD4hUUaIQrXk4KI"}"#;
        std::fs::write(&bundle, format!("{{\"keys\": [{key}]}}")).unwrap();
        let rows = [
            (
                cfg!(all(feature = "jwks-url", feature = "reqwest-0_13")),
                issuer("jwks_url = 'https://a.example'"),
                "jwks-url",
            ),
            (
                cfg!(all(feature = "oidc-discovery", feature = "reqwest-0_13")),
                issuer("discover = true"),
                "oidc-discovery",
            ),
            (
                cfg!(all(feature = "oidc-discovery", feature = "reqwest-0_13")),
                "issuers = [{ provider.firebase.project = 'acme-app' }]".to_owned(),
                "oidc-discovery",
            ),
            // Nothing is fetched.
            (
                cfg!(feature = "oidc-discovery"),
                format!(
                    "[[issuers]]\naudience = 'orders'\n[issuers.provider.spiffe]\ntrust_domain = 'example.org'\n\
                     bundle_file = '{}'",
                    bundle.display()
                ),
                "oidc-discovery",
            ),
            (
                cfg!(feature = "reqwest-0_13"),
                issuer("jwks_url = 'https://a.example'"),
                "reqwest-0_13",
            ),
            (
                cfg!(all(feature = "introspection", feature = "reqwest-0_13")),
                issuer(
                    "introspection = { url = 'https://a.example', client_id = 'c', client_secret_file = \
                     'examples/demo-token.txt' }",
                ),
                "introspection",
            ),
            (
                cfg!(feature = "dpop"),
                format!("{secret}dpop.public_urls = 'https://api.example'"),
                "dpop",
            ),
            (
                cfg!(feature = "token-cache"),
                format!("{secret}token_cache.capacity = 1"),
                "token-cache",
            ),
            (cfg!(feature = "metrics"), format!("{secret}metrics = true"), "metrics"),
            (
                cfg!(feature = "grpc-error-info"),
                format!("{secret}grpc_error_info = 'a.example'"),
                "grpc-error-info",
            ),
            (
                cfg!(feature = "query-token"),
                format!("{secret}sources.dangerous_query = 'access_token'"),
                "query-token",
            ),
            (
                cfg!(feature = "resource-metadata"),
                format!("{secret}resource_metadata.resource = 'https://api.example'"),
                "resource-metadata",
            ),
        ];
        for (is_on, toml, feature) in rows {
            let config: LayerConfig = toml::from_str(&toml).unwrap();
            let layer = JwtAuthLayer::<RegisteredClaims>::from_config(&config);
            match layer.map_err(|error| error.to_string()) {
                Ok(layer) => assert!(is_on, "{feature}: {layer:?}"),
                // Without the first feature, the second one is not named.
                Err(error) => {
                    assert!(!is_on && error.contains("this needs "), "{feature}: {error}")
                }
            }
        }
    }
}
