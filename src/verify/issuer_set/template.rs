use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::claims::RegisteredClaims;
use crate::config_error::ConfigError;
use crate::key_source::KeySourceError;
use crate::summary::Summary;
use crate::token::Limits;
use crate::verify::issuer_set::unusable;
use crate::verify::jwt::JwtVerifier;

/// A pattern for issuers that differ only in their tenant, such as those of Entra ID:
/// `https://login.microsoftonline.com/{tenantid}/v2.0`.
///
/// By default no tenant is allowed: name them ([`allow_tenants`](Self::allow_tenants)) or give a predicate
/// ([`allow_if`](Self::allow_if)). Each allowed issuer has its own verifier, with its own keys, audience and
/// algorithms. The verifier is made for the first token of the issuer.
///
/// A tenant has 1 to 64 ASCII letters, digits, `-`, `_` and `.`, and is not `.` or `..`. Any other text at the
/// placeholder does not match. All other parts of the name are compared exactly.
///
/// # Example: two tenants of Entra ID
///
/// ```
/// # #[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13"))]
/// # fn main() -> Result<(), tower_jwt_auth::ConfigError> {
/// use tower_jwt_auth::{IssuerSet, IssuerTemplate, JwtVerifier};
///
/// let entra = IssuerTemplate::new(
///     "https://login.microsoftonline.com/{tenantid}/v2.0",
///     |found| JwtVerifier::discover(found.issuer(), "6e74172b-be56-4843-9ff4-e66a39bb12e3"),
/// )?
/// .allow_tenants([
///     "72f988bf-86f1-41af-91ab-2d7cd011db47",
///     "9188040d-6c67-4c5b-b112-36a304b66dad",
/// ]);
/// let issuers = IssuerSet::new();
/// issuers.add_template(entra);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "oidc-discovery", feature = "reqwest-0_13")))]
/// # fn main() {}
/// ```
pub struct IssuerTemplate<C = RegisteredClaims> {
    text: Arc<str>,
    before: Arc<str>,
    after: Arc<str>,
    allowed: Allowed,
    make: Arc<Make<C>>,
    /// The maximum length of a token that the verifiers of this template allow; 0 before the first verifier.
    max_token_length: Arc<AtomicUsize>,
}

type Make<C> = dyn Fn(&TemplateMatch<'_>) -> Result<JwtVerifier<C>, ConfigError> + Send + Sync;

/// An issuer that matches an [`IssuerTemplate`]: the argument of the template's closures.
#[derive(Clone, Copy, Debug)]
pub struct TemplateMatch<'a> {
    issuer: &'a str,
    tenant: &'a str,
}

impl<'a> TemplateMatch<'a> {
    /// The full name of the issuer: the `iss` of the token.
    pub fn issuer(&self) -> &'a str {
        self.issuer
    }

    /// The part of the name at the placeholder.
    pub fn tenant(&self) -> &'a str {
        self.tenant
    }
}

