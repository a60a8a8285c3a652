//! Fetching by `reqwest`: no redirects, no cookies, and no body longer than it may be.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::ACCEPT;
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::fetch_url::is_private;
use super::{Fetch, FetchFuture, FetchRequest};
use crate::KeySourceError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Fetches with a client of `reqwest`: its own, made when it is first needed, or the user's.
#[derive(Default)]
pub(crate) struct HttpFetch(Mutex<Option<Client>>);

impl HttpFetch {
    pub(crate) fn with_client(client: Client) -> Self {
        Self(Mutex::new(Some(client)))
    }

    fn client(&self, request: &FetchRequest) -> Result<Client, KeySourceError> {
        let mut client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = new_client(request).map_err(|error| {
            KeySourceError::new("the HTTP client cannot be made").with_source(error)
        })?;
        *client = Some(made.clone());
        Ok(made)
    }
}

/// All requests of one source have the same needs: the first one will do.
fn new_client(request: &FetchRequest) -> reqwest::Result<Client> {
    let mut client = Client::builder()
        .user_agent(concat!("tower-jwt-auth/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Whatever features of it another crate turns on: what comes is what was sent.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
        // The metadata and the set come over one connection; minutes later nobody needs it.
        .pool_idle_timeout(CONNECT_TIMEOUT);
    if !request.checked_url().is_https() {
        // Plain http is good because it does not leave this machine.
        client = client.no_proxy();
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
    let request_to_send = client.get(url.clone()).header(ACCEPT, request.accept());
    let mut response = request_to_send.send().await.map_err(failed)?;
    // A client of the user's may have followed one.
    if response.url() != url {
        return Err(KeySourceError::new("the client followed a redirect"));
    }
    let address = response.remote_addr();
    if request.refuses_private_addresses() && address.is_some_and(|at| is_private(at.ip())) {
        return Err(KeySourceError::new("the answer came from a private address"));
    }

    let too_long = || KeySourceError::new("the answer is longer than 256 KiB");
    let max = request.max_body();
    let said = response.content_length().unwrap_or(0);
    if usize::try_from(said).is_ok_and(|said| said > max) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len().saturating_add(chunk.len()) > max {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
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
