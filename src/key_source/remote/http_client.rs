//! Fetching with `reqwest`: no redirects, no cookies, and a limit on the body.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, ClientBuilder};

use crate::key_source::error::KeySourceError;
use crate::key_source::remote::fetch::{Fetch, FetchFuture, FetchRequest};
use crate::key_source::remote::fetch_url::is_private;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Fetches with a `reqwest` client: the application's, or one that is built when it is first
/// needed.
#[derive(Default)]
pub(crate) struct HttpFetch {
    given: Option<Client>,
    /// At most one for each kind of request.
    own: Mutex<Vec<(Needs, Client)>>,
}

/// The properties of a client that the crate builds. Requests that differ in them use different
/// clients.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Needs {
    is_https: bool,
    refuses_private_addresses: bool,
}

impl Needs {
    fn of(request: &FetchRequest) -> Self {
        Self {
            is_https: request.checked_url().is_https(),
            refuses_private_addresses: request.refuses_private_addresses(),
        }
    }
}

impl HttpFetch {
    pub(crate) fn with_client(client: Client) -> Self {
        Self { given: Some(client), ..Self::default() }
    }

    fn client(&self, request: &FetchRequest) -> Result<Client, KeySourceError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let needs = Needs::of(request);
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = own.iter().find(|(built_for, _)| *built_for == needs) {
            return Ok(client.clone());
        }
        let new = new_client(needs).map_err(|error| {
            KeySourceError::new(match needs.is_https {
                true => {
                    "there is no client for https, which needs the CA certificates of the system or \
                     of `SSL_CERT_FILE`"
                }
                false => "there is no client for http",
            })
            .with_source(error)
        })?;
        own.push((needs, new.clone()));
        Ok(new)
    }
}

/// What the clients that the crate builds have in common.
pub(crate) fn client_builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("tower-jwt-auth/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // The body is read as it was sent, even if another crate turns on these features.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

fn new_client(needs: Needs) -> reqwest::Result<Client> {
    let mut client = client_builder()
        // A client has to accept this (RFC 9112 sections 5.1 and 5.2).
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .connect_timeout(CONNECT_TIMEOUT)
        // The metadata and the set use the same connection; minutes later it is not needed.
        .pool_idle_timeout(CONNECT_TIMEOUT);
    if !needs.is_https {
        // Plain http is allowed because it goes to a loopback address or goes to a listed host. The
        // client has no trusted certificates, so that it also works on a system without any.
        client = client.no_proxy().tls_certs_only(std::iter::empty::<Certificate>());
    }
    if needs.refuses_private_addresses {
        // A proxy would resolve the name, and the address could not be checked.
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
        let sent = client.request(request.method().clone(), url.clone());
        let sent = sent.headers(request.headers().clone());
        // An empty body would add a header.
        let sent = match request.body().is_empty() {
            true => sent,
            false => sent.body(request.body().clone()),
        };
        sent.send()
    };
    let mut response = match send().await {
        // A pooled connection may have ended with the runtime that made it. Only a method that
        // changes nothing is sent again.
        Err(error)
            if *request.method() == Method::GET
                && error.is_request()
                && !error.is_connect()
                && !error.is_timeout() =>
        {
            send().await
        }
        answer => answer,
    }
    .map_err(failed)?;
    // The application's client may have followed a redirect.
    if response.url() != url {
        return Err(KeySourceError::new("the client followed a redirect"));
    }
    let address = response.remote_addr();
    if request.refuses_private_addresses() && address.is_some_and(|at| is_private(at.ip())) {
        return Err(KeySourceError::new("the response came from a private address"));
    }

    let mut body = BytesMut::new();
    // Other statuses are handled without the body, which may be long or endless; but an endpoint gives a reason.
    let is_refused_form =
        *request.method() == Method::POST && response.status() == StatusCode::BAD_REQUEST;
    if response.status() == StatusCode::OK || is_refused_form {
        // The caller refuses a body that is too long, since it also reports the media type.
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

/// The error without the URL, whose query may be a secret.
fn failed(error: reqwest::Error) -> KeySourceError {
    KeySourceError::new("the request failed").with_source(error.without_url())
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetch").finish_non_exhaustive()
    }
}

/// Resolves names to public addresses only. The checked addresses are the ones that are connected
/// to, so a DNS record that changes in between has no effect.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|at| !is_private(at.ip())).collect();
            if public.is_empty() {
                let error = "the name resolves only to private addresses, which are refused here";
                return Err(Box::<dyn Error + Send + Sync>::from(error));
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_source::remote::fetch_url::{FetchUrl, HttpHosts};

    #[test]
    fn request_that_refuses_private_addresses_shares_no_client_with_one_that_does_not() {
        let built_for = |is_https, refuses_private_addresses| {
            let fetch = HttpFetch::default();
            for _ in 0..2 {
                fetch.client(&request(is_https, refuses_private_addresses)).unwrap();
                fetch.client(&request(is_https, false)).unwrap();
            }
            fetch.own.into_inner().unwrap().len()
        };
        assert_eq!([built_for(true, true), built_for(false, true)], [2, 2]);
        assert_eq!([built_for(true, false), built_for(false, false)], [1, 1]);
    }

    fn request(is_https: bool, refuses_private_addresses: bool) -> FetchRequest {
        let url = if is_https { "https://issuer.test/jwks" } else { "http://127.0.0.1/jwks" };
        let url = FetchUrl::parse(url, &HttpHosts::default()).unwrap();
        FetchRequest::get(&url, refuses_private_addresses)
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_is_not_resolved() {
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.err().unwrap().to_string().contains("private"));
    }
}
