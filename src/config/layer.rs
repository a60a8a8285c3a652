//! The layer of a configuration.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::authenticate::JwtAuthLayer;
use crate::config::layer_config::LayerConfig;
#[cfg(not(all(
    feature = "grpc-error-info",
    feature = "metrics",
    feature = "resource-metadata"
)))]
use crate::config::place::needs;
use crate::config::place::{At, Place};
use crate::config::verifier::with_scopes;
use crate::config_error::ConfigError;
#[cfg(feature = "jwks-url")]
use crate::key_source::Fetch;
use crate::verify::VerifyToken;

impl<C: DeserializeOwned + Send + Sync + 'static> JwtAuthLayer<C> {
    /// Creates a layer from a [configuration](LayerConfig). If it names URLs of keys, the crate's HTTP client fetches
    /// them (feature `reqwest-0_13`); for another client see `from_config_with` (feature `jwks-url`).
    ///
    /// The files that the configuration names are read now, and nothing is fetched yet. All other setters of the layer
    /// can still be called; each replaces what the configuration says.
    ///
    /// A layer with `required_scopes` refuses tokens without them, and names them in its challenges. All layers of one
    /// `LayerConfig` and of its clones share the stores of used proofs and tokens, and the key of the nonces. The first
    /// layer reads the file of that key, for all of them.
    ///
    /// # Errors
    ///
    /// When two members contradict each other, when a required one is missing, when a file cannot be read, when a member
    /// needs a feature that is off, or when a setter refuses a value. The text begins with the place of the member, such
    /// as `issuers[1].jwks_url`.
    pub fn from_config(config: &LayerConfig) -> Result<Self, ConfigError> {
        let verifier = config.verifier()?;
        config.apply(Self::new(verifier.into_verifier()))
    }

    /// Like [`from_config`](Self::from_config), but `fetch` fetches the keys. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// See [`from_config`](Self::from_config).
    #[cfg(feature = "jwks-url")]
    pub fn from_config_with(config: &LayerConfig, fetch: impl Fetch) -> Result<Self, ConfigError> {
        let verifier = config.verifier_with(fetch)?;
        config.apply(Self::new(verifier.into_verifier()))
    }
}

impl LayerConfig {
    /// Creates a layer with another verifier, such as the [configured one](Self::verifier) with checks. The issuers and
    /// the token cache of the configuration are those of the verifier, and are ignored here. The `required_scopes`, the
    /// proofs of `dpop` and the `one_time_tokens` are checked in any case, after the checks of the verifier: what it
    /// refuses is not used up.
    ///
    /// With `dpop`, a custom verifier that wraps another one must override
    /// [`verify_unconfirmed`](VerifyToken::verify_unconfirmed): otherwise every bound token is refused.
    ///
    /// # Errors
    ///
    /// See [`JwtAuthLayer::from_config`](crate::JwtAuthLayer::from_config). Also when a
    /// [`SenderConstrained`](crate::SenderConstrained) is in the verifier, and the configuration has `dpop`.
    pub fn layer_with_verifier<C>(
        &self,
        verifier: impl VerifyToken<C>,
    ) -> Result<JwtAuthLayer<C>, ConfigError>
    where
        C: Send + Sync + 'static,
    {
        if self.0.dpop.is_some() && verifier.confirms_sender() {
            return Err(Place::default().member("dpop").error(
                "the verifier checks bindings itself, and two checks accept no bound token: leave out one of them",
            ));
        }
        let verifier = with_scopes(Arc::new(verifier), self.required_scopes()?);
        self.apply(JwtAuthLayer::new(self.around()?.all(verifier)))
    }

    /// Applies all members except those of the verifier.
    fn apply<C>(&self, mut layer: JwtAuthLayer<C>) -> Result<JwtAuthLayer<C>, ConfigError>
    where
        C: Send + Sync + 'static,
    {
        let root = Place::default();
        if let Some(sources) = &*self.0.sources {
            let place = root.member("sources");
            layer = layer.with_sources(sources.sources(&place)?).at(&place)?;
        }
        if self.0.remove_credential.0 {
            layer = layer.remove_credential();
        }
        if self.0.optional.0 {
            self.check_optional(&root.member("optional"))?;
            layer = layer.optional();
        }
        if let Some(realm) = &*self.0.realm {
            layer = layer.with_realm(realm).at(&root.member("realm"))?;
        }
        if let Some((place, scope)) = self.scope_to_name() {
            layer = layer.with_scope_in_challenge(scope).at(&place)?;
        }
        layer = match (self.0.grpc_web.0, self.0.without_grpc.0) {
            (true, true) => {
                return Err(root
                    .member("without_grpc")
                    .error("`grpc_web` and `without_grpc` contradict each other"));
            }
            (true, false) => layer.with_grpc_web(),
            (false, true) => layer.without_grpc(),
            (false, false) => layer,
        };
        if let Some(domain) = &*self.0.grpc_error_info {
            layer = with_grpc_error_info(layer, domain).at(&root.member("grpc_error_info"))?;
        }
        if self.0.metrics.0 {
            layer = with_metrics(layer).at(&root.member("metrics"))?;
        }
        self.with_resource_metadata(layer, &root.member("resource_metadata"))
    }

    /// Refuses to forward requests without a token unless the application is made for it, and unless no check is lost.
    fn check_optional(&self, place: &Place) -> Result<(), ConfigError> {
        if self.0.required_scopes.is_some() {
            return Err(place.error(
                "this contradicts `required_scopes`: a request without a token has none of them",
            ));
        }
        match self.0.is_optional_allowed {
            true => Ok(()),
            false => Err(place.error(
                "the application does not allow requests without a token: if it is made for them, it calls \
                 `LayerConfig::allow_optional`",
            )),
        }
    }

    #[cfg(feature = "resource-metadata")]
    fn with_resource_metadata<C: Send + Sync + 'static>(
        &self,
        layer: JwtAuthLayer<C>,
        place: &Place,
    ) -> Result<JwtAuthLayer<C>, ConfigError> {
        match &*self.0.resource_metadata {
            Some(metadata) => layer.with_resource_metadata(metadata.metadata(place)?).at(place),
            None => Ok(layer),
        }
    }

    #[cfg(not(feature = "resource-metadata"))]
    fn with_resource_metadata<C>(
        &self,
        layer: JwtAuthLayer<C>,
        place: &Place,
    ) -> Result<JwtAuthLayer<C>, ConfigError> {
        match &*self.0.resource_metadata {
            Some(_) => Err(needs("resource-metadata")).at(place),
            None => Ok(layer),
        }
    }
}

#[cfg(feature = "grpc-error-info")]
fn with_grpc_error_info<C: Send + Sync + 'static>(
    layer: JwtAuthLayer<C>,
    domain: &str,
) -> Result<JwtAuthLayer<C>, ConfigError> {
    layer.with_grpc_error_info(domain)
}

#[cfg(not(feature = "grpc-error-info"))]
fn with_grpc_error_info<C>(_: JwtAuthLayer<C>, _: &str) -> Result<JwtAuthLayer<C>, ConfigError> {
    Err(needs("grpc-error-info"))
}

#[cfg(feature = "metrics")]
fn with_metrics<C: Send + Sync + 'static>(
    layer: JwtAuthLayer<C>,
) -> Result<JwtAuthLayer<C>, ConfigError> {
    Ok(layer.with_metrics())
}

#[cfg(not(feature = "metrics"))]
fn with_metrics<C>(_: JwtAuthLayer<C>) -> Result<JwtAuthLayer<C>, ConfigError> {
    Err(needs("metrics"))
}
