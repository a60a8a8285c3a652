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
    pub(super) fn parse(client: &DocumentClient, id: &str) -> Result<Self, &'static str> {
        if id.len() > MAX_LENGTH {
            return Err("The client_id is longer than 512 bytes.");
        }
        let fetched = client.url(id).map_err(|_| {
            "The client_id is not an https URL without a user, a fragment and a private address."
        })?;
        let url = Url::parse(id).map_err(|_| "The client_id is not a URL.")?;
        if url.as_str() != id {
            return Err("The client_id is not written as URLs are: with a path, in lower case, \
                        without the default port and without dot segments.");
        }
        if url.scheme() == "https" && matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) {
            return Err("The host of the client_id is an address. It must be a name.");
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

    /// Whether a URL has the same scheme, host and port.
    pub(super) fn is_at_host_of(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| url.origin() == self.url.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_an_https_url_with_a_path() {
        let client = DocumentClient::new();
        for id in [
            "https://app.example/client.json",
            "https://app.example/",
            "https://app.example:8443/a/b?v=1",
            "https://xn--bcher-kva.example/client",
            "https://app.example/a%2Fb",
            "https://app.example/.well-known/client",
            "https://app.example/a..b/...",
        ] {
            let id = ClientId::parse(&client, id).unwrap_or_else(|why| panic!("{id}: {why}"));
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
            assert!(ClientId::parse(&client, id).is_err(), "{id:?}");
        }
        let long = format!("https://app.example/{}", "a".repeat(MAX_LENGTH));
        assert!(ClientId::parse(&client, &long).is_err());
    }

    #[test]
    fn a_listed_host_may_be_http_on_this_machine() {
        let client = DocumentClient::new().dangerous_allow_hosts(["127.0.0.1:8080"]).unwrap();
        let id = ClientId::parse(&client, "http://127.0.0.1:8080/client").unwrap();
        assert_eq!(id.host(), "127.0.0.1:8080");
        assert!(ClientId::parse(&client, "http://127.0.0.1:8081/client").is_err());
    }

    #[test]
    fn the_host_has_its_scheme_and_port() {
        let id = ClientId::parse(&DocumentClient::new(), "https://app.example/client").unwrap();
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
