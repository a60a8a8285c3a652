use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Uri};

use crate::test_util::protection::attack::Attack;
use crate::test_util::protection::credential::Place;
use crate::test_util::protection::good_token::GoodToken;
use crate::test_util::protection::report::ProtectionReport;
use crate::test_util::protection::sent_body::SentBody;
use crate::test_util::token_builder::TokenBuilder;

/// An empty message of gRPC: not compressed, of length 0.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// The requests of [`check_protection`](super::check_protection): a good token, the protected
/// requests that it may make, and open requests.
///
/// The good token needs all scopes and other claims that the requests need. Each request must
/// succeed with it.
///
/// # Example: several routes, one of them open
///
/// ```
/// use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer};
///
/// let issuer = TestIssuer::new();
/// let requests = ProtectedRequests::new(issuer.token().scope("orders:write"))
///     .get("/orders")
///     .post("/orders", "application/json", r#"{"pieces": 1}"#)
///     .open_get("/health")
///     .allowing("two tokens", "the proxy removes the second one");
/// ```
pub struct ProtectedRequests<B = SentBody> {
    pub(super) good: GoodToken,
    pub(super) protected: Vec<Request<Bytes>>,
    pub(super) open: Vec<Request<Bytes>>,
    pub(super) allowed: Vec<Allowed>,
    pub(super) place: Option<Place>,
    pub(super) make_body: Box<dyn Fn(SentBody) -> B + Send + Sync>,
}

/// An attack or a group that a set-up lets through on purpose.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) name: String,
    pub(super) reason: String,
}

impl ProtectedRequests {
    /// Starts with a good token of a [`TestIssuer`](crate::test_util::TestIssuer) or a
    /// `MockIssuer`, whose key also signs the tokens with bad claims.
    pub fn new(token: TokenBuilder) -> Self {
        Self::with_good(token.into())
    }

    /// Starts with a good token of another issuer: the JWT, without `Bearer`.
    ///
    /// Without [`with_signer`](Self::with_signer), attacks that need a valid signature are left
    /// out: [`ProtectionReport::left_out`].
    pub fn from_token(token: impl Into<String>) -> Self {
        Self::with_good(GoodToken::from_text(token.into()))
    }

    fn with_good(good: GoodToken) -> Self {
        Self {
            good,
            protected: Vec::new(),
            open: Vec::new(),
            allowed: Vec::new(),
            place: None,
            make_body: Box::new(|body| body),
        }
    }
}

impl<B> ProtectedRequests<B> {
    /// Replaces the signer of the tokens; with [`new`](ProtectedRequests::new), the key of the
    /// issuer, otherwise none. The function gets the message, the first two parts of a token and
    /// the dot between them, and returns the signature with the algorithm and the key of the good
    /// token.
    #[must_use]
    pub fn with_signer<F>(mut self, sign: F) -> Self
    where
        F: Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    {
        self.good.set_signer(Arc::new(sign));
        self
    }

    /// Replaces the public key, as the JSON of a JWK: services must not take it for an HMAC
    /// secret. With [`new`](ProtectedRequests::new), that of the issuer, otherwise none.
    #[must_use]
    pub fn with_public_key(mut self, jwk: impl Into<String>) -> Self {
        self.good.set_jwk(jwk.into());
        self
    }

    /// Replaces the place of the tokens, for a service that expects them elsewhere, such as in a
    /// cookie; `Authorization: Bearer` by default. Attacks of the groups `no token`, `scheme`,
    /// `two tokens` and `place` stay as they are.
    ///
    /// # Example: a cookie
    ///
    /// ```
    /// use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer};
    ///
    /// let requests = ProtectedRequests::new(TestIssuer::new().token())
    ///     .with_place(|head, token| {
    ///         head.headers.insert("cookie", format!("__Host-token={token}").parse().unwrap());
    ///         head.headers.insert("origin", "https://app.example".parse().unwrap());
    ///     })
    ///     .get("/orders");
    /// ```
    #[must_use]
    pub fn with_place<F>(mut self, put: F) -> Self
    where
        F: Fn(&mut Parts, &str) + Send + Sync + 'static,
    {
        self.place = Some(Box::new(put));
        self
    }