#[derive(Clone)]
enum Allowed {
    Named(Arc<HashSet<String>>),
    If(Arc<dyn Fn(&TemplateMatch<'_>) -> bool + Send + Sync>),
}

impl<C> IssuerTemplate<C> {
    /// Creates a template from a text with one placeholder for the tenant, such as `{tenant}`, and a closure
    /// that makes the verifier of an issuer.
    ///
    /// The verifier must expect the [issuer](TemplateMatch::issuer) of the match and no other name. Otherwise, or
    /// if the closure returns an error, the issuer's tokens get 503. The closure must not block. It may be called
    /// more than once for an issuer.
    ///
    /// # Errors
    ///
    /// When the template does not have exactly one placeholder; when it contains white space, a control
    /// character or a backslash; or when it contains a `:` or begins with `//`, and does not begin with
    /// `scheme://host/` before the placeholder. So a token cannot choose the host.
    pub fn new<F>(template: &str, make: F) -> Result<Self, ConfigError>
    where
        F: Fn(&TemplateMatch<'_>) -> Result<JwtVerifier<C>, ConfigError> + Send + Sync + 'static,
    {
        let parts = template.split_once('{').and_then(|(before, rest)| {
            let (name, after) = rest.split_once('}')?;
            let is_one =
                !name.contains('{') && !after.contains(['{', '}']) && !before.contains('}');
            is_one.then_some((before, after))
        });
        let (before, after) = parts.ok_or_else(|| {
            unusable("a template must have exactly one placeholder, such as {tenant}")
        })?;
        if template.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return Err(unusable(
                "a template must not contain a backslash, white space or a control character",
            ));
        }
        // A client must not choose the host. Parsers of URLs are lenient: they also find a host
        // after `https:` and after `//`.
        let is_like_url = template.contains(':') || template.starts_with("//");
        if is_like_url && !begins_with_host(before) {
            return Err(unusable(
                "a template that is a URL must begin with scheme://host/ before its placeholder",
            ));
        }
        Ok(Self {
            text: template.into(),
            before: before.into(),
            after: after.into(),
            allowed: Allowed::Named(Arc::default()),
            make: Arc::new(make),
            max_token_length: Arc::default(),
        })
    }

    /// Allows these tenants, compared exactly; none by default. Replaces an earlier list or predicate.
    ///
    /// The set keeps the issuers of these tenants from their first token on. These issuers are never evicted,
    /// and do not use [capacity](crate::IssuerSet::with_capacity). [`key_status`](crate::IssuerSet::key_status)
    /// lists them, and failed fetches of their keys are logged as for any other issuer.
    #[must_use]
    pub fn allow_tenants<I>(mut self, tenants: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let tenants = tenants.into_iter().map(Into::into).collect();
        self.allowed = Allowed::Named(Arc::new(tenants));
        self
    }

    /// Allows the tenants for which the predicate returns `true`; none by default. Replaces an earlier list
    /// or predicate.
    ///
    /// The predicate is called for each token whose issuer matches the template, and by
    /// [`key_status`](crate::IssuerSet::key_status). It must not block. An untrusted client may have invented the
    /// tenant. When the predicate returns `false`, the token is refused as
    /// [`WrongIssuer`](crate::RejectionKind::WrongIssuer), and the issuer and its keys are removed.
    ///
    /// Allow only tenants that the application knows. If the predicate allows any tenant, these limits apply to
    /// an untrusted client that invents tenants:
    ///
    /// | resource | limit |
    /// |---|---|
    /// | fetches | the first keys of 16 issuers at the same time; of 64 issuers in a row, and of one more each second since |
    /// | memory | 16 issuers more than the [capacity](crate::IssuerSet::with_capacity) |
    /// | other tenants | a tenant that was not yet seen with a verified token gets 503 while a limit on fetches is reached; all others are not affected |
    /// | log | only `debug` events before the keys of an issuer were loaded |
    ///
    /// # Example: tenants from a list that changes
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use std::sync::{Arc, PoisonError, RwLock};
    /// use tower_jwt_auth::{Algorithm, IssuerTemplate, JwtVerifier, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let customers = Arc::new(RwLock::new(HashSet::from(["acme".to_owned()])));
    /// let known = Arc::clone(&customers);
    /// let template = IssuerTemplate::new("https://issuer.example/{tenant}", move |found| {
    ///     JwtVerifier::new(found.issuer(), "orders", key.clone())
    /// })?
    /// .allow_if(move |found| {
    ///     known.read().unwrap_or_else(PoisonError::into_inner).contains(found.tenant())
    /// });
    ///
    /// // From the next token on, this tenant is refused.
    /// customers.write().unwrap_or_else(PoisonError::into_inner).remove("acme");
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_if<F>(mut self, allows: F) -> Self
    where
        F: Fn(&TemplateMatch<'_>) -> bool + Send + Sync + 'static,
    {
        self.allowed = Allowed::If(Arc::new(allows));
        self
    }

    /// The text of the template.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The summary for the log line at start-up. The application makes the verifiers later.
    pub(super) fn summary(&self) -> Summary {
        let tenants = match &self.allowed {
            Allowed::Named(tenants) => format!("{} tenants by name", tenants.len()),
            Allowed::If(_) => "tenants by a predicate".to_owned(),
        };
        Summary::new(format!("issuer {} ({tenants})", self.text))
    }

    /// The issuers of the tenants that are allowed by name, in order.
    pub(super) fn named_issuers(&self) -> Vec<String> {
        let mut issuers: Vec<String> = match &self.allowed {
            Allowed::Named(tenants) => {
                let issuer = |tenant| format!("{}{tenant}{}", self.before, self.after);
                // A name that is no tenant, such as an empty one, matches no token.
                tenants.iter().map(issuer).filter(|issuer| self.tenant(issuer).is_some()).collect()
            }
            Allowed::If(_) => Vec::new(),
        };
        issuers.sort_unstable();
        issuers
    }

    /// Whether a predicate decides: then an untrusted client may have invented the tenant.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.allowed, Allowed::If(_))
    }

    /// Whether this issuer is allowed. Calls the application's predicate.
    pub(super) fn allows(&self, issuer: &str) -> bool {
        self.tenant(issuer).is_some_and(|tenant| match &self.allowed {
            Allowed::Named(tenants) => tenants.contains(tenant),
            Allowed::If(allows) => allows(&TemplateMatch { issuer, tenant }),
        })
    }

    /// Makes the verifier of an allowed issuer. Calls the application's closure.
    pub(super) fn verifier(&self, issuer: &str) -> Result<JwtVerifier<C>, KeySourceError> {
        let tenant = self.tenant(issuer).unwrap_or_default();
        let verifier = (self.make)(&TemplateMatch { issuer, tenant }).map_err(|error| {
            KeySourceError::new("the template could not make a verifier").with_source(error)
        })?;
        let verifier = if self.is_open() { verifier.quiet() } else { verifier };
        let expects_it_alone = verifier.issuer_names().is_some_and(|names| names == [issuer]);
        match expects_it_alone {
            true => {
                self.max_token_length.fetch_max(verifier.rules.limits.token, Ordering::Relaxed);
                Ok(verifier)
            }
            false => {
                Err(KeySourceError::new("the verifier of the template expects another issuer"))
            }
        }
    }

    /// The maximum length of a token that one of the template's verifiers may allow.
    pub(super) fn max_token_length(&self) -> usize {
        match self.max_token_length.load(Ordering::Relaxed) {
            0 => Limits::LARGEST.token,
            length => length,
        }
    }

    /// The tenant of an issuer that matches the template.
    pub(super) fn tenant<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        let tenant = issuer.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        let is_tenant_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_tenant = (1..=64).contains(&tenant.len())
            && tenant.bytes().all(is_tenant_char)
            && !matches!(tenant, "." | "..");
        is_tenant.then_some(tenant)
    }
}

impl<C> Clone for IssuerTemplate<C> {
    fn clone(&self) -> Self {
        Self {
            text: Arc::clone(&self.text),
            before: Arc::clone(&self.before),
            after: Arc::clone(&self.after),
            allowed: self.allowed.clone(),
            make: Arc::clone(&self.make),
            max_token_length: Arc::clone(&self.max_token_length),
        }
    }
}

impl<C> fmt::Debug for IssuerTemplate<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerTemplate").field("template", &self.text).finish_non_exhaustive()
    }
}

/// Whether the text begins with `scheme://host/` (RFC 3986 section 3).
fn begins_with_host(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let Some((host, _)) = rest.split_once('/') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !host.is_empty()
        && !host.contains(['?', '#'])
}
