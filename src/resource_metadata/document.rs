//! The document: how the application describes its resource, and what its layer is configured to accept.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use serde::Serialize;

use crate::claims::Scope;
use crate::config_error::ConfigError;
use crate::crypto::Algorithm;
use crate::resource_metadata::identifier::{check_issuer, unusable};
use crate::resource_metadata::metadata::{ResourceMetadata, add_once};
use crate::verify::AcceptedTokens;

/// What an authentication layer is configured to accept, beside the [`AcceptedTokens`] of its verifier, which can
/// change.
///
/// The two are the only source of the members that must not differ from the configuration.
pub(crate) struct Configured {
    /// The ways to send a bearer token that the layer accepts (RFC 6750 section 2): `header`, `body`, `query`.
    pub(crate) bearer_methods: Vec<&'static str>,
    /// The scope in the challenge of a 401.
    pub(crate) scope: Option<Scope>,
}

/// The members of the document (RFC 9728 section 2). Those without a value are left out (section 3.2).
#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    authorization_servers: Vec<&'a str>,
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
    #[serde(skip_serializing_if = "is_false")]
    tls_client_certificate_bound_access_tokens: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dpop_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "is_false")]
    dpop_bound_access_tokens_required: bool,
}

impl ResourceMetadata {
    /// # Errors
    ///
    /// When no authorization server is named, or when a selected one is not named; unless issuers can be added later.
    pub(crate) fn check_authorization_servers(
        &self,
        accepted: &AcceptedTokens,
    ) -> Result<(), ConfigError> {
        if accepted.may_grow() {
            return Ok(());
        }
        let named: HashSet<&str> = self.servers(accepted).into_iter().collect();
        let mut selected = self.selected_servers.iter().flatten();
        if let Some(other) = selected.find(|issuer| !named.contains(issuer.as_str())) {
            return Err(unusable(format!("the verifier does not name {other:?} as an issuer")));
        }
        match named.is_empty() {
            true => Err(unusable(
                "the verifier names no issuer that is a URL of https: name an authorization server \
                 with `ResourceMetadata::add_authorization_server`",
            )),
            false => Ok(()),
        }
    }

    /// The authorization servers of the document, each once: those of the verifier and those that were added, or the
    /// selected ones among them. Names that clients cannot use as issuers are left out: a verifier may expect such
    /// names.
    fn servers<'a>(&'a self, accepted: &'a AcceptedTokens) -> Vec<&'a str> {
        let of_verifier = accepted.authorization_servers().iter();
        let of_verifier = of_verifier.filter(|issuer| check_issuer(issuer).is_ok());
        let all = of_verifier.chain(&self.authorization_servers).map(String::as_str);
        let mut named = HashSet::new();
        let in_order: Vec<&str> = all.filter(|issuer| named.insert(*issuer)).collect();
        match &self.selected_servers {
            None => in_order,
            Some(selected) => {
                let selected = selected.iter().map(String::as_str);
                selected.filter(|issuer| named.contains(issuer)).collect()
            }
        }
    }

    /// The document in JSON; `None` as long as it would name no authorization server.
    pub(super) fn document(
        &self,
        configured: &Configured,
        accepted: &AcceptedTokens,
    ) -> Option<Bytes> {
        let authorization_servers = self.servers(accepted);
        if authorization_servers.is_empty() {
            return None;
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
            tls_client_certificate_bound_access_tokens: accepted.has_client_certificates(),
            dpop_signing_alg_values_supported: accepted
                .dpop_algorithms()
                .map(Algorithm::name)
                .collect(),
            dpop_bound_access_tokens_required: accepted.requires_dpop(),
        };
        // Strings, and lists of strings, can always be written as JSON.
        serde_json::to_vec(&document).ok().map(Bytes::from)
    }
}

/// `false` is the default of the members (RFC 9728 section 2).
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
