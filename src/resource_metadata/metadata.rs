use crate::claims::Scope;
use crate::config_error::ConfigError;
use crate::crypto::Algorithm;
use crate::resource_metadata::identifier::{
    Identifier, check_issuer, secure_url, unusable, web_url,
};
use crate::resource_metadata::language::Translated;

/// The metadata of a protected resource (RFC 9728), as the application describes it.
///
/// [`JwtAuthLayer::with_resource_metadata`](crate::JwtAuthLayer::with_resource_metadata) names the URL of the metadata
/// in each challenge. [`JwtAuthLayer::resource_metadata_layer`](crate::JwtAuthLayer::resource_metadata_layer) serves
/// the document. A client that gets a 401 reads in the document where to get a token.
///
/// The layer adds the members that follow from its own configuration, so that the two cannot differ:
///
/// | member | value | setter |
/// |---|---|---|
/// | `resource` | the argument of [`new`](Self::new) | |
/// | `authorization_servers` | the issuers of the layer's verifier, and those that were added | [`with_authorization_servers`](Self::with_authorization_servers), [`add_authorization_server`](Self::add_authorization_server) |
/// | `scopes_supported` | the scope that the layer names in its challenges, and those that were added | [`add_scopes`](Self::add_scopes) |
/// | `bearer_methods_supported` | the places in which the layer looks for tokens | |
/// | `dpop_signing_alg_values_supported`, `dpop_bound_access_tokens_required`, `tls_client_certificate_bound_access_tokens` | how a [`SenderConstrained`](crate::SenderConstrained) binds tokens to their sender | |
/// | `resource_name` | none | [`with_name`](Self::with_name), [`add_name_in`](Self::add_name_in) |
/// | `resource_documentation` | none | [`with_documentation`](Self::with_documentation) |
/// | `resource_policy_uri` | none | [`with_policy`](Self::with_policy) |
/// | `resource_tos_uri` | none | [`with_terms_of_service`](Self::with_terms_of_service) |
/// | `jwks_uri`, `resource_signing_alg_values_supported` | none: they are about signed responses | [`with_jwks_url`](Self::with_jwks_url), [`with_response_algorithms`](Self::with_response_algorithms) |
///
/// A member without a value is left out.
///
/// # Example: metadata, challenges and document
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_jwt_auth::{
///     Algorithm, JwtAuthLayer, JwtVerifier, ResourceMetadata, Scope, VerificationKey,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 bytes", Algorithm::HS256)?;
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example/orders", key)?;
/// let metadata = ResourceMetadata::new("https://api.example/orders")?
///     .with_name("Orders")?
///     .add_scopes(Scope::from("orders:read orders:write"))?;
/// let auth = JwtAuthLayer::new(verifier).with_resource_metadata(metadata)?;
///
/// let service = ServiceBuilder::new()
///     .layer(auth.resource_metadata_layer()?) // Outside of the authentication: it needs no token.
///     .layer(auth)
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(Vec::new()))));
///
/// let refused = service.clone().oneshot(Request::get("/orders").body(())?).await?;
/// assert_eq!(
///     refused.headers()["www-authenticate"],
///     "Bearer realm=\"api\", resource_metadata=\
///      \"https://api.example/.well-known/oauth-protected-resource/orders\""
/// );
///
/// let path = "/.well-known/oauth-protected-resource/orders";
/// let document = service.oneshot(Request::get(path).body(())?).await?;
/// assert_eq!(document.headers()["content-type"], "application/json");
/// assert_eq!(
///     str::from_utf8(document.body())?,
///     r#"{"resource":"https://api.example/orders","authorization_servers":["https://issuer.example"],"#
///         .to_owned()
///         + r#""scopes_supported":["orders:read","orders:write"],"bearer_methods_supported":["header"],"#
///         + r#""resource_name":"Orders"}"#
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ResourceMetadata {
    pub(super) identifier: Identifier,
    pub(super) authorization_servers: Vec<String>,
    /// The servers to name, among those of the verifier and the added ones, in this order; `None` for all.
    pub(super) selected_servers: Option<Vec<String>>,
    pub(super) scopes: Vec<String>,
    pub(super) jwks_url: Option<String>,
    pub(super) response_algorithms: Vec<Algorithm>,
    pub(super) name: Translated,
    pub(super) documentation: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) terms_of_service: Option<String>,
    pub(super) is_at_root: bool,
}

