use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Request, Uri, response};
use serde_json::json;

use crate::test_util::protection::allowed::Allowed;
use crate::test_util::protection::attacker;
use crate::test_util::protection::good_token::GoodToken;
use crate::test_util::protection::place::Place;
use crate::test_util::protection::response::RefusedBy;
use crate::test_util::protection::run::line_of;
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
    pub(super) place: Place,
    pub(super) refused_by: Option<RefusedBy>,
    /// The reasons to leave attacks out.
    pub(super) without_signed: Option<String>,
    pub(super) without_public_key: Option<String>,
    pub(super) without_strict: Option<String>,
    pub(super) make_body: Box<dyn Fn(SentBody) -> B + Send + Sync>,
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
    /// out. This is a fault, unless [`without_signed_attacks`](Self::without_signed_attacks) gives a reason. Give the
    /// public key too: [`with_public_key`](Self::with_public_key).
    ///
    /// The attacks of the group `place` send the token in the query and in cookies, where proxies and servers log it.
    /// Use a token of a test system that expires soon.
    ///
    /// # Panics
    ///
    /// When the token is empty, begins with `Bearer`, or has a line break or a space.
    #[track_caller]
    pub fn from_token(token: impl Into<String>) -> Self {
        Self::with_good(GoodToken::from_text(token.into()))
    }

    fn with_good(good: GoodToken) -> Self {
        Self {
            good,
            protected: Vec::new(),
            open: Vec::new(),
            allowed: Vec::new(),
            place: Place::default(),
            refused_by: None,
            without_signed: None,
            without_public_key: None,
            without_strict: None,
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

    /// Replaces the public key, as a JWK, a JWK set or a PEM text: services must not take it for an HMAC
    /// secret. With [`new`](ProtectedRequests::new), that of the issuer, otherwise none. Of a set, it is the key with
    /// the `kid` of the good token, else the first one with its `alg`, else the only one.
    ///
    /// # Panics
    ///
    /// When the text has no such public key.
    #[must_use]
    #[track_caller]
    pub fn with_public_key(mut self, text: impl AsRef<str>) -> Self {
        if let Err(error) = self.good.set_public_key(text.as_ref()) {
            panic!("the public key cannot be read: {error}");
        }
        self
    }

    /// Lets each token keep the `jti` of the good one; by default each has another `jti`, as services that accept a
    /// token once need it.
    #[must_use]
    pub fn with_fixed_jti(mut self) -> Self {
        self.good.set_fixed_jti();
        self
    }

    /// Adds an issuer that the service accepts with the same key and audience, so that it is not taken for a wrong
    /// one; none by default.
    #[must_use]
    pub fn also_accepted_issuer(mut self, name: impl Into<String>) -> Self {
        self.good.add_accepted_issuer(name.into());
        self
    }

    /// Sets the URL where the test serves [`attacker_jwk_set`](Self::attacker_jwk_set), for the attack
    /// `key: jku in the header`; none by default, and then the attack is left out. If the service can reach the URL,
    /// and fetches what a token names, the attack is let through.
    #[must_use]
    pub fn with_attacker_url(mut self, url: impl Into<String>) -> Self {
        self.good.set_attacker_url(url.into());
        self
    }

    /// The keys of the attacker as a JWK set, for [`with_attacker_url`](Self::with_attacker_url).
    pub fn attacker_jwk_set(&self) -> String {
        json!({"keys": [attacker::jwk(self.good.attacker_algorithm())]}).to_string()
    }

    /// Replaces the [`Place`] of the tokens; `Authorization: Bearer` by default. Attacks of the groups `no token`,
    /// `scheme`, `two tokens` and `place` have places of their own.
    #[must_use]
    pub fn with_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Adds responses that refuse a credential beside those of [`check_protection`](super::check_protection); none by
    /// default. A server error is never a refusal. The good token must get another response.
    ///
    /// # Example: a redirect to the login page
    ///
    /// ```
    /// use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer};
    ///
    /// let requests = ProtectedRequests::new(TestIssuer::new().token())
    ///     .get("/account")
    ///     .refused_by(|head| head.headers.get("location").is_some_and(|url| url == "/login"));
    /// ```
    ///
    /// # Example: a page that is also for anonymous users, where a bad token changes nothing
    ///
    /// ```
    /// use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer};
    ///
    /// let requests = ProtectedRequests::new(TestIssuer::new().token())
    ///     .get("/news")
    ///     .refused_by(|head| !head.headers.contains_key("x-user"));
    /// ```
    #[must_use]
    pub fn refused_by<F>(mut self, is_refusal: F) -> Self
    where
        F: Fn(&response::Parts) -> bool + Send + Sync + 'static,
    {
        self.refused_by = Some(Box::new(is_refusal));
        self
    }

    /// Leaves out the attacks that need a valid signature, if there is no signer, for a reason that the report shows.
    #[must_use]
    pub fn without_signed_attacks(mut self, reason: impl Into<String>) -> Self {
        self.without_signed = Some(reason.into());
        self
    }

    /// Leaves out the attacks that use the public key as a secret, if there is no public key, for a reason that the
    /// report shows.
    #[must_use]
    pub fn without_public_key_attacks(mut self, reason: impl Into<String>) -> Self {
        self.without_public_key = Some(reason.into());
        self
    }

    /// Leaves out the [strict](super::Attack::is_strict) attacks, which the standards allow to accept, for a reason that the
    /// report shows.
    #[must_use]
    pub fn without_strict_attacks(mut self, reason: impl Into<String>) -> Self {
        self.without_strict = Some(reason.into());
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
        ProtectedRequests {
            good: self.good,
            protected: self.protected,
            open: self.open,
            allowed: self.allowed,
            place: self.place,
            refused_by: self.refused_by,
            without_signed: self.without_signed,
            without_public_key: self.without_public_key,
            without_strict: self.without_strict,
            make_body: Box::new(convert),
        }
    }

    /// Adds a protected `GET` of this path.
    ///
    /// # Panics
    ///
    /// When the path does not begin with `/`, or is not a URI.
    #[must_use]
    #[track_caller]
    pub fn get(self, path: &str) -> Self {
        self.request(request_of(Method::GET, path))
    }

    /// Adds a protected `POST` to this path.
    ///
    /// # Panics
    ///
    /// When the path does not begin with `/` or is not a URI, or the content type is not a header value.
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
    /// When the path does not begin with `/`, or is not a URI.
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
    /// When the path does not begin with `/`, or is not a URI.
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

    /// Lets the service accept an [`Attack`](super::Attack) or a group of them on purpose, at all requests, for a reason that the
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
        self.allowed.push(Allowed::new(name, reason.into(), None));
        self
    }

    /// Like [`allowing`](Self::allowing), at one request alone, such as `GET /orders`.
    ///
    /// # Panics
    ///
    /// When no attack and no group has this name, or when no such protected request was added before.
    #[must_use]
    #[track_caller]
    pub fn allowing_at(mut self, request: &str, name: &str, reason: impl Into<String>) -> Self {
        let lines: Vec<String> = self.protected.iter().map(line_of).collect();
        let is_known = lines.iter().any(|line| line == request);
        assert!(is_known, "no request is {request:?}; there are: {}", lines.join(", "));
        self.allowed.push(Allowed::new(name, reason.into(), Some(request.to_owned())));
        self
    }
}

#[track_caller]
fn request_of(method: Method, path: &str) -> Request<Bytes> {
    assert!(path.starts_with('/'), "the path {path:?} does not begin with `/`");
    let uri: Uri = path.parse().expect("a path that is a URI");
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request
}

impl<B> fmt::Debug for ProtectedRequests<B> {
    /// Without the token and the bodies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines =
            |requests: &[Request<Bytes>]| -> Vec<String> { requests.iter().map(line_of).collect() };
        f.debug_struct("ProtectedRequests")
            .field("good", &self.good)
            .field("protected", &lines(&self.protected))
            .field("open", &lines(&self.open))
            .field("allowed", &self.allowed)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
