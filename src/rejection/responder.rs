//! Responders, which write the responses to refused HTTP requests.

use std::fmt;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response};

use crate::rejection::Rejection;
use crate::rejection::request_summary::RequestSummary;

/// Writes the response to a refused HTTP request.
///
/// The crate has [`EmptyBody`] (the default), [`ProblemJson`], and closures
/// ([`JwtAuthLayer::with_rejection_fn`](crate::JwtAuthLayer::with_rejection_fn)). Implement the trait for a
/// body type that none of them can make, or to read more of the request than its method and URI.
///
/// The layer completes every response:
///
/// - It adds `Cache-Control: no-store`, `Retry-After` (for a 503) and the fields of [`Rejection::with_header`]
///   unless the response already has them.
/// - It appends its `WWW-Authenticate` challenge, unless the response already has one for the same scheme, or the
///   rejection is a 503. A challenge of the response is sent as it is, without the layer's `scope` and
///   `resource_metadata`: leave it out, so that clients find out where to get a token.
/// - It replaces a status of 1xx or 2xx with the status of the rejection, and keeps any other status.
/// - It puts the [`Rejection`] into the response's extensions.
///
/// The layer itself writes refusals of gRPC requests. The responder only provides their body,
/// [`empty_body`](Self::empty_body).
///
/// # Example: plain text with the path
///
/// ```
/// use http::{Response, request::Parts};
/// use tower_jwt_auth::{Rejection, ResponseForRejection};
///
/// struct PlainText;
///
/// impl<B: From<String>> ResponseForRejection<B> for PlainText {
///     type Remembered = String;
///
///     fn remember(&self, head: &Parts) -> String {
///         head.uri.path().to_owned()
///     }
///
///     fn response_for_rejection(&self, rejection: &Rejection, path: &String) -> Response<B> {
///         let mut response = Response::new(B::from(format!("{path}: {rejection}")));
///         *response.status_mut() = rejection.status();
///         response
///     }
///
///     fn empty_body(&self) -> B {
///         B::from(String::new())
///     }
/// }
///
/// let path = String::from("/orders");
/// let response: Response<String> =
///     PlainText.response_for_rejection(&Rejection::invalid_token(), &path);
/// assert_eq!(response.body(), "/orders: the token is invalid");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot write a refusal with a body of type `{B}`",
    label = "cannot write a response with this body",
    note = "`EmptyBody` and closures need a body that is `Default`, `ProblemJson` one that is `From<Bytes>`",
    note = "if the body comes from another layer inside of this one (`TraceLayer`, an interceptor), add \
            this line between the two layers, with the `Body` of axum or tonic: \
            `.layer(tower_http::map_response_body::MapResponseBodyLayer::new(Body::new))`",
    note = "a closure is set by `with_rejection_fn`; for any other body, implement `ResponseForRejection`"
)]
pub trait ResponseForRejection<B>: Send + Sync + 'static {
    /// The data of the request that the response needs. The head of the request may be consumed before the
    /// response is written. Use `()` for nothing, [`RequestSummary`] for method and URI, or a custom type.
    type Remembered: Send + 'static;

    /// Reads the data that the response will need from the head of a request.
    ///
    /// Keep this method cheap: the layer may call it for requests that are accepted later. It may skip the call
    /// for gRPC requests. `Authorization` is already marked as sensitive.
    fn remember(&self, head: &Parts) -> Self::Remembered;

    /// What [`remember`](Self::remember) returns, if that is the same for all requests: then the layer need not call it.
    #[doc(hidden)]
    #[inline]
    fn remembered_of_all(&self) -> Option<Self::Remembered> {
        None
    }

    /// Writes the response to one refused request, from the rejection and the remembered data.
    fn response_for_rejection(
        &self,
        rejection: &Rejection,
        request: &Self::Remembered,
    ) -> Response<B>;

    /// An empty body, for the refusals of gRPC requests.
    fn empty_body(&self) -> B;
}

/// The default responder, which writes the status and an empty body. The layer adds the challenge. The type of the
/// response body must be `Default`.
///
/// # Example: a login page for one path
///
/// ```
/// use http::{Response, request::Parts};
/// use tower_jwt_auth::{EmptyBody, Rejection, RequestSummary, ResponseForRejection};
///
/// struct LoginPage;
///
/// impl ResponseForRejection<String> for LoginPage {
///     type Remembered = RequestSummary;
///
///     fn remember(&self, head: &Parts) -> RequestSummary {
///         RequestSummary::from(head)
///     }
///
///     fn response_for_rejection(
///         &self,
///         rejection: &Rejection,
///         request: &RequestSummary,
///     ) -> Response<String> {
///         match request.path() {
///             "/" => Response::builder().status(401).body("log in".into()).unwrap_or_default(),
///             _ => EmptyBody.response_for_rejection(rejection, &()),
///         }
///     }
///
///     fn empty_body(&self) -> String {
///         String::new()
///     }
/// }
///
/// let (head, ()) = http::Request::get("/orders").body(()).unwrap().into_parts();
/// let request = LoginPage.remember(&head);
/// let response = LoginPage.response_for_rejection(&Rejection::invalid_token(), &request);
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.body(), "");
/// ```
#[allow(clippy::exhaustive_structs, reason = "there is nothing to add")]
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBody;

