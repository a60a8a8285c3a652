//! Fetching by `reqwest`: no redirects, no cookies, and no body longer than it may be.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{Response, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client};

use super::fetch_url::is_private;
use super::{Fetch, FetchFuture, FetchRequest};
use crate::KeySourceError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Fetches with a client of `reqwest`: the user's, or its own, built when it is first needed.
#[derive(Default)]
pub(crate) struct HttpFetch {
    given: Option<Client>,
    for_http: Mutex<Option<Client>>,
    for_https: Mutex<Option<Client>>,
}

impl HttpFetch {
    pub(crate) fn with_client(client: Client) -> Self {
        Self { given: Some(client), ..Self::default() }
    }

    fn client(&self, request: &FetchRequest) -> Result<Client, KeySourceError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let is_https = request.checked_url().is_https();
        let client = if is_https { &self.for_https } else { &self.for_http };
        let mut client = client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let new = new_client(request).map_err(|error| {
            KeySourceError::new(match is_https {
                true => {
                    "there is no client for https, which needs the CA certificates of the system or \
                     of `SSL_CERT_FILE`"
                }
                false => "there is no client for http",
            })
            .with_source(error)
        })?;
        *client = Some(new.clone());
        Ok(new)
    }
}

/// All requests of one source that share a scheme have the same needs: the first one will do.
fn new_client(request: &FetchRequest) -> reqwest::Result<Client> {
    let mut client = Client::builder()
        .user_agent(concat!("tower-jwt-auth/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Whatever features of it another crate turns on: the body is read as it was sent.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        // What a client has to put up with (RFC 9112 sections 5.1 and 5.2).
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .connect_timeout(CONNECT_TIMEOUT)
        // The metadata and the set come over one connection; minutes later nobody needs it.
        .pool_idle_timeout(CONNECT_TIMEOUT);
    if !request.checked_url().is_https() {
        // Plain http is allowed because it leaves neither this machine nor the listed hosts. It
        // trusts no certificate, so that it works where there is none.
        client = client.no_proxy().tls_certs_only(std::iter::empty::<Certificate>());
    }
    if request.refuses_private_addresses() {
        // A proxy would resolve the name, and not tell.
        client = client.no_proxy().dns_resolver(PublicOnly);
    }
    client.build()
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let client = self.client(&request);
        Box::pin(async move { fetch(&client?, &request).await })
    }
}

async fn fetch(client: &Client, request: &FetchRequest) -> Result<Response<Bytes>, KeySourceError> {
    let url = request.checked_url().url();
    let send = || {
        let get = client.get(url.clone()).header(ACCEPT, request.accept());
        get.header(ACCEPT_ENCODING, request.accept_encoding()).send()
    };
    let mut response = match send().await {
        // A connection of the pool may have gone with the runtime that made it.
        Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
            send().await
        }
        answer => answer,
    }
    .map_err(failed)?;
    // A client of the user's may have followed one.
    if response.url() != url {
        return Err(KeySourceError::new("the client followed a redirect"));
    }
    let address = response.remote_addr();
    if request.refuses_private_addresses() && address.is_some_and(|at| is_private(at.ip())) {
        return Err(KeySourceError::new("the answer came from a private address"));
    }

    let mut body = BytesMut::new();
    // What else the status leads to is decided without the body, which may be long or never end.
    if response.status() == StatusCode::OK {
        // One that is too long is refused by the caller, who then knows its type as well.
        while body.len() <= request.max_body() {
            let Some(chunk) = response.chunk().await.map_err(failed)? else { break };
            body.extend_from_slice(&chunk);
        }
    }
    let mut answer = Response::new(body.freeze());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// Without the URL, whose query may be a secret.
fn failed(error: reqwest::Error) -> KeySourceError {
    KeySourceError::new("the request failed").with_source(error.without_url())
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetch").finish_non_exhaustive()
    }
}

/// Resolves names to addresses of the public internet alone. What is checked is what is connected
/// to: a name that changes in between gains nothing.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|at| !is_private(at.ip())).collect();
            if public.is_empty() {
                let error = "the name leads to private addresses alone, which are refused here";
                return Err(Box::<dyn Error + Send + Sync>::from(error));
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn c13_a_name_of_a_private_address_is_not_resolved() {
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.err().unwrap().to_string().contains("private"));
    }
}
