//! How documents are fetched: which answers are read, which are refused, and how an error names its
//! cause.

mod documents;
mod elsewhere;
mod metadata;
mod wire;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{Fetch, FetchFuture, FetchRequest, JwksUrl, JwtVerifier, KeySource};

type Page = (String, Response<Bytes>);

/// A network in memory: pages by their URL, and 404 elsewhere.
#[derive(Clone, Debug, Default)]
struct Pages {
    pages: Arc<Mutex<Vec<Page>>>,
    requests: Arc<Mutex<Vec<FetchRequest>>>,
}

impl Pages {
    fn new() -> Self {
        Self::default()
    }

    /// Adds a page of JSON.
    fn with(self, url: &str, body: impl Into<Bytes>) -> Self {
        self.with_headers(url, 200, &[("content-type", "application/json")], body)
    }

    fn with_headers(
        self,
        url: &str,
        status: u16,
        headers: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        self.pages.lock().unwrap().push((url.to_owned(), response));
        self
    }

    fn urls(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.url().to_owned()).collect()
    }
}

impl Fetch for Pages {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let pages = self.pages.lock().unwrap();
        let page = pages.iter().find(|(url, _)| url == request.url());
        let response = page.map_or_else(
            || Response::builder().status(404).body(Bytes::new()).unwrap(),
            |(_, response)| response.clone(),
        );
        self.requests.lock().unwrap().push(request);
        Box::pin(async move { Ok(response) })
    }
}

/// Fetches the set that is answered with these headers and this body.
async fn fetch_set(
    headers: &[(&'static str, &str)],
    body: impl Into<Bytes>,
) -> Result<JwksUrl, String> {
    let url = "https://issuer.test/jwks";
    let keys = JwksUrl::new_with(url, Pages::new().with_headers(url, 200, headers, body)).unwrap();
    match keys.refresh().await {
        Ok(()) => Ok(keys),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a source has the keys of an issuer.
async fn verifies(keys: impl KeySource, issuer: &MockIssuer) -> bool {
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
    verifier.verify(&issuer.token().build()).await.is_ok()
}
