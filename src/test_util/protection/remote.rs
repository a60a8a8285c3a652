use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response};
use reqwest::{Client, Url};
use tower_service::Service;

use crate::test_util::protection::sent_body::SentBody;

/// A service at a URL, for [`assert_protected`](super::assert_protected): a running server, or one
/// in another process.
///
/// The client must not follow redirects (`redirect::Policy::none()`), or the response would be that of another page: a
/// response from another URL is an error, which the report names.
///
/// With a live token, such as one of a staging system: attacks send it in the query and in cookies too, where proxies
/// and servers write it into their logs. Use one that expires soon.
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
    ///
    /// # Panics
    ///
    /// When this is not a URL, or when it has a user name, a password, a query or a fragment. The message does not
    /// contain them.
    #[track_caller]
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        let mut base = url.into();
        let url = Url::parse(&base).expect("a URL, such as `http://127.0.0.1:3000`");
        let has_user = !url.username().is_empty() || url.password().is_some();
        assert!(!has_user, "the URL has a user name or a password: attacks would send them too");
        let has_more = url.query().is_some() || url.fragment().is_some();
        assert!(!has_more, "the URL has a query or a fragment, but paths of requests follow it");
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
        let client = self.client.clone();
        Box::pin(async move {
            // The URL of an error may contain a token.
            let sent = sent.build().map_err(reqwest::Error::without_url)?;
            let url = sent.url().clone();
            let response = client.execute(sent).await.map_err(reqwest::Error::without_url)?;
            if *response.url() != url {
                return Err("the client followed a redirect: build it with `Policy::none()`".into());
            }
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
