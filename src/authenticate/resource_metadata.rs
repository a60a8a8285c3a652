//! The metadata of the protected resource: named in the challenges of a layer, and derived from its configuration.

use std::sync::Arc;

use crate::authenticate::{JwtAuthLayer, Policy};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::resource_metadata::{Configured, ResourceMetadata, ResourceMetadataLayer};
use crate::scheme::TokenScheme;

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Names the URL of the resource's metadata in each challenge (RFC 9728 section 5.1), of 401, 403 and 400 responses,
    /// over HTTP and gRPC; none by default. A second call replaces the metadata.
    ///
    /// Serve the document with [`resource_metadata_layer`](Self::resource_metadata_layer). The URL is the configured one,
    /// whatever `Host` or `X-Forwarded-Host` a request has. Like a [realm](Self::with_realm), the metadata make the
    /// challenges the layer's own: see [Refusals from below](JwtAuthLayer#refusals-from-below).
    ///
    /// The resource and the expected audience are two settings. Where the issuer supports `resource` (RFC 8707), expect
    /// the identifier of the resource as the audience. Other issuers have audiences of their own. For an example, see
    /// [`ResourceMetadata`].
    ///
    /// # Errors
    ///
    /// When neither the verifier nor the metadata name an authorization server: then clients would not know where to
    /// get a token. Also when [`with_authorization_servers`](ResourceMetadata::with_authorization_servers) selects one
    /// that neither of them names. An [`IssuerSet`](crate::IssuerSet) causes neither error, since issuers can be added to
    /// it later, unless it has a template with a predicate.
    pub fn with_resource_metadata(
        mut self,
        metadata: ResourceMetadata,
    ) -> Result<Self, ConfigError> {
        let policy = self.policy_mut();
        metadata.check_authorization_servers(&policy.verifier.accepted_tokens())?;
        policy.challenges = Arc::new(policy.challenges.with_resource_metadata(metadata.url()));
        policy.has_own_form = true;
        self.resource_metadata = Some(Arc::new(metadata));
        Ok(self)
    }

    /// Creates the layer that serves the document of [`with_resource_metadata`](Self::with_resource_metadata).
    ///
    /// The document describes this layer as it is now, whatever the order of the setters was. Setters that are called
    /// afterwards make another layer, which the document does not describe.
    ///
    /// # Errors
    ///
    /// When this layer has no metadata.
    pub fn resource_metadata_layer(&self) -> Result<ResourceMetadataLayer, ConfigError> {
        let metadata = self.resource_metadata.as_ref().ok_or_else(|| {
            unusable("the layer has no metadata: call `with_resource_metadata` first")
        })?;
        let (metadata, policy) = (Arc::clone(metadata), Arc::clone(self.policy()));
        let configured = policy.configured();
        let accepted = move || match policy.schemes.contains(TokenScheme::DPoP) {
            true => policy.verifier.accepted_tokens(),
            false => policy.verifier.accepted_tokens().without_dpop(),
        };
        Ok(ResourceMetadataLayer::new(metadata, configured, accepted))
    }
}

impl<C: 'static> Policy<C> {
    fn configured(&self) -> Configured {
        Configured {
            bearer_methods: self.bearer_methods(),
            scope: self.challenges.scope().cloned(),
        }
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::ResourceMetadata, message)
}
