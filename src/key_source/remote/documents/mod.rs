//! Small JSON documents from URLs that an untrusted client has chosen.
//!
//! [`DocumentClient`] is the public part. `hosts` says which URLs may be fetched, `addresses` which addresses may be connected
//! to, `resolver` makes the connection go to the addresses that were checked, `response` checks what comes back.

mod addresses;
mod error;
mod hosts;
mod resolver;
mod response;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Client};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::addresses::is_global;
pub use self::error::{DocumentError, DocumentErrorKind};
use self::hosts::{Access, Hosts};
use self::resolver::{CheckedResolver, Lookup, SystemLookup};
pub use self::response::FetchedDocument;
use self::response::Limits;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::key_source::remote::fetch_url::FetchUrl;
use crate::key_source::remote::http_client::client_builder;

/// The default maximum length of a document, in bytes (draft-ietf-oauth-client-id-metadata-document, section 8.7).
const MAX_LENGTH: usize = 5 * 1024;
/// The default time limit, from the look-up of the name to the last byte.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// The default number of fetches at the same time.
const MAX_CONCURRENT: usize = 16;
/// The bounds of the time for which a document is fresh.
const FRESH: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));

/// Fetches small JSON documents from URLs that an untrusted client has chosen, such as a Client ID Metadata Document or
/// a `jwks_uri`.
///
/// Such a URL may point into the network of the server (server-side request forgery), at a host that is to be
/// overloaded, or at a server that never ends its response. So the rules are strict, and every setter that weakens them is
/// called `dangerous_…`:
///
/// | | by default |
/// |---|---|
/// | URL | `https` on port 443 only, at most 2048 bytes, no user name, no password, no fragment |
/// | addresses | only global unicast ones: none that is private, loopback, link-local, shared (RFC 6598), for documentation, multicast, unique-local or otherwise special (RFC 6890), and no IPv4 address that is mapped or translated into an IPv6 one (`::ffff:0:0/96`, `64:ff9b::/96`, 6to4, Teredo) |
/// | names | the connection goes to one of the addresses that were checked. The name is not resolved again, so a DNS record that changes in between (DNS rebinding) has no effect. Of many addresses, at most 4 are tried |
/// | proxies | none, also if the environment names one: a proxy would resolve the name by itself |
/// | redirects | not followed: an error, like each status other than 200 |
/// | sent with the request | `Accept: application/json`, no cookie, no `Referer`, no credentials |
/// | length | 5 KiB; see [`with_max_length`](Self::with_max_length) |
/// | time | 5 seconds for everything, also for a server that sends slowly; see [`with_time_limit`](Self::with_time_limit) |
/// | at the same time | 16 fetches; further ones fail at once; see [`with_max_concurrent`](Self::with_max_concurrent) |
/// | type | `application/json` or `application/…+json`, in UTF-8, not compressed |
/// | connections | each fetch has a new one |
///
/// It caches nothing: [`FetchedDocument::fresh_for`] says how long the application may. Limits by the address of the
/// client that sent the URL are up to the application too.
///
/// Clones share the limit on fetches at the same time. It needs a Tokio runtime.
///
/// # Limits of other systems
///
/// On Linux and other Unix systems, certificates are verified in this process, with the CA certificates of the system. On
/// Windows, macOS, iOS and Android, reqwest leaves that to the system. It may then send requests of its own to the URLs in the
/// certificate of the server, for an intermediate certificate or to ask whether one is revoked (AIA, CRL, OCSP): none of the
/// rules above holds for them, and the server chooses its certificate. There, keep them from your network by a firewall.
///
/// # Example: the document of a client
///
/// ```no_run
/// use tower_jwt_auth::{DocumentClient, DocumentErrorKind};
///
/// # async fn example(client_id: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let client = DocumentClient::new();
/// let url = client.url(client_id)?; // Nothing has been sent.
/// match client.fetch(&url).await {
///     Ok(document) => println!("{} (for {:?})", document.text(), document.fresh_for()),
///     // Its host is down: an earlier document may be used for some more time.
///     Err(error) if error.kind() == DocumentErrorKind::Unreachable => println!("{error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Example: what is not fetched
///
/// ```
/// use tower_jwt_auth::DocumentClient;
///
/// let client = DocumentClient::new();
/// assert!(client.url("https://app.example/client.json").is_ok());
/// for url in [
///     "http://app.example/client.json",
///     "https://user:password@app.example/client.json",
///     "https://127.0.0.1/client.json",
///     "https://[::ffff:10.0.0.1]/client.json",
///     "https://169.254.169.254/latest/meta-data",
/// ] {
///     assert!(client.url(url).is_err());
/// }
/// ```
#[derive(Clone)]
pub struct DocumentClient {
    hosts: Hosts,
    limits: Limits,
    time_limit: Duration,
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// The network that is connected to.
#[derive(Clone)]
struct Network {
    lookup: Arc<dyn Lookup>,
    is_public: fn(IpAddr) -> bool,
    /// The CA certificates in place of the system's.
    #[cfg(test)]
    roots: Vec<Certificate>,
}

impl Network {
    fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            is_public: is_global,
            #[cfg(test)]
            roots: Vec::new(),
        }
    }
}

