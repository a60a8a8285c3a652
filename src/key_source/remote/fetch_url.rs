//! Which URLs may be fetched.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::Url;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::loopback::{ip_of, is_loopback};
use crate::summary::Summary;

/// The longest URL that is fetched, in bytes.
const MAX_URL: usize = 2048;

/// The hosts besides loopback addresses for which plain http is allowed: none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HttpHosts(Arc<[String]>);

impl HttpHosts {
    /// Parses the hosts as an application lists them: names or addresses, without a port.
    pub(crate) fn parse<I>(hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let hosts = hosts.into_iter().map(|host| normalized_host(host.as_ref()));
        Ok(Self(hosts.collect::<Result<_, _>>()?))
    }

    /// Adds to a summary the danger that such hosts are listed.
    #[cfg(feature = "oidc-discovery")]
    pub(super) fn warn(&self, summary: Summary) -> Summary {
        self.0.iter().fold(summary, |summary, host| summary.with_danger(http_danger(host)))
    }

    /// Whether the URL is at one of these hosts, on any port.
    pub(super) fn allow(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| self.0.iter().any(|one| one == without_dot(host)))
    }
}

fn http_danger(host: &str) -> String {
    format!("dangerous_allow_http_hosts({host})")
}

/// The host as it is spelled in a parsed URL.
pub(super) fn normalized_host(host: &str) -> Result<String, ConfigError> {
    let is_bare = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')),
    };
    let url = is_bare.then(|| Url::parse(&format!("http://{host}/")).ok()).flatten();
    let name = url.as_ref().and_then(Url::host_str).map(without_dot);
    name.filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(|| {
        unusable(
            "a host for plain http is a name or an address, such as `keycloak`: without a scheme, a \
             port, a path or a wildcard",
        )
    })
}

fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// A URL that may be fetched: https, or http to a loopback address; at most 2048 bytes, without a user name, a password, a
/// fragment, white space and control characters.
///
/// The URL comes from the application's own configuration, or from an untrusted client. For the latter, take
/// `DocumentClient` (feature `reqwest-0_13`), whose rules are stricter: it refuses addresses outside the public internet.
///
/// `Debug` leaves out the query, which may be a secret.
///
/// # Example: what may be fetched
///
/// ```
/// use tower_jwt_auth::FetchUrl;
///
/// let url = FetchUrl::new("https://issuer.example/jwks?key=secret")?;
/// assert_eq!(url.as_str(), "https://issuer.example/jwks?key=secret");
/// assert_eq!(format!("{url:?}"), "https://issuer.example/jwks");
/// assert!(FetchUrl::new("http://127.0.0.1:8080/jwks").is_ok());
/// assert!(FetchUrl::new("http://issuer.example/jwks").is_err());
/// assert!(FetchUrl::new("file:///etc/passwd").is_err());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FetchUrl {
    url: Url,
    /// Without its query, for logs.
    name: Arc<str>,
}

impl FetchUrl {
    /// Checks a URL. It is normalised as in browsers (the URL Standard): the host is in lower case, for example.
    ///
    /// # Errors
    ///
    /// If it is not one that may be fetched.
    pub fn new(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text, &HttpHosts::default())
    }

    pub(crate) fn parse(text: &str, http_hosts: &HttpHosts) -> Result<Self, ConfigError> {
        if text.len() > MAX_URL {
            return Err(unusable("the URL is longer than 2048 bytes"));
        }
        // The parser would drop these characters, and the URL would not be the given one.
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(unusable("a URL must not contain white space or control characters"));
        }
        let url = Url::parse(text)
            .map_err(|error| unusable("this is not an absolute URL").with_source(error))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) || http_hosts.allow(&url) => {}
            "http" => {
                return Err(unusable(
                    "only https is used: with plain http, an attacker could replace keys and \
                     read credentials (http is allowed for 127.0.0.1, [::1] and localhost, and for the hosts that \
                     `dangerous_allow_http_hosts` lists)",
                ));
            }
            _ => return Err(unusable("only https URLs are used")),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(unusable("the URL has no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(unusable("a URL with a user name or a password is not fetched"));
        }
        if url.fragment().is_some() {
            return Err(unusable("a URL with a fragment is not fetched"));
        }
        let mut name = url.clone();
        name.set_query(None);
        Ok(Self { name: name.as_str().into(), url })
    }

    /// The URL, normalised, with its query.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    #[cfg(any(feature = "oidc-discovery", feature = "reqwest-0_13"))]
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The URL without its query, for logs.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[cfg(any(feature = "oidc-discovery", feature = "reqwest-0_13"))]
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Adds to a summary the danger that this URL is fetched over plain http, if it is.
    pub(crate) fn warn_of_http(&self, summary: Summary) -> Summary {
        match self.url.host_str() {
            Some(host) if self.url.scheme() == "http" && !is_loopback(&self.url) => {
                summary.with_danger(http_danger(without_dot(host)))
            }
            _ => summary,
        }
    }

    /// Whether the host is `localhost` or an address outside the public internet.
    pub(super) fn names_private_address(&self) -> bool {
        is_loopback(&self.url) || ip_of(&self.url).is_some_and(is_private)
    }

    /// Whether both have the same scheme, host and port.
    #[cfg(feature = "oidc-discovery")]
    pub(super) fn is_at_host_of(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }

    pub(crate) fn check_public(&self) -> Result<(), ConfigError> {
        match self.names_private_address() {
            false => Ok(()),
            true => Err(unusable("the URL is at a private address, which is refused here")),
        }
    }
}

