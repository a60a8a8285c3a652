use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response};
use reqwest::Client;
use tower_service::Service;

use crate::test_util::protection::sent_body::SentBody;

/// A service at a URL, for [`assert_protected`](super::assert_protected): a running server, or one
/// in another process.
///
/// The client should not follow redirects (`redirect::Policy::none()`): a redirect to a page that
/// answers 200 counts as let through.
///
/// # Example: a server on this machine
///
/// ```no_run
/// use tower_jwt_auth::test_util::{
///     ProtectedRequests, RemoteService, TestIssuer, assert_protected,
/// };
///
/// async fn prove(client: reqwest::Client, issuer: &TestIssuer) {
///     let server = RemoteService::new(client, "http://127.0.0.1:3000");
///     assert_protected(server, ProtectedRequests::new(issuer.token()).get("/orders")).await;
/// }
/// ```
#[derive(Clone)]
pub struct RemoteService {
    client: Client,
    base: String,
}

/// The future of a [`RemoteService`].
pub type RemoteFuture =
    Pin<Box<dyn Future<Output = Result<Response<()>, Box<dyn Error + Send + Sync>>> + Send>>;

impl RemoteService {
    /// Creates a service from the URL that the paths of the requests follow, such as
    /// `https://staging.example/api`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        let mut base = url.into();
        base.truncate(base.trim_end_matches('/').len());
        Self { client, base }
    }
}

impl Service<Request<SentBody>> for RemoteService {
    type Response = Response<()>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = RemoteFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<SentBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let sent = self
            .client
            .request(head.method, format!("{}{path}", self.base))
            .headers(head.headers)
            .body(Bytes::from(body));
        Box::pin(async move {
            // Its URL may contain a token.
            let response = sent.send().await.map_err(reqwest::Error::without_url)?;
            let mut answer = Response::new(());
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            Ok(answer)
        })
    }
}

impl fmt::Debug for RemoteService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteService").field("url", &self.base).finish_non_exhaustive()
    }
}