/// What clones of a client share.
struct Shared {
    network: Network,
    /// Look-ups of names that run, also those of fetches that were given up. One may take longer than a fetch may.
    lookups: Arc<Semaphore>,
    /// At most one for each kind of request.
    built: Mutex<Vec<(Needs, Client)>>,
}

/// The properties of the client underneath.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Needs {
    is_https: bool,
    access: Access,
}

impl Default for DocumentClient {
    fn default() -> Self {
        Self::new()
    }
}

impl DocumentClient {
    /// A client with the strict rules above.
    pub fn new() -> Self {
        Self::with_network(Network::new(Arc::new(SystemLookup)))
    }

    fn with_network(network: Network) -> Self {
        Self {
            hosts: Hosts::default(),
            limits: Limits { max_length: MAX_LENGTH, fresh: FRESH },
            time_limit: TIME_LIMIT,
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            shared: Arc::new(Shared {
                network,
                lookups: Arc::new(Semaphore::new(MAX_CONCURRENT)),
                built: Mutex::default(),
            }),
        }
    }

    /// Replaces the maximum length of a document, in bytes: 1 to 1 MiB; 5 KiB by default.
    ///
    /// # Errors
    ///
    /// If the length is out of its bounds.
    pub fn with_max_length(mut self, bytes: usize) -> Result<Self, ConfigError> {
        if !(1..=1024 * 1024).contains(&bytes) {
            let message = "a document has at least 1 byte and at most 1 MiB";
            return Err(ConfigError::new(ConfigErrorKind::Length, message));
        }
        self.limits.max_length = bytes;
        Ok(self)
    }

    /// Replaces the time limit of a fetch, from the look-up of the name to the last byte: up to a minute; 5 seconds by
    /// default.
    ///
    /// # Errors
    ///
    /// If the time is zero or more than a minute.
    pub fn with_time_limit(mut self, limit: Duration) -> Result<Self, ConfigError> {
        if limit.is_zero() || limit > Duration::from_secs(60) {
            let message = "a fetch may take up to a minute, and needs some time";
            return Err(ConfigError::new(ConfigErrorKind::Duration, message));
        }
        self.time_limit = limit;
        Ok(self)
    }

    /// Replaces the number of fetches at the same time: 1 to 256; 16 by default. Clones that were made before keep
    /// the limit that they share.
    ///
    /// # Errors
    ///
    /// If the number is out of its bounds.
    pub fn with_max_concurrent(mut self, fetches: usize) -> Result<Self, ConfigError> {
        if !(1..=256).contains(&fetches) {
            let message = "there may be 1 to 256 fetches at the same time";
            return Err(ConfigError::new(ConfigErrorKind::Capacity, message));
        }
        self.permits = Arc::new(Semaphore::new(fetches));
        self.shared = Arc::new(Shared {
            network: self.shared.network.clone(),
            lookups: Arc::new(Semaphore::new(fetches)),
            built: Mutex::default(),
        });
        Ok(self)
    }

