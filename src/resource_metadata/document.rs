//! The document: what the application says about its resource, and what its layer is configured to accept.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use crate::claims::Scope;
use crate::crypto::Algorithm;
use crate::resource_metadata::metadata::{ResourceMetadata, add_once};
use crate::verify::AcceptedTokens;

/// What an authentication layer is configured to accept, at the moment.
///
/// The only source of the members that must not differ from the configuration. The members for DPoP
/// (`dpop_signing_alg_values_supported`, `dpop_bound_access_tokens_required`) and for mTLS
/// (`tls_client_certificate_bound_access_tokens`) belong here too, once a verifier can tell them in its
/// [`AcceptedTokens`].
pub(crate) struct Configured {
    pub(crate) tokens: AcceptedTokens,
    /// The places in which the layer looks for bearer tokens (RFC 6750 section 2): `header`, `body`, `query`.
    pub(crate) bearer_methods: Vec<&'static str>,
    /// The scope in the challenge of a 401.
    pub(crate) scope: Option<Scope>,
}

/// The members of the document (RFC 9728 section 2). Those without a value are left out (section 3.2).
#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bearer_methods_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_signing_alg_values_supported: Vec<&'static str>,
    #[serde(flatten)]
    names: BTreeMap<String, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_policy_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_tos_uri: Option<&'a str>,
}

impl ResourceMetadata {
    /// The document in JSON.
    pub(super) fn document(&self, configured: &Configured) -> Bytes {
        let mut authorization_servers = configured.tokens.authorization_servers().to_vec();
        for issuer in &self.authorization_servers {
            add_once(&mut authorization_servers, issuer);
        }
        let mut scopes_supported = Vec::new();
        let of_challenge = configured.scope.iter().flat_map(Scope::iter);
        for scope in of_challenge.chain(self.scopes.iter().map(String::as_str)) {
            add_once(&mut scopes_supported, scope);
        }
        let algorithms = self.response_algorithms.iter();
        let document = Document {
            resource: self.resource(),
            authorization_servers,
            jwks_uri: self.jwks_url.as_deref(),
            scopes_supported,
            bearer_methods_supported: configured.bearer_methods.clone(),
            resource_signing_alg_values_supported: algorithms
                .copied()
                .map(Algorithm::name)
                .collect(),
            names: self.name.members("resource_name").collect(),
            resource_documentation: self.documentation.as_deref(),
            resource_policy_uri: self.policy.as_deref(),
            resource_tos_uri: self.terms_of_service.as_deref(),
        };
        // Strings, and lists of strings, can always be written as JSON.
        serde_json::to_vec(&document).unwrap_or_default().into()
    }
}
