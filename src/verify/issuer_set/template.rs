use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::unusable;
use crate::{ConfigError, JwtVerifier, KeySourceError, RegisteredClaims};

/// Issuers that differ in their tenant alone, such as those of Entra ID:
/// `https://login.microsoftonline.com/{tenantid}/v2.0`.
///
/// A tenant is 1 to 64 letters, digits, `-`, `_` and `.`, other than `.` and `..`. None is allowed
/// unless it is named or a predicate says so. Each one that is has a verifier of its own, made when
/// its first token comes, with keys, audience and algorithms of its own.
///
/// # Example: two tenants of Entra ID
///
/// ```
/// # #[cfg(feature = "oidc-discovery")]
/// # fn main() -> Result<(), tower_jwt_auth::ConfigError> {
/// use tower_jwt_auth::{IssuerSet, IssuerTemplate, JwtVerifier};
///
/// let entra = IssuerTemplate::new(
///     "https://login.microsoftonline.com/{tenantid}/v2.0",
///     |issuer, _| JwtVerifier::discover(issuer, "6e74172b-be56-4843-9ff4-e66a39bb12e3"),
/// )?
/// .allow_tenants([
///     "72f988bf-86f1-41af-91ab-2d7cd011db47",
///     "9188040d-6c67-4c5b-b112-36a304b66dad",
/// ]);
/// let issuers = IssuerSet::new();
/// issuers.add_template(entra);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "oidc-discovery"))]
/// # fn main() {}
/// ```
pub struct IssuerTemplate<C = RegisteredClaims> {
    before: Arc<str>,
    after: Arc<str>,
    allowed: Allowed,
    make: Arc<Make<C>>,
}

type Make<C> = dyn Fn(&str, &str) -> Result<JwtVerifier<C>, ConfigError> + Send + Sync;

#[derive(Clone)]
enum Allowed {
    Named(Arc<HashSet<String>>),
    If(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl<C> IssuerTemplate<C> {
    /// A template with one placeholder, `{…}`, for the tenant, and what makes the verifier of an
    /// issuer: it gets the issuer's full name and its tenant.
    ///
    /// The verifier must expect that issuer and no other, else its tokens get 503. It is made for
    /// the first token of an issuer, without waiting for anything.
    ///
    /// # Errors
    ///
    /// When there is not exactly one placeholder, or when it stands within the host.
    ///
    /// # Example: not in the host
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, IssuerTemplate, JwtVerifier, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let make = move |issuer: &str, _: &str| JwtVerifier::new(issuer, "orders", key.clone());
    /// assert!(IssuerTemplate::new("https://issuer.example/{tenant}", make.clone()).is_ok());
    /// assert!(IssuerTemplate::new("https://{tenant}/", make).is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn new<F>(template: &str, make: F) -> Result<Self, ConfigError>
    where
        F: Fn(&str, &str) -> Result<JwtVerifier<C>, ConfigError> + Send + Sync + 'static,
    {
        let parts = template.split_once('{').and_then(|(before, rest)| {
            let (name, after) = rest.split_once('}')?;
            let is_one =
                !name.contains('{') && !after.contains(['{', '}']) && !before.contains('}');
            is_one.then_some((before, after))
        });
        let (before, after) = parts.ok_or_else(|| {
            unusable("a template of issuers has exactly one placeholder, such as {tenant}")
        })?;
        // A host that strangers choose could be theirs.
        if before.split_once("://").is_some_and(|(_, rest)| !rest.contains('/')) {
            return Err(unusable("the placeholder of a template must stand in the path"));
        }
        Ok(Self {
            before: before.into(),
            after: after.into(),
            allowed: Allowed::Named(Arc::default()),
            make: Arc::new(make),
        })
    }

    /// Replaces which tenants are allowed: these. None by default.
    #[must_use]
    pub fn allow_tenants<T: Into<String>>(mut self, tenants: impl IntoIterator<Item = T>) -> Self {
        let tenants = tenants.into_iter().map(Into::into).collect();
        self.allowed = Allowed::Named(Arc::new(tenants));
        self
    }

    /// Replaces which tenants are allowed: those of which the predicate says so. None by default.
    ///
    /// It is called for each token of an issuer that is not held, by a stranger's word: it should
    /// answer at once, and not allow whom the application does not know.
    #[must_use]
    pub fn allow_if(mut self, allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.allowed = Allowed::If(Arc::new(allows));
        self
    }

    /// Whether an issuer is one of those that are allowed.
    pub(super) fn allows(&self, issuer: &str) -> bool {
        self.tenant(issuer).is_some_and(|tenant| match &self.allowed {
            Allowed::Named(tenants) => tenants.contains(tenant),
            Allowed::If(allows) => allows(tenant),
        })
    }

    /// The verifier of an issuer that is allowed.
    pub(super) fn verifier(&self, issuer: &str) -> Result<JwtVerifier<C>, KeySourceError> {
        let tenant = self.tenant(issuer).unwrap_or_default();
        let verifier = (self.make)(issuer, tenant).map_err(|error| {
            KeySourceError::new("the template made no verifier").with_source(error)
        })?;
        let expects_it_alone = verifier.issuer_names().is_some_and(|names| names == [issuer]);
        match expects_it_alone {
            true => Ok(verifier),
            false => Err(KeySourceError::new("the template made a verifier of another issuer")),
        }
    }

    fn tenant<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        let tenant = issuer.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        let is_tenant_char = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        let is_tenant = (1..=64).contains(&tenant.len())
            && tenant.bytes().all(is_tenant_char)
            && !matches!(tenant, "." | "..");
        is_tenant.then_some(tenant)
    }
}

impl<C> Clone for IssuerTemplate<C> {
    fn clone(&self) -> Self {
        Self {
            before: Arc::clone(&self.before),
            after: Arc::clone(&self.after),
            allowed: self.allowed.clone(),
            make: Arc::clone(&self.make),
        }
    }
}

impl<C> fmt::Debug for IssuerTemplate<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerTemplate")
            .field("template", &format_args!("{}{{tenant}}{}", self.before, self.after))
            .finish_non_exhaustive()
    }
}
