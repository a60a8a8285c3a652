use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::claims::RegisteredClaims;
use crate::config_error::ConfigError;
use crate::key_source::KeySourceError;
use crate::token::Limits;
use crate::verify::issuer_set::unusable;
use crate::verify::jwt::JwtVerifier;

/// Issuers that differ only in their tenant, such as those of Entra ID:
/// `https://login.microsoftonline.com/{tenantid}/v2.0`.
///
/// A tenant is 1 to 64 letters, digits, `-`, `_` and `.`, other than `.` and `..`. By default no
/// tenant is allowed: name them ([`allow_tenants`](Self::allow_tenants)) or give a predicate
/// ([`allow_if`](Self::allow_if)), which is called for each token. An issuer that is allowed has a
/// verifier of its own, with its own keys, audience and algorithms, made when its first token comes.
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
    /// Of the tokens that its verifiers allow; 0 before it has made one.
    max_token_length: Arc<AtomicUsize>,
}

type Make<C> = dyn Fn(&TemplateMatch<'_>) -> Result<JwtVerifier<C>, ConfigError> + Send + Sync;

/// An issuer that fits an [`IssuerTemplate`]: what the closures of a template get.
#[derive(Clone, Copy, Debug)]
pub struct TemplateMatch<'a> {
    issuer: &'a str,
    tenant: &'a str,
}

impl<'a> TemplateMatch<'a> {
    /// The full name of the issuer, as in the token.
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
    /// A template with one placeholder, `{…}`, for the tenant, and a closure that makes the verifier
    /// of an issuer: it gets the issuer's full name and its tenant as a [`TemplateMatch`].
    ///
    /// The verifier must expect exactly that issuer, else its tokens get 503. The closure must not
    /// block.
    ///
    /// # Errors
    ///
    /// When there is not exactly one placeholder; when the template has white space, a control
    /// character or a backslash; or when it has a `:` and does not begin with `scheme://host/`, with
    /// the placeholder after that.
    ///
    /// # Example: not in the host
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, IssuerTemplate, JwtVerifier, TemplateMatch, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let make = move |found: &TemplateMatch<'_>| {
    ///     JwtVerifier::new(found.issuer(), "orders", key.clone())
    /// };
    /// assert!(IssuerTemplate::new("https://issuer.example/{tenant}", make.clone()).is_ok());
    /// assert!(IssuerTemplate::new("https://{tenant}/", make.clone()).is_err());
    /// assert!(IssuerTemplate::new("https:{tenant}/", make).is_err()); // A URL as well.
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
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
            unusable("a template of issuers has exactly one placeholder, such as {tenant}")
        })?;
        if template.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return Err(unusable("a template has a backslash, white space or a control character"));
        }
        // A client must not choose the host. Parsers of URLs are lenient: they also find a host
        // after `https:` and after `//`.
        let is_like_url = template.contains(':') || template.starts_with("//");
        if is_like_url && !begins_with_host(before) {
            return Err(unusable("a template begins with scheme://host/, before its placeholder"));
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

    /// Replaces which tenants are allowed: these. None by default.
    ///
    /// Their issuers are held from their first token on, beside the
    /// [capacity](crate::IssuerSet::with_capacity), and are never evicted. They are listed by
    /// [`key_status`](crate::IssuerSet::key_status), and failed fetches of their keys are logged as for
    /// any other issuer.
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

    /// Replaces which tenants are allowed: those for which the predicate returns `true`. None by
    /// default.
    ///
    /// The predicate is called for each token of an issuer of the template, with a tenant that an
    /// untrusted client may have made up, and must not block. Once it returns `false`, the tokens of
    /// that issuer are refused as [`WrongIssuer`](crate::RejectionKind::WrongIssuer), and its next
    /// token removes the issuer and its keys.
    ///
    /// It should allow only tenants that the application knows. If it allows whatever looks like a
    /// tenant, this is what a client can do with tenants that it makes up:
    ///
    /// | | |
    /// |---|---|
    /// | fetches | at most 16 issuers without a verified token fetch their first keys at a time, and at most 64 in succession, and one more each second |
    /// | memory | 16 issuers beside the [capacity](crate::IssuerSet::with_capacity) |
    /// | other tenants | an issuer with a verified token is never evicted. One without gets 503 while requests wait for the first keys of 16 others, or while made-up tenants use up the first fetches |
    /// | the log | nothing above `debug` before the issuer has had keys |
    ///
    /// # Example: the customers of this moment
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
    /// # let _ = template;
    ///
    /// // From the next token on.
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

    /// The text that `new` was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a predicate decides, so that a client may have made up the tenant.
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

    /// Makes the verifier of an issuer that is allowed. Calls the application's closure.
    pub(super) fn verifier(&self, issuer: &str) -> Result<JwtVerifier<C>, KeySourceError> {
        let tenant = self.tenant(issuer).unwrap_or_default();
        let verifier = (self.make)(&TemplateMatch { issuer, tenant }).map_err(|error| {
            KeySourceError::new("the template made no verifier").with_source(error)
        })?;
        let verifier = if self.is_open() { verifier.quiet() } else { verifier };
        let expects_it_alone = verifier.issuer_names().is_some_and(|names| names == [issuer]);
        match expects_it_alone {
            true => {
                self.max_token_length.fetch_max(verifier.rules.limits.token, Ordering::Relaxed);
                Ok(verifier)
            }
            false => Err(KeySourceError::new("the template made a verifier of another issuer")),
        }
    }

    /// The longest token that one of its verifiers may allow.
    pub(super) fn max_token_length(&self) -> usize {
        match self.max_token_length.load(Ordering::Relaxed) {
            0 => Limits::LARGEST.token,
            length => length,
        }
    }

    /// The tenant of an issuer that fits the template.
    pub(super) fn tenant<'a>(&self, issuer: &'a str) -> Option<&'a str> {
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

/// Whether it begins with `scheme://host/` (RFC 3986 section 3).
fn begins_with_host(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let Some((host, _)) = rest.split_once('/') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
        && !host.is_empty()
        && !host.contains(['?', '#'])
}