impl fmt::Debug for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether the address is outside the public internet (the registries of RFC 6890).
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => is_private_v6(ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240
        // The Azure platform, as seen from its virtual machines.
        || ip == Ipv4Addr::new(168, 63, 129, 16)
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return is_private_v4(ip);
    }
    match ip.segments() {
        // Unspecified, loopback, and IPv4 addresses in the old notation or translated.
        [0, 0, 0, 0, 0 | 0xffff, 0, _, _] => true,
        // Translated to, or embedding, an IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x2002, a, b, ..] => {
            let [a0, a1] = a.to_be_bytes();
            let [b0, b1] = b.to_be_bytes();
            is_private_v4(Ipv4Addr::new(a0, a1, b0, b1))
        }
        [0x64, 0xff9b, 1, ..] | [0x100, 0, 0, 0, ..] | [0x2001, 0 | 0xdb8, ..] => true,
        [0x3fff, 0..0x1000, ..] => true,
        [first, ..] => {
            first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xffc0 == 0xfec0
                || first & 0xff00 == 0xff00
        }
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Url, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<FetchUrl, ConfigError> {
        FetchUrl::parse(url, &HttpHosts::default())
    }

    #[test]
    fn plain_http_is_allowed_to_listed_hosts_alone() {
        let hosts = ["keycloak", "Dex.", "my_issuer", "10.0.0.5", "[fd00::5]", "issuer.example"];
        let hosts = HttpHosts::parse(hosts).unwrap();
        let allows = |url: &str| FetchUrl::parse(url, &hosts).is_ok();
        for url in [
            "http://keycloak:8080/certs",
            "http://KEYCLOAK/certs",
            "http://keycloak./certs",
            "http://dex:5556/dex/keys",
            "http://my_issuer/",
            "http://10.0.0.5:8080/",
            "http://[fd00::5]/",
            "http://[FD00:0::5]:80/",
            "http://issuer.example/",
            "https://elsewhere.example/",
            "http://127.0.0.1/",
        ] {
            assert!(allows(url), "{url}");
        }
        for url in [
            "http://keycloak.example/",
            "http://a.keycloak/",
            "http://sub.issuer.example/",
            "http://10.0.0.50/",
            "http://[fd00::6]/",
            "http://keycloak@attacker.example/",
            "http://user@keycloak/",
            "ftp://keycloak/",
            "file://keycloak/keys",
        ] {
            assert!(!allows(url), "{url}");
        }
        let error = parse("http://keycloak:8080/certs").unwrap_err().to_string();
        assert!(error.contains("dangerous_allow_http_hosts"), "{error}");
    }

    #[test]
    fn hosts_for_plain_http_are_bare_names_or_addresses() {
        for host in [
            "",
            ".",
            "*",
            "*.example",
            "http://keycloak",
            "keycloak:8080",
            "keycloak:80",
            "keycloak/",
            "user@keycloak",
            "key cloak",
            "keycloak\n",
            "[::1]:80",
            "[::1",
            "::1",
            "a?b",
            "a#b",
            "a\\b",
        ] {
            let error = HttpHosts::parse(["good", host]).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Url, "{host}");
        }
        assert_eq!(HttpHosts::parse::<[&str; 0]>([]).unwrap(), HttpHosts::default());
    }

    #[test]
    fn https_alone_is_fetched_and_http_from_this_machine() {
        for url in [
            "https://issuer.example/jwks",
            "https://issuer.example:8443/keys?p=policy",
            "http://127.0.0.1:7100/jwks",
            "http://127.8.9.1/jwks",
            "http://[::1]:7100/jwks",
            "http://localhost:7100/jwks",
        ] {
            assert!(parse(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "/jwks",
            "issuer.example/jwks",
            "http://issuer.example/jwks",
            "http://127.0.0.1.example/jwks",
            "http://localhost.example/jwks",
            "http://10.0.0.1/jwks",
            "file:///etc/passwd",
            "ftp://issuer.example/jwks",
            "gopher://issuer.example/jwks",
            "data:application/json,{}",
            "javascript:alert(1)",
            "https://",
            "https://user@issuer.example/jwks",
            "https://user:password@issuer.example/jwks",
            "https://issuer.example/jwks#keys",
            " https://issuer.example/jwks",
            "https://issuer.example/jwks\n",
            "https://is\tsuer.example/jwks",
            &format!("https://issuer.example/{}", "a".repeat(3000)),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Url, "{url}");
            assert!(!error.to_string().contains("password@"), "{url}");
        }
    }

    #[test]
    fn private_addresses_are_known() {
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
        ] {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
        let private = |url| parse(url).unwrap().names_private_address();
        assert!(private("https://localhost/") && private("https://[fd12::1]/"));
        // The parser has normalised these spellings.
        assert!(private("https://0x7f000001/") && private("https://2130706433/"));
        assert!(!private("https://issuer.example/"));
    }

    #[test]
    fn debug_leaves_the_query_out() {
        let url = parse("https://issuer.example/jwks?key=canary").unwrap();
        assert_eq!(format!("{url:?}"), "https://issuer.example/jwks");
        assert!(url.as_str().contains("canary"));
    }
}
