//! The name of an issuer, and the URLs of its documents.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::key_source::remote::fetch_url::{FetchUrl, HttpHosts};
use crate::summary::Summary;

/// The name of an issuer, and where its documents are fetched: below its name, or below a base URL.
#[derive(Clone)]
pub(crate) struct IssuerLocation {
    name: Arc<str>,
    base: FetchUrl,
    /// The possible URLs of its metadata, in the order in which they are tried.
    places: Arc<[FetchUrl]>,
    http_hosts: HttpHosts,
}

impl IssuerLocation {
    /// An issuer whose documents are fetched below its name.
    pub(crate) fn at_name(name: &str, http_hosts: HttpHosts) -> Result<Self, ConfigError> {
        let base = FetchUrl::parse(name, &http_hosts)?;
        Self::new(name.into(), base, http_hosts)
    }

    /// An issuer whose documents are fetched below the base. Its name is only compared.
    pub(super) fn at_base(name: &str, base: &str) -> Result<Self, ConfigError> {
        let is_printable = name.len() <= 2048 && name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || !is_printable {
            return Err(unusable("an issuer's name is 1 to 2048 printable characters of ASCII"));
        }
        let http_hosts = HttpHosts::default();
        let base = FetchUrl::parse(base, &http_hosts)?;
        Self::new(name.into(), base, http_hosts)
    }

    pub(crate) fn with_base(self, base: &str) -> Result<Self, ConfigError> {
        let base = FetchUrl::parse(base, &self.http_hosts)?;
        Self::new(self.name, base, self.http_hosts)
    }

    fn new(name: Arc<str>, base: FetchUrl, http_hosts: HttpHosts) -> Result<Self, ConfigError> {
        const OPENID: &str = "openid-configuration";
        const OAUTH: &str = "oauth-authorization-server";

        if name.contains(['?', '#']) || base.as_str().contains('?') {
            return Err(unusable("an issuer with a query has no metadata (RFC 8414 section 2)"));
        }
        let root = base.url().origin().ascii_serialization();
        let path = base.url().path().trim_end_matches('/');
        let mut places = vec![
            format!("{root}{path}/.well-known/{OPENID}"),
            format!("{root}/.well-known/{OAUTH}{path}"),
        ];
        if !path.is_empty() {
            places.push(format!("{root}/.well-known/{OPENID}{path}"));
        }
        let places = places
            .iter()
            .map(|place| FetchUrl::parse(place, &http_hosts))
            .collect::<Result<_, _>>()?;
        Ok(Self { name, base, places, http_hosts })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The summary for the log line at start-up.
    pub(super) fn describe(&self) -> Summary {
        let summary = Summary::new(format!("by the metadata of {}", self.name));
        self.http_hosts.warn(summary)
    }

    pub(super) fn base(&self) -> &FetchUrl {
        &self.base
    }

    pub(super) fn places(&self) -> &[FetchUrl] {
        &self.places
    }

    /// The URL from which the JWK set named in the metadata is fetched.
    ///
    /// # Errors
    ///
    /// When the URL must not be fetched, or when the metadata of an https issuer name an http URL,
    /// except on a listed host or on the base itself.
    pub(super) fn jwks_uri(&self, named: &str) -> Result<FetchUrl, ConfigError> {
        let url = FetchUrl::parse(&self.relocated(named), &self.http_hosts)?;
        let is_https =
            self.base.is_https() || self.parsed_name().is_some_and(|name| name.scheme() == "https");
        let may_be_http =
            !is_https || self.http_hosts.allow(url.url()) || url.is_at_host_of(&self.base);
        match url.is_https() || may_be_http {
            true => Ok(url),
            false => Err(unusable("the metadata of an https issuer must not name an http URL")),
        }
    }

    /// Maps a URL below the issuer's name to the base: an issuer that does not know the base
    /// publishes its own name.
    fn relocated<'a>(&self, named: &'a str) -> Cow<'a, str> {
        let (name, base) =
            (self.name.trim_end_matches('/'), self.base.as_str().trim_end_matches('/'));
        match named.strip_prefix(name) {
            Some(rest) if rest.starts_with(['/', '?']) => format!("{base}{rest}").into(),
            _ => self.relocated_by_host(named).map_or(named.into(), Cow::Owned),
        }
    }

    /// A URL outside the issuer's path: only the host is replaced, and only if both paths are
    /// equal.
    fn relocated_by_host(&self, named: &str) -> Option<String> {
        let (name, url, base) = (self.parsed_name()?, Url::parse(named).ok()?, self.base.url());
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_clean = !named.contains(|c: char| c.is_whitespace() || c.is_control());
        let is_at_name = url.origin() == name.origin() && url.origin().is_tuple();
        let paths_agree = name.path().trim_end_matches('/') == base.path().trim_end_matches('/');
        (is_bare && is_clean && is_at_name && paths_agree).then(|| {
            let mut moved = base.clone();
            moved.set_path(url.path());
            moved.set_query(url.query());
            moved.set_fragment(url.fragment());
            moved.into()
        })
    }

    fn parsed_name(&self) -> Option<Url> {
        Url::parse(&self.name).ok()
    }
}

