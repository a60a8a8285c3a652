//! The JWT-SVIDs of a SPIFFE trust domain.

#[cfg(feature = "config")]
use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyType};
use crate::key::{JwkSet, KeyUse};
#[cfg(feature = "config")]
use crate::key_source::Fetch;
use crate::key_source::{FetchUrl, HttpHosts};
#[cfg(feature = "config")]
use crate::verify::jwt::JwtVerifier;
use crate::verify::jwt::{ExpectedAudience, ExpectedIssuer};
use crate::verify::known_issuer::names::unusable_audience;
use crate::verify::known_issuer::{Keys, KnownIssuer};

/// The `use` of the keys of a bundle that verify JWT-SVIDs.
const KEY_USE: &str = "jwt-svid";

/// The bundle of a SPIFFE trust domain, which contains its keys: a JWK set in which the keys for JWT-SVIDs have
/// `use: jwt-svid` (SPIFFE Trust Domain and Bundle, section 4).
///
/// Only these keys are taken. The X.509 authorities of the bundle (`use: x509-svid`) are reported as skipped.
#[derive(Clone, Debug)]
#[must_use]
pub struct SpiffeBundle(Source);

#[derive(Clone, Debug)]
enum Source {
    Url(FetchUrl),
    Keys(JwkSet),
}

impl SpiffeBundle {
    /// The bundle endpoint of the trust domain: the keys are fetched, and follow its rotations as described at
    /// [`JwksUrl`](crate::JwksUrl). The endpoint is authenticated by its certificate for https (the profile
    /// `https_web`).
    ///
    /// # Errors
    ///
    /// When the text is not a URL, or when the URL is neither https nor http to a loopback address, or has a user
    /// name, a password or a fragment.
    pub fn at_url(url: &str) -> Result<Self, ConfigError> {
        Self::at_url_or_http_host(url, &HttpHosts::default())
    }

    /// The same, where plain http to these hosts is allowed.
    pub(crate) fn at_url_or_http_host(url: &str, hosts: &HttpHosts) -> Result<Self, ConfigError> {
        Ok(Self(Source::Url(FetchUrl::parse(url, hosts)?)))
    }

    /// A bundle as JSON, such as the content of a file. Its keys never change.
    ///
    /// # Errors
    ///
    /// When the text is not a JWK set, or has no usable key with `use: jwt-svid`.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let keys = JwkSet::from_json_with_key_use(json, KEY_USE)?;
        match keys.is_empty() {
            true => Err(keys.none_usable()),
            false => Ok(Self(Source::Keys(keys))),
        }
    }
}

impl KnownIssuer {
    /// The verifier, with this HTTP client if it has keys to fetch: those of a bundle may be known.
    #[cfg(feature = "config")]
    pub(crate) fn verifier_with_needed<F: Fetch>(
        self,
        fetch: impl FnOnce() -> Result<F, ConfigError>,
    ) -> Result<JwtVerifier, ConfigError> {
        match self.keys {
            Keys::OfBundle(keys) => Ok(JwtVerifier::from_parts(self.rules, Arc::new(keys))),
            keys => Ok(Self { keys, ..self }.verifier_with(fetch()?)),
        }
    }

    /// SPIFFE: accepts the JWT-SVIDs of one trust domain (`example.org`). `audience` is what the workloads request
    /// for this service.
    ///
    /// `sub` is required, and must be the SPIFFE ID of a workload of this trust domain:
    /// `spiffe://TRUST-DOMAIN/PATH`. `iss` may be absent, and is not compared: the keys are those of the trust
    /// domain. The algorithms are those of the standard (`RS…`, `PS…`, `ES…`), and the `typ` of the header is
    /// `JWT`, `JOSE` or absent (JWT-SVID, sections 2 and 3).
    ///
    /// Every workload of the trust domain can get a token for the audience. Compare the whole `sub` with
    /// [`Rule::claim`](crate::Rule::claim), or in the handler.
    ///
    /// An [`IssuerSet`](crate::IssuerSet) finds the issuer by `iss`, so it cannot contain this one.
    ///
    /// # Errors
    ///
    /// When the trust domain is empty, longer than 255 characters, or has other characters than lower-case ASCII
    /// letters, digits, `.`, `-` and `_`; when an audience is empty, or is the trust domain itself
    /// (`spiffe://TRUST-DOMAIN`): that names every service of the trust domain.
    ///
    /// # Example: the keys from a bundle endpoint
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::{JwtAuthLayer, KnownIssuer, SpiffeBundle};
    ///
    /// let bundle = SpiffeBundle::at_url("https://spire.example.org/bundle")?;
    /// let layer = JwtAuthLayer::new(KnownIssuer::spiffe("example.org", "orders", bundle)?.verifier());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn spiffe(
        trust_domain: &str,
        audience: impl Into<ExpectedAudience>,
        bundle: SpiffeBundle,
    ) -> Result<Self, ConfigError> {
        check_trust_domain(trust_domain)?;
        let name = format!("spiffe://{trust_domain}");
        let audience = audience.into();
        if audience.names().iter().any(|it| it.strip_suffix('/').unwrap_or(it) == name) {
            return Err(unusable_audience(
                "this audience names all services of the trust domain: give one of this service",
            ));
        }
        let keys = match bundle.0 {
            Source::Url(url) => Keys::AtBundle(url, KeyUse::parse(KEY_USE)?),
            Source::Keys(keys) => Keys::OfBundle(keys),
        };
        let mut spiffe = Self::with_keys(name, ExpectedIssuer::dangerous_any(), audience, keys)?;
        spiffe.rules.restrict_to_jwt_svids();
        spiffe.rules.algorithms = Some(algorithms().collect());
        spiffe.rules.values.add_spiffe_id(trust_domain);
        Ok(spiffe)
    }
}

impl Keys {
    pub(super) fn are_of_a_bundle(&self) -> bool {
        matches!(self, Self::AtBundle(..) | Self::OfBundle(_))
    }

    /// The same kind of keys at another URL.
    pub(super) fn moved_to(self, url: FetchUrl) -> Result<Self, ConfigError> {
        Ok(match self {
            Self::ByMetadata(_) | Self::AtUrl(_) => Self::AtUrl(url),
            Self::AtBundle(_, key_use) => Self::AtBundle(url, key_use),
            Self::OfBundle(_) => Self::AtBundle(url, KeyUse::parse(KEY_USE)?),
        })
    }
}

/// The algorithms of JWT-SVIDs (JWT-SVID section 2.1).
fn algorithms() -> impl Iterator<Item = Algorithm> {
    use KeyType::{P256, P384, P521, Rsa};

    let is_allowed =
        |algorithm: &Algorithm| matches!(algorithm.key_type(), Rsa | P256 | P384 | P521);
    Algorithm::ALL.iter().copied().filter(is_allowed)
}

/// Checks for the name of a trust domain (SPIFFE-ID section 2.1).
fn check_trust_domain(name: &str) -> Result<(), ConfigError> {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    match (1..=255).contains(&name.len()) && name.bytes().all(is_allowed) {
        true => Ok(()),
        false => Err(ConfigError::new(
            ConfigErrorKind::Issuer,
            "give the name of the trust domain, such as example.org: in lower case, without \
             `spiffe://`, a port or a path",
        )),
    }
}
