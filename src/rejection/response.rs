//! The answer to a refused request: over gRPC to gRPC, and over HTTP to all others.

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};

use crate::rejection::challenge::Challenges;
use crate::rejection::grpc::{GrpcAnswers, MediaType};
use crate::rejection::responder::ResponseForRejection;
use crate::rejection::{Rejection, challenge, grpc};

/// What is kept of a request, so that a refusal can be written when its head is gone. For a responder that
/// remembers nothing it costs no allocation.
pub(crate) enum Asked<M> {
    /// gRPC, in this form.
    Grpc(MediaType),
    /// Plain HTTP, with what the responder remembers.
    Http(M),
}

impl<M> Asked<M> {
    pub(crate) fn new<B, R>(head: &Parts, answers: GrpcAnswers, responder: &R) -> Self
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        match grpc::media_type(head, answers) {
            Some(media_type) => Self::Grpc(media_type),
            None => Self::Http(responder.remember(head)),
        }
    }

    /// The answer to this request.
    pub(crate) fn refuse<B, R>(
        self,
        rejection: Rejection,
        responder: &R,
        challenges: &Challenges,
    ) -> Response<B>
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        let mut response = match self {
            Self::Grpc(media_type) => {
                grpc::response(&rejection, media_type, responder.empty_body())
            }
            Self::Http(request) => {
                let mut response = responder.response_for_rejection(&rejection, &request);
                let status = response.status();
                if status.is_informational() || status.is_success() {
                    *response.status_mut() = rejection.status();
                }
                response
            }
        };
        complete_headers(response.headers_mut(), &rejection, challenges);
        response.extensions_mut().insert(rejection);
        response
    }
}

/// In the extensions of a response: a refusal that the outermost authentication layer writes. A refusal that
/// is written has only the [`Rejection`].
#[derive(Clone)]
pub(crate) struct Unwritten(pub(crate) Rejection);

/// The refusal of a part below an authentication layer, which writes it on the way out. Where there is no
/// layer, it is complete: the status and the challenge of the default realm.
#[allow(dead_code, reason = "used by the parts below a layer")]
pub(crate) fn unwritten<B>(rejection: Rejection, challenges: &Challenges, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = rejection.status();
    complete_headers(response.headers_mut(), &rejection, challenges);
    response.extensions_mut().insert(rejection.clone());
    response.extensions_mut().insert(Unwritten(rejection));
    response
}

/// Adds what every refusal carries, where it is absent.
pub(crate) fn complete_headers(
    headers: &mut HeaderMap,
    rejection: &Rejection,
    challenges: &Challenges,
) {
    add_own_headers(headers, rejection);
    let has_bearer =
        headers.get_all(WWW_AUTHENTICATE).iter().any(|it| challenge::names_bearer(it.as_bytes()));
    if !has_bearer && let Some(challenge) = challenges.challenge(rejection) {
        append(headers, &WWW_AUTHENTICATE, challenge);
    }
    headers.entry(CACHE_CONTROL).or_insert(const { HeaderValue::from_static("no-store") });
    if let Some(seconds) = rejection.retry_after_seconds() {
        headers.entry(RETRY_AFTER).or_insert_with(|| HeaderValue::from(seconds));
    }
}

/// The fields of the rejection that the response lacks; challenges stand beside each other.
fn add_own_headers(headers: &mut HeaderMap, rejection: &Rejection) {
    let Some(own) = rejection.headers() else { return };
    for name in own.keys() {
        if name == WWW_AUTHENTICATE || !headers.contains_key(name) {
            for value in own.get_all(name) {
                append(headers, name, value.clone());
            }
        }
    }
}

/// A map that is full (32,768 fields) stays as it is.
fn append(headers: &mut HeaderMap, name: &http::HeaderName, value: HeaderValue) {
    let _ = headers.try_append(name, value);
}