// Without this the compiler's message would only name the missing `Default`, not the solution.
#[diagnostic::do_not_recommend]
impl<B: Default> ResponseForRejection<B> for EmptyBody {
    type Remembered = ();

    fn remember(&self, _: &Parts) {}

    #[inline]
    fn remembered_of_all(&self) -> Option<()> {
        Some(())
    }

    fn response_for_rejection(&self, rejection: &Rejection, (): &()) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = rejection.status();
        response
    }

    fn empty_body(&self) -> B {
        B::default()
    }
}

/// A responder that writes problem details (RFC 9457): `application/problem+json` with `title` (the name of the
/// status), `status`, `detail` (the [description](Rejection::description)), and the OAuth error code as `error` if
/// there is one. The response body must be `From<Bytes>`. Give it to
/// [`JwtAuthLayer::with_rejection_response`](crate::JwtAuthLayer::with_rejection_response).
///
/// # Example: the members of the body
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use tower_jwt_auth::{ProblemJson, Rejection, ResponseForRejection};
///
/// let response: Response<Bytes> =
///     ProblemJson::new().response_for_rejection(&Rejection::invalid_token(), &());
/// let problem: serde_json::Value = serde_json::from_slice(response.body())?;
/// assert_eq!(problem["status"], 401);
/// assert_eq!(problem["error"], "invalid_token");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct ProblemJson {}

impl ProblemJson {
    /// Creates the responder. It has no settings.
    pub fn new() -> Self {
        Self::default()
    }
}

#[diagnostic::do_not_recommend]
impl<B: From<Bytes>> ResponseForRejection<B> for ProblemJson {
    type Remembered = ();

    fn remember(&self, _: &Parts) {}

    #[inline]
    fn remembered_of_all(&self) -> Option<()> {
        Some(())
    }

    fn response_for_rejection(&self, rejection: &Rejection, (): &()) -> Response<B> {
        let status = rejection.status();
        let mut problem = serde_json::json!({
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": rejection.description(),
        });
        if let (Some(error), Some(members)) = (rejection.error_code(), problem.as_object_mut()) {
            members.insert("error".into(), error.into());
        }
        let mut response = Response::new(B::from(Bytes::from(problem.to_string())));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }

    fn empty_body(&self) -> B {
        B::from(Bytes::new())
    }
}

/// A responder from a closure, made by
/// [`JwtAuthLayer::with_rejection_fn`](crate::JwtAuthLayer::with_rejection_fn).
///
/// # Example: name the type of a layer
///
/// ```
/// use http::Response;
/// use tower_jwt_auth::{
///     JwtAuthLayer, JwtVerifier, RegisteredClaims, Rejection, RejectionFn, RequestSummary,
/// };
///
/// type Respond = fn(&Rejection, &RequestSummary) -> Response<String>;
///
/// fn respond(rejection: &Rejection, _: &RequestSummary) -> Response<String> {
///     Response::new(rejection.to_string())
/// }
/// fn layer(verifier: JwtVerifier) -> JwtAuthLayer<RegisteredClaims, RejectionFn<Respond>> {
///     JwtAuthLayer::new(verifier).with_rejection_fn(respond as Respond)
/// }
/// ```
#[derive(Clone)]
pub struct RejectionFn<F>(pub(crate) F);

impl<F> fmt::Debug for RejectionFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectionFn").finish_non_exhaustive()
    }
}

#[diagnostic::do_not_recommend]
impl<B, F> ResponseForRejection<B> for RejectionFn<F>
where
    B: Default,
    F: Fn(&Rejection, &RequestSummary) -> Response<B> + Send + Sync + 'static,
{
    type Remembered = RequestSummary;

    #[inline(always)]
    fn remember(&self, head: &Parts) -> RequestSummary {
        RequestSummary::from(head)
    }

    fn response_for_rejection(
        &self,
        rejection: &Rejection,
        request: &RequestSummary,
    ) -> Response<B> {
        (self.0)(rejection, request)
    }

    fn empty_body(&self) -> B {
        B::default()
    }
}