    /// Replaces the bounds of [`FetchedDocument::fresh_for`]; a minute and a day by default. A response that says
    /// nothing gets 10 minutes, within the bounds.
    ///
    /// # Errors
    ///
    /// If the minimum is more than the maximum.
    pub fn with_freshness(mut self, min: Duration, max: Duration) -> Result<Self, ConfigError> {
        if min > max {
            let message = "the minimum of the freshness is more than its maximum";
            return Err(ConfigError::new(ConfigErrorKind::Duration, message));
        }
        self.limits.fresh = (min, max);
        Ok(self)
    }

    /// Fetches from these hosts also over plain http and from any address, such as `127.0.0.1:8080` for tests; none by
    /// default. A host is a name or an address; without a port, every port of it is meant. All other hosts are fetched from on
    /// port 443 alone.
    ///
    /// Whoever chooses a URL can then reach these hosts through this server.
    ///
    /// # Errors
    ///
    /// If a host is not one.
    pub fn dangerous_allow_hosts<I>(mut self, hosts: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.hosts = Hosts::parse(hosts)?;
        Ok(self)
    }

    /// The URL, if this client may fetch it. Nothing is sent, and no name is resolved.
    ///
    /// # Errors
    ///
    /// If it may not be fetched: see the table above.
    pub fn url(&self, text: &str) -> Result<FetchUrl, ConfigError> {
        let url = self.hosts.url(text)?;
        self.hosts.access(&url)?;
        Ok(url)
    }

    /// Fetches the document at this URL.
    ///
    /// # Errors
    ///
    /// If there is none, or it breaks one of the rules. The text is for the operator's log. Do not show it to the client
    /// that sent the URL: what an attacker learns from it is a map of the network.
    pub async fn fetch(&self, url: &FetchUrl) -> Result<FetchedDocument, DocumentError> {
        let at = url.name();
        let access = self.hosts.access(url).map_err(|error| {
            let message = format!("{at} may not be fetched");
            DocumentError::new(DocumentErrorKind::Forbidden, message).with_source(error)
        })?;
        let Ok(_permit) = self.permits.try_acquire() else {
            return Err(error::busy());
        };
        let client = self.client(Needs { is_https: url.is_https(), access })?;
        let is_public = self.shared.network.is_public;
        let fetched = response::fetch(&client, url, access, is_public, self.limits);
        timeout(self.time_limit, fetched).await.unwrap_or_else(|_| {
            let message = format!("{at} has sent no complete response in time");
            Err(DocumentError::new(DocumentErrorKind::Unreachable, message))
        })
    }

    fn client(&self, needs: Needs) -> Result<Client, DocumentError> {
        let mut built = self.shared.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = built.iter().find(|(built_for, _)| *built_for == needs) {
            return Ok(client.clone());
        }
        let new = self.new_client(needs).map_err(|error| {
            let message = "there is no client for https, which needs the CA certificates of the system or of \
                           `SSL_CERT_FILE`";
            DocumentError::new(DocumentErrorKind::Unreachable, message).with_source(error)
        })?;
        built.push((needs, new.clone()));
        Ok(new)
    }

    fn new_client(&self, needs: Needs) -> reqwest::Result<Client> {
        let network = &self.shared.network;
        let resolver = CheckedResolver::new(
            Arc::clone(&network.lookup),
            Arc::clone(&self.shared.lookups),
            needs.access,
            network.is_public,
        );
        let mut client = client_builder()
            .no_proxy()
            .dns_resolver(resolver)
            // One protocol, with the fewest states that a server may put this client into.
            .http1_only()
            .pool_max_idle_per_host(0);
        if !needs.is_https {
            // It also works on a system without certificates.
            client = client.tls_certs_only(std::iter::empty::<Certificate>());
        }
        #[cfg(test)]
        if !network.roots.is_empty() {
            client = client.tls_certs_only(network.roots.iter().cloned());
        }
        client.build()
    }
}

impl fmt::Debug for DocumentClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentClient")
            .field("hosts", &self.hosts)
            .field("max_length", &self.limits.max_length)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
