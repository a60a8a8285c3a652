//! The URL that is the ID of a client (section 3 of the draft).

use tower_jwt_auth::{DocumentClient, FetchUrl};
use url::{Host, Url};

/// The longest ID, in bytes. It is stored with each grant, and is in each token.
const MAX_LENGTH: usize = 512;

/// An ID that is a URL of the required form.
#[derive(Clone, Debug)]
pub(super) struct ClientId {
    id: String,
    url: Url,
    fetched: FetchUrl,
}

impl ClientId {
    /// Checks an ID: https, a path, no dot segment, no fragment, no user. A query is allowed, although the draft advises
    /// against it.
    ///
    /// It must be spelled as the URL parser writes it. So no two IDs have the same URL, and nothing that a parser removes or
    /// decodes, such as `%2e%2e`, is in it.
    ///
    /// It must not be at `own`, the issuer: a request to `/authorize` there would make the service ask itself, and again.
    pub(super) fn parse(
        client: &DocumentClient,
        own: Option<&Url>,
        id: &str,
    ) -> Result<Self, &'static str> {
        if id.len() > MAX_LENGTH {
            return Err("The client_id is longer than 512 bytes.");
        }
        let fetched = client.url(id).map_err(|_| {
            "The client_id is not an https URL without a user, a fragment, a port and a private address."
        })?;
        let url = Url::parse(id).map_err(|_| "The client_id is not a URL.")?;
        if url.as_str() != id {
            return Err("The client_id is not written as URLs are: with a path, in lower case, \
                        without the default port and without dot segments.");
        }
        if url.scheme() == "https" && matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) {
            return Err("The host of the client_id is an address. It must be a name.");
        }
        if url.host_str().is_some_and(|host| host.ends_with('.')) {
            return Err("The host of the client_id ends with a dot.");
        }
        if own.is_some_and(|own| is_same_server(own, &url)) {
            return Err("The client_id is at this service itself.");
        }
        Ok(Self { id: id.to_owned(), url, fetched })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.id
    }

    pub(super) fn fetch_url(&self) -> &FetchUrl {
        &self.fetched
    }

    /// The host, with its port if that is not the default one. International names are in their ASCII form.
    pub(super) fn host(&self) -> &str {
        self.url.authority()
    }

    /// The host without its port, for budgets: its ports are those of one host.
    pub(super) fn host_name(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether a URL has the same scheme, host and port.
    pub(super) fn is_at_host_of(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| url.origin() == self.url.origin())
    }
}

/// Whether both have the same host, with or without the dot at its end, and the same port.
fn is_same_server(one: &Url, other: &Url) -> bool {
    let host = |url: &Url| url.host_str().map(|host| host.trim_end_matches('.').to_owned());
    host(one) == host(other) && one.port_or_known_default() == other.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(client: &DocumentClient, id: &str) -> Result<ClientId, &'static str> {
        ClientId::parse(client, None, id)
    }

    #[test]
    fn an_id_is_not_at_the_service_itself() {
        let client = DocumentClient::new().dangerous_allow_hosts(["127.0.0.1"]).unwrap();
        for (own, id) in [
            ("https://issuer.example", "https://issuer.example/client"),
            ("https://issuer.example/realm", "https://issuer.example/authorize?client_id=x"),
            ("https://ISSUER.example:443", "https://issuer.example/client"),
            ("https://issuer.example", "https://issuer.example./client"),
            ("https://issuer.example.", "https://issuer.example/client"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/client"),
        ] {
            let url = Url::parse(own).unwrap();
            assert!(ClientId::parse(&client, Some(&url), id).is_err(), "{own} {id}");
        }
        for (own, id) in [
            ("https://issuer.example", "https://app.issuer.example/client"),
            ("https://issuer.example:8443", "https://issuer.example/client"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8001/client"),
        ] {
            let url = Url::parse(own).unwrap();
            assert!(ClientId::parse(&client, Some(&url), id).is_ok(), "{own} {id}");
        }
    }

    #[test]
    fn an_id_is_an_https_url_with_a_path() {
        let client = DocumentClient::new();
        for id in [
            "https://app.example/client.json",
            "https://app.example/",
            "https://app.example/a/b?v=1",
            "https://xn--bcher-kva.example/client",
            "https://app.example/a%2Fb",
            "https://app.example/.well-known/client",
            "https://app.example/a..b/...",
        ] {
            let id = parse(&client, id).unwrap_or_else(|why| panic!("{id}: {why}"));
            assert!(!id.host().is_empty());
        }
        for id in [
            "",
            "app",
            "https://",
            "https://app.example",
            "https://app.example?x",
            "https://app.example/client#x",
            "https://app.example/client#",
            "https://user@app.example/client",
            "https://user:password@app.example/client",
            "https://@app.example/client",
            "https://app.example/./client",
            "https://app.example/a/../client",
            "https://app.example/client/..",
            "https://app.example/%2e%2e/client",
            "https://app.example/.%2E/client",
            "https://app.example\\client",
            "https:/app.example/client",
            "https:app.example/client",
            "https://APP.example/client",
            "HTTPS://app.example/client",
            "https://app.example:443/client",
            "https://app.example:/client",
            "https://app.example:8443/client",
            "https://app.example./client",
            "https://b\u{fc}cher.example/client",
            "https://app.example/cl\u{ef}ent",
            "https://app.example/cli ent",
            "https://app.example/client\n",
            " https://app.example/client",
            "https://app.example/\u{202e}client",
            "https://localhost/client",
            "https://127.0.0.1/client",
            "https://1.1.1.1/client",
            "https://[2606:4700::1111]/client",
            "https://[::1]/client",
            "https://0/client",
            "http://app.example/client",
            "http://localhost/client",
            "http://127.0.0.1:8080/client",
            "ftp://app.example/client",
            "javascript:alert(1)",
            "data:application/json,{}",
        ] {
            assert!(parse(&client, id).is_err(), "{id:?}");
        }
        let long = format!("https://app.example/{}", "a".repeat(MAX_LENGTH));
        assert!(parse(&client, &long).is_err());
    }

    #[test]
    fn a_listed_host_may_be_http_on_this_machine() {
        let client = DocumentClient::new().dangerous_allow_hosts(["127.0.0.1:8080"]).unwrap();
        let id = parse(&client, "http://127.0.0.1:8080/client").unwrap();
        assert_eq!((id.host(), id.host_name()), ("127.0.0.1:8080", "127.0.0.1"));
        assert!(parse(&client, "http://127.0.0.1:8081/client").is_err());
    }

    #[test]
    fn the_host_has_its_scheme_and_port() {
        let id = parse(&DocumentClient::new(), "https://app.example/client").unwrap();
        assert!(id.is_at_host_of("https://app.example/jwks"));
        assert!(id.is_at_host_of("https://APP.example:443/jwks"));
        for other in [
            "https://app.example:8443/jwks",
            "http://app.example/jwks",
            "https://keys.app.example/jwks",
            "https://app.example.evil.example/jwks",
            "/jwks",
        ] {
            assert!(!id.is_at_host_of(other), "{other}");
        }
    }
}
