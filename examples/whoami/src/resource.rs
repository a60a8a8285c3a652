//! `--resource`: the metadata of the protected resource, for clients that look for its issuers.

use axum::Router;
use tower_jwt_auth::{
    ConfigError, JwtAuthLayer, LayerConfig, ResourceMetadata, ResourceMetadataLayer, Scope,
};

use crate::flags::Flags;
use crate::verifier::Claims;
use crate::with_causes;

/// The document beside the routes; nothing without the flag.
pub(crate) struct Resource(Option<ResourceMetadataLayer>);

impl Resource {
    /// `scopes` are those beside the ones that the layer names. Also returns the layer with the URL of the document in its challenges.
    pub(crate) fn new(
        flags: &Flags,
        auth: JwtAuthLayer<Claims>,
        scopes: Option<Scope>,
    ) -> Result<(Self, JwtAuthLayer<Claims>), String> {
        let Some(resource) = &flags.resource else { return Ok((Self(None), auth)) };
        let with_metadata = || -> Result<_, ConfigError> {
            let auth =
                auth.with_resource_metadata(ResourceMetadata::new(resource)?.add_scopes(scopes)?)?;
            Ok((Self(Some(auth.resource_metadata_layer()?)), auth))
        };
        with_metadata().map_err(|error| format!("cannot use --resource: {}", with_causes(&error)))
    }

    /// The document of a layer that a file configures.
    pub(crate) fn configured(
        config: &LayerConfig,
        auth: &JwtAuthLayer<Claims>,
    ) -> Result<Self, String> {
        let layer = config.resource().map(|_| auth.resource_metadata_layer()).transpose();
        layer.map(Self).map_err(|error| with_causes(&error))
    }

    /// The same router with the document, which needs no token. Outside of the authentication layer.
    pub(crate) fn around(&self, router: Router) -> Router {
        match &self.0 {
            Some(metadata) => router.layer(metadata.clone()),
            None => router,
        }
    }
}
