//! Which URLs may be fetched, and the hosts that are exempt from the rules.

use std::fmt;
use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::key_source::remote::documents::addresses::is_global;
use crate::key_source::remote::fetch_url::{FetchUrl, HttpHosts, normalized_host};
use crate::loopback::{ip_of, is_loopback};

/// The addresses to which a connection may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Those of the public internet.
    Global,
    /// All: the application has listed the host.
    Any,
}

/// The hosts that may be fetched from over plain http and at any address; none by default.
#[derive(Clone, Default)]
pub(super) struct Hosts(Arc<[Host]>);

/// A host, and its port unless every port is meant.
struct Host {
    name: String,
    port: Option<u16>,
}

impl Hosts {
    pub(super) fn parse<I>(hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        hosts.into_iter().map(|host| Host::parse(host.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a URL.
    pub(super) fn url(&self, text: &str) -> Result<FetchUrl, ConfigError> {
        FetchUrl::parse(text, &HttpHosts::parse(self.0.iter().map(|host| &host.name))?)
    }

    /// The addresses at which this URL may be fetched.
    pub(super) fn access(&self, url: &FetchUrl) -> Result<Access, ConfigError> {
        if self.0.iter().any(|host| host.is_of(url)) {
            return Ok(Access::Any);
        }
        let unusable = |message| Err(ConfigError::new(ConfigErrorKind::Url, message));
        if !url.is_https() {
            return unusable("only https URLs are fetched");
        }
        let is_special = ip_of(url.url()).is_some_and(|ip| !is_global(ip));
        if is_special || is_loopback(url.url()) {
            return unusable("the URL is at an address outside the public internet");
        }
        // The parser has removed the default port. Others would make this a scanner of ports.
        if url.url().port().is_some() {
            return unusable("only port 443 is fetched from");
        }
        Ok(Access::Global)
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let (name, port) = match text.rsplit_once(':') {
            // The colon is in an IPv6 address.
            Some(_) if text.ends_with(']') => (text, None),
            Some((name, port)) => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|_| is_number);
                let no_port = || {
                    ConfigError::new(
                        ConfigErrorKind::Url,
                        "a host is a name or an address, such as `127.0.0.1:8080`: this port is not a number",
                    )
                };
                (name, Some(port.ok_or_else(no_port)?))
            }
            None => (text, None),
        };
        Ok(Self { name: normalized_host(name)?, port })
    }

    fn is_of(&self, url: &FetchUrl) -> bool {
        let url = url.url();
        let name = url.host_str().map(|name| name.strip_suffix('.').unwrap_or(name));
        name == Some(&self.name)
            && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|Host { name, port }| match port {
                Some(port) => format!("{name}:{port}"),
                None => name.clone(),
            }))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(hosts: &[&str], url: &str) -> Result<Access, ConfigError> {
        let hosts = Hosts::parse(hosts).unwrap();
        hosts.access(&hosts.url(url)?)
    }

    #[test]
    fn https_at_a_public_address_is_all_that_may_be_fetched() {
        for url in [
            "https://app.example/client",
            "https://app.example:443/client?x",
            "https://1.1.1.1/client",
            "https://[2606:4700::1111]/client",
        ] {
            assert_eq!(access(&[], url).unwrap(), Access::Global, "{url}");
        }
        for url in [
            "http://app.example/client",
            "http://localhost/client",
            "http://127.0.0.1/client",
            "https://app.example:8443/client",
            "https://app.example:80/client",
            "https://1.1.1.1:22/client",
            "https://localhost/client",
            "https://localhost./client",
            "https://127.0.0.1/client",
            "https://0x7f.1/client",
            "https://2130706433/client",
            "https://10.0.0.1/client",
            "https://169.254.169.254/client",
            "https://100.64.0.1/client",
            "https://192.0.2.1/client",
            "https://[::1]/client",
            "https://[::]/client",
            "https://[::ffff:1.1.1.1]/client",
            "https://[64:ff9b::101:101]/client",
            "https://[2002:101:101::]/client",
            "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/client",
            "https://[fd00::1]/client",
            "https://[fe80::1]/client",
            "https://user@app.example/client",
            "https://:password@app.example/client",
            "https://app.example/client#x",
            "ftp://app.example/client",
            "file:///etc/passwd",
            "gopher://app.example/",
            "app.example/client",
            "",
        ] {
            assert_eq!(access(&[], url).unwrap_err().kind(), ConfigErrorKind::Url, "{url}");
        }
    }

    #[test]
    fn a_listed_host_is_exempt_on_its_port() {
        let hosts = ["127.0.0.1:8080", "[::1]", "Client.Test"];
        for url in [
            "http://127.0.0.1:8080/client",
            "https://127.0.0.1:8080/client",
            "http://[::1]:1/client",
            "http://client.test/client",
            "https://client.test./client",
        ] {
            assert_eq!(access(&hosts, url).unwrap(), Access::Any, "{url}");
        }
        for url in [
            "http://127.0.0.1:8081/client",
            "https://127.0.0.1/client",
            "http://127.0.0.2:8080/client",
            "http://localhost:8080/client",
            "http://sub.client.test/client",
            "http://client.test.example/client",
            "http://app.example/client",
        ] {
            assert!(access(&hosts, url).is_err(), "{url}");
        }
        assert_eq!(access(&hosts, "https://app.example/client").unwrap(), Access::Global);
        // The default port of the scheme is a port too.
        assert_eq!(access(&["127.0.0.1:80"], "http://127.0.0.1/client").unwrap(), Access::Any);
        assert!(access(&["127.0.0.1:80"], "https://127.0.0.1/client").is_err());
        assert_eq!(
            access(&["app.example:8443"], "https://app.example:8443/").unwrap(),
            Access::Any
        );
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in
            ["", ":80", "a:", "a:x", "a:+1", "a:65536", "http://a", "a/b", "::1", "*", "a b"]
        {
            assert!(Hosts::parse([host]).is_err(), "{host}");
        }
        let hosts = Hosts::parse(["[::1]:80", "a:0", "B"]).unwrap();
        assert_eq!(format!("{hosts:?}"), r#"["[::1]:80", "a:0", "b"]"#);
    }
}