impl fmt::Debug for IssuerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Url, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(name: &str, base: &str, hosts: &[&str]) -> IssuerLocation {
        let hosts = HttpHosts::parse(hosts).unwrap();
        let base = FetchUrl::parse(base, &hosts).unwrap();
        IssuerLocation::new(name.into(), base, hosts).unwrap()
    }

    fn jwks_uri(location: &IssuerLocation, named: &str) -> Option<String> {
        location.jwks_uri(named).ok().map(|url| url.as_str().to_owned())
    }

    #[test]
    fn jwks_uri_of_the_issuers_name_is_fetched_at_the_base() {
        let location = located(
            "http://localhost:8080/realms/shop",
            "http://keycloak:8080/realms/shop",
            &["keycloak"],
        );
        let certs = Some("http://keycloak:8080/realms/shop/certs?v=1".to_owned());
        // The server publishes its own name, or the name in the request.
        assert_eq!(jwks_uri(&location, "http://localhost:8080/realms/shop/certs?v=1"), certs);
        assert_eq!(jwks_uri(&location, "http://keycloak:8080/realms/shop/certs?v=1"), certs);
        // Outside the issuer's path, on its host.
        let beside = jwks_uri(&location, "http://localhost:8080/keys");
        assert_eq!(beside.as_deref(), Some("http://keycloak:8080/keys"));
        // On other hosts.
        for (named, fetched) in [
            ("https://keys.test/jwks", Some("https://keys.test/jwks")),
            ("http://localhost:9090/jwks", Some("http://localhost:9090/jwks")),
            ("http://localhost:80800/realms/shop/jwks", None),
            ("http://elsewhere/jwks", None),
            ("http://user@localhost:8080/keys", None),
            ("http://localhost:8080/keys#a", None),
            ("http://localhost:8080/ke\tys", None),
            ("/certs", None),
        ] {
            assert_eq!(jwks_uri(&location, named).as_deref(), fetched, "{named}");
        }
    }

    #[test]
    fn base_with_another_path_takes_the_place_of_the_whole_name() {
        let location = located("https://a.test/auth/", "https://proxy.test/idp/a", &[]);
        let places: Vec<_> = location.places().iter().map(FetchUrl::as_str).collect();
        assert_eq!(places[0], "https://proxy.test/idp/a/.well-known/openid-configuration");
        assert_eq!(places.len(), 3);
        for (named, fetched) in [
            ("https://a.test/auth/jwks", "https://proxy.test/idp/a/jwks"),
            ("https://a.test/auth?jwks", "https://proxy.test/idp/a?jwks"),
            ("https://a.test/authority", "https://a.test/authority"),
            ("https://a.test/jwks", "https://a.test/jwks"),
            ("https://a.test.attacker.test/auth/jwks", "https://a.test.attacker.test/auth/jwks"),
        ] {
            assert_eq!(jwks_uri(&location, named).as_deref(), Some(fetched), "{named}");
        }
    }

    #[test]
    fn metadata_of_an_https_issuer_do_not_lead_to_http_unless_the_host_is_listed() {
        let plain = "https://a.test";
        let location = located(plain, plain, &[]);
        assert_eq!(jwks_uri(&location, "http://127.0.0.1/jwks"), None);
        assert_eq!(jwks_uri(&location, "http://a.test/jwks"), None);
        let location = located(plain, plain, &["keys"]);
        assert!(jwks_uri(&location, "http://keys/jwks").is_some());
        assert_eq!(jwks_uri(&location, "http://127.0.0.1/jwks"), None);
        // The application chose the base, but not other ports.
        let location = located(plain, "http://127.0.0.1:8080", &[]);
        assert!(jwks_uri(&location, "https://a.test/jwks").is_some());
        assert!(jwks_uri(&location, "http://127.0.0.1:8080/jwks").is_some());
        assert_eq!(jwks_uri(&location, "http://127.0.0.1:9090/jwks"), None);
        // A name with http that is fetched by https.
        let location = located("http://a.test", "https://a.test", &[]);
        let fetched = jwks_uri(&location, "http://a.test/jwks");
        assert_eq!(fetched.as_deref(), Some("https://a.test/jwks"));
        assert_eq!(jwks_uri(&location, "http://127.0.0.1/jwks"), None);
    }
}
