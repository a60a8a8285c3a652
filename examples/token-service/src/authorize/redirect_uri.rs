//! The comparison of redirect URIs, and the address with the response.

use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use crate::pages;

/// All but the unreserved characters. A space is `%20`, which every reader understands.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Checks a redirect URI that a client is registered with: https, http on loopback, or a custom scheme with a dot (RFC 8252
/// section 7); without a fragment.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence.
pub fn check(uri: &str) -> Result<(), &'static str> {
    if uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("contains a space");
    }
    if !uri.is_ascii() {
        // It goes into a header field as it is.
        return Err("must be ASCII: write the host as xn--… and other characters as %XX");
    }
    let url = Url::parse(uri).map_err(|_| "is not a URL")?;
    if url.fragment().is_some() {
        return Err("must have no fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not name a user");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err("must begin with https://, unless its host is 127.0.0.1, [::1] or localhost"),
        scheme if scheme.contains('.') => Ok(()),
        _ => Err("must have a scheme with a dot, such as com.example.app, or https"),
    }
}

/// Whether the client has registered this redirect URI.
///
/// The texts must be the same (RFC 9700 section 4.1.3). Only for `http` to a loopback address the port may differ, because
/// a native application takes a free one (RFC 8252 section 7.3). That section is about IP addresses, but clients of MCP
/// publish `http://localhost/…` in their metadata documents and take a free port of it.
pub(crate) fn is_registered(registered: &[String], asked: &str) -> bool {
    // A response in the query would come after the fragment, and other characters than ASCII cannot be in a header field.
    if asked.contains('#') || !asked.is_ascii() {
        return false;
    }
    registered.iter().any(|one| {
        one == asked
            || loopback(asked).is_some_and(|(host, rest)| loopback(one) == Some((host, rest)))
    })
}

