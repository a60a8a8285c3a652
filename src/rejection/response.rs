//! The refusal over HTTP.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};

use crate::Rejection;
use crate::rejection::challenge::Challenges;

/// Writes the response of a refused HTTP request.
///
/// Whatever it answers, the layer adds `WWW-Authenticate`, `Cache-Control: no-store` and
/// `Retry-After` where they belong and are absent, replaces a status that would tell the client
/// that all is well (1xx and 2xx), and puts the [`Rejection`] into the response's extensions. gRPC
/// refusals never come here.
///
/// Provided are [`EmptyBody`] (the default), [`ProblemJson`], and closures
/// ([`JwtAuthLayer::with_rejection_fn`](crate::JwtAuthLayer::with_rejection_fn)).
///
/// # Example: plain text
///
/// ```
/// use http::{Response, request::Parts};
/// use tower_jwt_auth::{Rejection, ResponseForRejection};
///
/// #[derive(Clone)]
/// struct PlainText;
///
/// impl<B: From<String>> ResponseForRejection<B> for PlainText {
///     fn response_for_rejection(&self, rejection: &Rejection, _: &Parts) -> Response<B> {
///         let mut response = Response::new(B::from(rejection.to_string()));
///         *response.status_mut() = rejection.status();
///         response
///     }
/// }
/// # let _ = PlainText;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer a refusal with a body of type `{B}`",
    label = "cannot write a response with this body",
    note = "`EmptyBody` wants `B: Default` and `ProblemJson` wants `B: From<Bytes>`; a closure is \
            set by `with_rejection_fn`, and for another body write a responder of your own"
)]
pub trait ResponseForRejection<B> {
    /// The response to a request with this head.
    fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<B>;
}

/// Answers with the status and the challenge, and an empty body: the default.
///
/// # Example: from one's own responder, for all but one path
///
/// ```
/// use http::{Response, request::Parts};
/// use tower_jwt_auth::{EmptyBody, Rejection, ResponseForRejection};
///
/// struct LoginPage;
///
/// impl ResponseForRejection<String> for LoginPage {
///     fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<String> {
///         match head.uri.path() {
///             "/" => Response::builder().status(401).body("log in".into()).unwrap_or_default(),
///             _ => EmptyBody.response_for_rejection(rejection, head),
///         }
///     }
/// }
///
/// let (head, ()) = http::Request::get("/orders").body(()).unwrap().into_parts();
/// let response = LoginPage.response_for_rejection(&Rejection::invalid_token(), &head);
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.body(), "");
/// ```
#[allow(clippy::exhaustive_structs, reason = "there is nothing to add")]
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBody;

impl<B: Default> ResponseForRejection<B> for EmptyBody {
    fn response_for_rejection(&self, rejection: &Rejection, _: &Parts) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = rejection.status();
        response
    }
}

/// Answers with problem details (RFC 9457): `application/problem+json` with `title`, `status`,
/// `detail`, and, where there is one, the OAuth code as `error`.
///
/// # Example: what it writes
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use tower_jwt_auth::{ProblemJson, Rejection, ResponseForRejection};
///
/// let (head, ()) = http::Request::new(()).into_parts();
/// let response: Response<Bytes> =
///     ProblemJson.response_for_rejection(&Rejection::invalid_token(), &head);
/// let problem: serde_json::Value = serde_json::from_slice(response.body())?;
/// assert_eq!(problem["status"], 401);
/// assert_eq!(problem["error"], "invalid_token");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[allow(clippy::exhaustive_structs, reason = "there is nothing to add")]
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemJson;

impl<B: From<Bytes>> ResponseForRejection<B> for ProblemJson {
    fn response_for_rejection(&self, rejection: &Rejection, _: &Parts) -> Response<B> {
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
}

/// A closure as responder; made by
/// [`JwtAuthLayer::with_rejection_fn`](crate::JwtAuthLayer::with_rejection_fn).
///
/// # Example: its name, for a function
///
/// ```
/// use http::{Response, request::Parts};
/// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, RegisteredClaims, Rejection, RejectionFn};
///
/// type Respond = fn(&Rejection, &Parts) -> Response<String>;
///
/// fn respond(rejection: &Rejection, _: &Parts) -> Response<String> {
///     Response::new(rejection.to_string())
/// }
/// fn layer(verifier: JwtVerifier) -> JwtAuthLayer<RegisteredClaims, RejectionFn<Respond>> {
///     JwtAuthLayer::new(verifier).with_rejection_fn(respond as Respond)
/// }
/// ```
#[derive(Clone)]
pub struct RejectionFn<F>(pub(crate) F);

impl<F> std::fmt::Debug for RejectionFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectionFn").finish_non_exhaustive()
    }
}

impl<B, F: Fn(&Rejection, &Parts) -> Response<B>> ResponseForRejection<B> for RejectionFn<F> {
    fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<B> {
        (self.0)(rejection, head)
    }
}

/// The responder's answer, made into a correct one.
pub(crate) fn http_response<B, R: ResponseForRejection<B>>(
    rejection: Rejection,
    head: &Parts,
    responder: &R,
    challenges: &Challenges,
) -> Response<B> {
    let mut response = responder.response_for_rejection(&rejection, head);
    let status = response.status();
    if status.is_informational() || status.is_success() {
        *response.status_mut() = rejection.status();
    }
    complete_headers(response.headers_mut(), &rejection, challenges);
    response.extensions_mut().insert(rejection);
    response
}

/// Adds what every refusal carries, where it is absent.
pub(crate) fn complete_headers(
    headers: &mut HeaderMap,
    rejection: &Rejection,
    challenges: &Challenges,
) {
    if !headers.contains_key(WWW_AUTHENTICATE)
        && let Some(challenge) = challenges.challenge(rejection)
    {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    headers.entry(CACHE_CONTROL).or_insert(const { HeaderValue::from_static("no-store") });
    if let Some(seconds) = rejection.retry_after() {
        headers.entry(RETRY_AFTER).or_insert_with(|| HeaderValue::from(seconds));
    }
}