    /// Converts the bodies to the type of the service; [`SentBody`] by default, which most
    /// routers accept, as it is an `http_body::Body`.
    ///
    /// # Example: the body of axum, or none
    ///
    /// ```
    /// use axum::body::Body;
    /// use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let requests = ProtectedRequests::new(issuer.token()).get("/").with_body(Body::new);
    /// let requests = ProtectedRequests::new(issuer.token()).get("/").with_body(|_| ());
    /// ```
    #[must_use]
    pub fn with_body<T, F>(self, convert: F) -> ProtectedRequests<T>
    where
        F: Fn(SentBody) -> T + Send + Sync + 'static,
    {
        let Self { good, protected, open, allowed, place, make_body: _ } = self;
        ProtectedRequests { good, protected, open, allowed, place, make_body: Box::new(convert) }
    }

    /// Adds a protected `GET` of this path.
    ///
    /// # Panics
    ///
    /// When the path is not a URI.
    #[must_use]
    #[track_caller]
    pub fn get(self, path: &str) -> Self {
        self.request(request_of(Method::GET, path))
    }

    /// Adds a protected `POST` to this path.
    ///
    /// # Panics
    ///
    /// When the path is not a URI, or the content type is not a header value.
    #[must_use]
    #[track_caller]
    pub fn post(self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut request = request_of(Method::POST, path).map(|_| body.into());
        let content_type = content_type.parse().expect("a content type that a header can have");
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        self.request(request)
    }

    /// Adds a protected gRPC method by its path, such as `/grpc.health.v1.Health/Check`, which is
    /// called with an empty message.
    ///
    /// # Panics
    ///
    /// When the path is not a URI.
    #[must_use]
    #[track_caller]
    pub fn grpc(self, path: &str) -> Self {
        let message = Bytes::from_static(EMPTY_MESSAGE);
        let mut request = request_of(Method::POST, path).map(|_| message);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        self.request(request)
    }

    /// Adds a protected request: with any method, headers, extensions and body, but without
    /// credentials.
    #[must_use]
    pub fn request<T: Into<Bytes>>(mut self, request: Request<T>) -> Self {
        self.protected.push(request.map(Into::into));
        self
    }

    /// Adds a `GET` that must succeed without a token.
    ///
    /// # Panics
    ///
    /// When the path is not a URI.
    #[must_use]
    #[track_caller]
    pub fn open_get(self, path: &str) -> Self {
        self.open_request(request_of(Method::GET, path))
    }

    /// Adds a request that must succeed without a token.
    #[must_use]
    pub fn open_request<T: Into<Bytes>>(mut self, request: Request<T>) -> Self {
        self.open.push(request.map(Into::into));
        self
    }

    /// Lets the service accept an [`Attack`] or a group of them on purpose, for a reason that the
    /// report shows. The name `challenge` allows 401 without a challenge. The attacks are sent all
    /// the same: if all are refused, the allowance is a finding, so that it does not outlive its
    /// reason. A server error is not allowed by it.
    ///
    /// # Panics
    ///
    /// When no attack and no group has this name.
    ///
    /// # Example: an audience that is not checked yet
    ///
    /// ```
    /// use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer};
    ///
    /// let requests = ProtectedRequests::new(TestIssuer::new().token())
    ///     .get("/orders")
    ///     .allowing("aud", "the old issuer writes no audience until June");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn allowing(mut self, name: &str, reason: impl Into<String>) -> Self {
        let mut groups: Vec<&str> = Attack::all().map(Attack::group).collect();
        groups.dedup();
        groups.push(ProtectionReport::CHALLENGE);
        let is_known = groups.contains(&name) || Attack::all().any(|attack| attack.name() == name);
        assert!(
            is_known,
            "no attack and no group is named {name:?}; the groups are {}",
            groups.join(", ")
        );
        self.allowed.push(Allowed { name: name.to_owned(), reason: reason.into() });
        self
    }
}

#[track_caller]
fn request_of(method: Method, path: &str) -> Request<Bytes> {
    let uri: Uri = path.parse().expect("a path that is a URI");
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request
}

impl<B> fmt::Debug for ProtectedRequests<B> {
    /// Without the token and the bodies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |requests: &[Request<Bytes>]| -> Vec<String> {
            requests.iter().map(|r| format!("{} {}", r.method(), r.uri().path())).collect()
        };
        f.debug_struct("ProtectedRequests")
            .field("good", &self.good)
            .field("protected", &lines(&self.protected))
            .field("open", &lines(&self.open))
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}