/// The host of an `http` URI on a loopback address, and what comes after its port.
fn loopback(uri: &str) -> Option<(&'static str, &str)> {
    let authority = uri.strip_prefix("http://")?;
    let (host, rest) = ["127.0.0.1", "[::1]", "localhost"]
        .into_iter()
        .find_map(|host| Some((host, authority.strip_prefix(host)?)))?;
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let (port, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
            // A sign or nothing at all is no port.
            (is_port && port.parse::<u16>().is_ok()).then_some(rest)?
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// Whether another application may have taken the URI for itself: it is on this device, or has a scheme that any
/// application can register (RFC 8252 section 8.6). Everything but `https`.
pub(crate) fn can_be_taken(uri: &str) -> bool {
    !uri.starts_with("https://")
}

/// Whether the response stays on the device of the user: an address of the loopback interface.
pub(crate) fn is_on_device(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| is_loopback(&url))
}

/// A custom scheme leads to the application that has registered it, whatever its host is.
fn is_loopback(url: &Url) -> bool {
    if !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether both are at the same host.
pub(crate) fn is_same_site(uri: &str, other: &str) -> bool {
    let host = |uri: &str| Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
    host(uri).is_some_and(|one| host(other) == Some(one))
}

/// Who gets the response, for the page that asks.
pub(crate) fn describe(uri: &str) -> String {
    let Ok(url) = Url::parse(uri) else { return "You then return to the application.".to_owned() };
    match url.host_str() {
        Some(_) if is_loopback(&url) => {
            format!("You then return to an application on this device ({}).", authority(&url))
        }
        Some(_) if matches!(url.scheme(), "http" | "https") => {
            format!("You then return to {}.", authority(&url))
        }
        _ => format!("You then return to an application on this device ({}:).", url.scheme()),
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What `form-action` allows for this redirect URI, with a space before it.
///
/// Chromium also applies `form-action` to the redirects that follow a form. An application's redirect URI may redirect
/// to another host of the application, so every https address is allowed, and the scheme of the URI.
pub(crate) fn form_action(uri: &str) -> String {
    let scheme = Url::parse(uri).map(|url| url.scheme().to_owned()).unwrap_or_default();
    match scheme.as_str() {
        "" | "https" => " https:".to_owned(),
        scheme => format!(" https: {scheme}:"),
    }
}

/// Where the response goes: the redirect URI, the request's `state`, and the issuer.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) issuer: String,
    /// Whether nobody here has vouched for the address, and it leads to the internet.
    pub(crate) is_untrusted: bool,
}

impl ReturnAddress {
    /// The redirect with a code, or with an error and its description (RFC 6749 section 4.1.2). Each has the issuer
    /// (RFC 9207).
    pub(crate) fn response(&self, parameters: &[(&str, &str)]) -> Response {
        pages::see_other(&self.location(parameters))
    }

    /// The same address, for a page that asks first.
    pub(crate) fn location(&self, parameters: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let issuer = ("iss", self.issuer.as_str());
        let all = parameters.iter().copied().chain(state).chain([issuer]);
        with_query(&self.redirect_uri, all)
    }
}

/// The URI with these parameters after those that it has.
pub(crate) fn with_query<'a>(
    uri: &str,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in parameters {
        match uri.find('?') {
            None => uri.push('?'),
            Some(_) if uri.ends_with(['?', '&']) => {}
            Some(_) => uri.push('&'),
        }
        uri.push_str(name);
        uri.push('=');
        uri.extend(utf8_percent_encode(value, RESERVED));
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_compared_as_text() {
        let registered =
            ["https://app.example/back".to_owned(), "com.example.app:/back".to_owned()];
        assert!(is_registered(&registered, "https://app.example/back"));
        assert!(is_registered(&registered, "com.example.app:/back"));
        for other in [
            "",
            "https://app.example/back/",
            "https://app.example/back?x",
            "https://app.example/back#",
            "https://app.example:443/back",
            "https://APP.example/back",
            "https://app.example/%62ack",
            "https://app.example/x/../back",
            "https://app.example.evil.example/back",
            "http://app.example/back",
            "com.example.app:/back/",
        ] {
            assert!(!is_registered(&registered, other), "{other}");
        }
        for stored in ["https://a/#x", "https://a/caf\u{e9}", "https://b\u{fc}cher.example/"] {
            assert!(!is_registered(&[stored.to_owned()], stored), "{stored}");
            assert!(check(stored).is_err(), "{stored}");
        }
    }

    #[test]
    fn only_a_loopback_address_may_have_any_port() {
        let registered = [
            "http://127.0.0.1/back".to_owned(),
            "http://[::1]:80/back".to_owned(),
            "http://localhost/back".to_owned(),
            "https://127.0.0.1/secure".to_owned(),
        ];
        for uri in [
            "http://127.0.0.1/back",
            "http://127.0.0.1:1/back",
            "http://127.0.0.1:65535/back",
            "http://[::1]/back",
            "http://[::1]:5000/back",
            "http://localhost/back",
            "http://localhost:5000/back",
        ] {
            assert!(is_registered(&registered, uri), "{uri}");
        }
        // A client that registered one of them has not registered the others.
        assert!(!is_registered(&registered[..2], "http://localhost:5000/back"));
        assert!(!is_registered(&registered[2..], "http://127.0.0.1:5000/back"));
        for uri in [
            "http://127.0.0.1:65536/back",
            "http://127.0.0.1:/back",
            "http://127.0.0.1:+1/back",
            "http://127.0.0.1:1",
            "http://127.0.0.1:1/other",
            "http://127.0.0.1:1/back?x",
            "http://127.0.0.1:1@evil.example/back",
            "http://127.0.0.1.evil.example/back",
            "http://127.0.0.12/back",
            "http://127.0.0.2:1/back",
            "http://[::1]:1/other",
            "http://localhost:/back",
            "http://localhost:1/other",
            "http://localhost.evil.example:1/back",
            "http://localhost:1@evil.example/back",
            "http://LOCALHOST:1/back",
            "http://[::1%25lo]:1/back",
            "https://localhost:1/back",
            "https://127.0.0.1:1/secure",
            "https://127.0.0.1:1/back",
        ] {
            assert!(!is_registered(&registered, uri), "{uri}");
        }
    }

    #[test]
    fn the_response_comes_after_the_query_of_the_uri() {
        let with = |uri| with_query(uri, [("code", "a b&c"), ("state", "\u{e9}")].into_iter());
        assert_eq!(with("https://a/b"), "https://a/b?code=a%20b%26c&state=%C3%A9");
        assert_eq!(with("https://a/b?x=y"), "https://a/b?x=y&code=a%20b%26c&state=%C3%A9");
        assert_eq!(with("https://a/b?"), "https://a/b?code=a%20b%26c&state=%C3%A9");
        assert_eq!(with("com.example:/b"), "com.example:/b?code=a%20b%26c&state=%C3%A9");
    }

    #[test]
    fn the_page_names_who_gets_the_response() {
        for (uri, name) in [
            ("https://app.example/back", "return to app.example."),
            ("http://app.example:8080/back", "return to app.example:8080."),
            ("http://127.0.0.1:5000/back", "on this device (127.0.0.1:5000)."),
            ("http://[::1]/back", "on this device ([::1])."),
            ("com.example.app:/back", "on this device (com.example.app:)."),
            ("com.example.app://host/back", "on this device (com.example.app:)."),
            ("com.example.app://localhost/back", "on this device (com.example.app:)."),
            ("com.example.app://[::1]/back", "on this device (com.example.app:)."),
        ] {
            assert!(describe(uri).ends_with(name), "{uri}: {}", describe(uri));
        }
    }

    #[test]
    fn a_site_is_a_host() {
        assert!(is_same_site("https://app.example/back", "https://app.example:8443/client"));
        for (uri, other) in [
            ("https://app.example/back", "https://www.app.example/client"),
            ("https://app.example.evil.example/", "https://app.example/client"),
            ("com.example.app:/back", "https://app.example/client"),
            ("", ""),
        ] {
            assert!(!is_same_site(uri, other), "{uri} {other}");
        }
        for uri in ["http://127.0.0.1:5000/back", "http://[::1]/", "http://localhost/"] {
            assert!(is_on_device(uri), "{uri}");
        }
        for uri in [
            "https://app.example/",
            "http://localhost.example/",
            "com.example.app:/back",
            "com.example.app://localhost/back",
            "com.example.app://127.0.0.1/back",
            "com.example.app://[::1]/back",
        ] {
            assert!(!is_on_device(uri), "{uri}");
        }
    }

    #[test]
    fn forms_may_lead_to_the_scheme_of_the_uri() {
        assert_eq!(form_action("https://a/b"), " https:");
        assert_eq!(form_action("http://127.0.0.1:1/b"), " https: http:");
        assert_eq!(form_action("com.example.app:/b"), " https: com.example.app:");
    }
}