impl ResourceMetadata {
    /// Creates the metadata of the resource with this identifier: the public URL that clients call, such as
    /// `https://api.example/mcp`. All URLs of the metadata follow from it, and never from a header of a request.
    ///
    /// Clients compare the identifier with the URL that they called, byte by byte. So choose one spelling, without a
    /// slash at its end. A query is allowed, but RFC 8707 section 2 advises against it.
    ///
    /// # Errors
    ///
    /// When the identifier is not an https URL (http is allowed for 127.0.0.1, \[::1\] and localhost); when it has a
    /// fragment, a user name or a password, or more than 2048 bytes; or when the parsers of clients write the URL in
    /// another way, for example with a lower-case host. The error names that form.
    pub fn new(resource: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            identifier: Identifier::parse(resource)?,
            authorization_servers: Vec::new(),
            selected_servers: None,
            scopes: Vec::new(),
            jwks_url: None,
            response_algorithms: Vec::new(),
            name: Translated::default(),
            documentation: None,
            policy: None,
            terms_of_service: None,
            is_at_root: false,
        })
    }

    /// Replaces the authorization servers to name, and their order: many clients use only the first one. By default all
    /// are named: first the issuers of the verifier, in the order in which they were added, then those of
    /// [`add_authorization_server`](Self::add_authorization_server).
    ///
    /// This does not change what is accepted: the verifier still accepts the tokens of issuers that are left out. An
    /// issuer that is removed from an [`IssuerSet`](crate::IssuerSet) later is no longer named.
    ///
    /// # Errors
    ///
    /// When `issuers` is empty; or when an identifier is not an https URL (http is allowed on loopback), or has a query
    /// or a fragment. [`with_resource_metadata`](crate::JwtAuthLayer::with_resource_metadata) refuses one that the
    /// verifier does not name.
    pub fn with_authorization_servers<I>(mut self, issuers: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut selected = Vec::new();
        for issuer in issuers {
            check_issuer(issuer.as_ref())?;
            add_once(&mut selected, issuer.as_ref());
        }
        if selected.is_empty() {
            return Err(unusable("no authorization server was given: name at least one"));
        }
        self.selected_servers = Some(selected);
        Ok(self)
    }

    /// Adds an authorization server, by its issuer identifier (RFC 8414 section 2), after those of the verifier; none
    /// by default.
    ///
    /// Use it for verifiers that name no issuer: closures, verifiers that accept any issuer, and templates of an
    /// [`IssuerSet`](crate::IssuerSet) whose tenants a predicate allows. Issuers that are not https URLs (http is
    /// allowed on loopback) are not named either.
    ///
    /// # Errors
    ///
    /// When the identifier is not an https URL (http is allowed on loopback), or has a query or a fragment.
    pub fn add_authorization_server(mut self, issuer: &str) -> Result<Self, ConfigError> {
        check_issuer(issuer)?;
        add_once(&mut self.authorization_servers, issuer);
        Ok(self)
    }

    /// Adds scopes that clients can request, after the one that the layer names in its challenges; none by default.
    ///
    /// [`Rule::required_scope`](crate::Rule::required_scope) returns the scope of a rule. You can leave out scopes that
    /// not every client should know, such as those of administrators.
    ///
    /// # Errors
    ///
    /// When a value is `offline_access`, which a client asks for on its own, or is not a valid scope value (RFC 6749
    /// section 3.3).
    pub fn add_scopes(mut self, scopes: impl Into<Option<Scope>>) -> Result<Self, ConfigError> {
        for value in scopes.into().iter().flat_map(Scope::iter) {
            Scope::check_value(value)?;
            if value == "offline_access" {
                return Err(unusable(
                    "the scopes of a resource must not contain `offline_access`: a client asks for it on its own",
                ));
            }
            add_once(&mut self.scopes, value);
        }
        Ok(self)
    }

    /// Replaces the name that users see, without a language tag; none by default.
    ///
    /// # Errors
    ///
    /// When the name is empty.
    pub fn with_name(mut self, name: impl Into<String>) -> Result<Self, ConfigError> {
        self.name.set(name.into())?;
        Ok(self)
    }

    /// Adds the name in one language, such as `de` or `pt-BR` (RFC 9728 section 2.1); none by default. A second name
    /// in the same language replaces the first.
    ///
    /// # Errors
    ///
    /// When the name is empty, or the tag does not have the form of a language tag (RFC 5646).
    pub fn add_name_in(
        mut self,
        language: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        self.name.add(language.into(), name.into())?;
        Ok(self)
    }

    /// Replaces the URL of a page for developers; none by default.
    ///
    /// # Errors
    ///
    /// When this is not an absolute URL of https or http.
    pub fn with_documentation(mut self, url: &str) -> Result<Self, ConfigError> {
        web_url("the documentation", url)?;
        self.documentation = Some(url.to_owned());
        Ok(self)
    }

    /// Replaces the URL of a page about how clients may use the data; none by default.
    ///
    /// # Errors
    ///
    /// When this is not an absolute URL of https or http.
    pub fn with_policy(mut self, url: &str) -> Result<Self, ConfigError> {
        web_url("the policy", url)?;
        self.policy = Some(url.to_owned());
        Ok(self)
    }

    /// Replaces the URL of a page with the terms of service; none by default.
    ///
    /// # Errors
    ///
    /// When this is not an absolute URL of https or http.
    pub fn with_terms_of_service(mut self, url: &str) -> Result<Self, ConfigError> {
        web_url("the terms of service", url)?;
        self.terms_of_service = Some(url.to_owned());
        Ok(self)
    }

    /// Replaces the URL of the JWK set with the keys of the resource itself, which sign its responses; none by default.
    /// These are not the keys that verify tokens, which are the issuer's.
    ///
    /// # Errors
    ///
    /// When the URL is not https (http is allowed on loopback).
    pub fn with_jwks_url(mut self, url: &str) -> Result<Self, ConfigError> {
        secure_url("the URL of the JWK set", url)?;
        self.jwks_url = Some(url.to_owned());
        Ok(self)
    }

    /// Replaces the algorithms with which the resource signs its responses; none by default. These are not the
    /// algorithms of tokens: RFC 9728 has no member for those.
    #[must_use]
    pub fn with_response_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Self {
        self.response_algorithms.clear();
        for algorithm in algorithms {
            if !self.response_algorithms.contains(&algorithm) {
                self.response_algorithms.push(algorithm);
            }
        }
        self
    }

    /// Serves the document also at `/.well-known/oauth-protected-resource`, where MCP clients look if they do not find
    /// it at the path of the resource; off by default.
    ///
    /// Only one resource of a server can use it. Clients that follow RFC 9728 section 3.3 strictly refuse a document
    /// from there, unless the resource has no path.
    #[must_use]
    pub fn also_at_root(mut self) -> Self {
        self.is_at_root = true;
        self
    }

    /// The identifier of the resource, as it was given.
    pub fn resource(&self) -> &str {
        self.identifier.as_str()
    }

    /// The public URL of the metadata, as in the challenges.
    pub fn url(&self) -> &str {
        self.identifier.metadata_url()
    }

    /// The path of the metadata: `/.well-known/oauth-protected-resource`, followed by the path of the resource.
    pub fn path(&self) -> &str {
        self.identifier.metadata_path()
    }
}

pub(super) fn add_once(values: &mut Vec<String>, value: &str) {
    if !values.iter().any(|one| one == value) {
        values.push(value.to_owned());
    }
}
