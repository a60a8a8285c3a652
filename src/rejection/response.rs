//! The response to a refused request: gRPC for a gRPC request, HTTP for all others.

use std::mem;

use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, LAST_MODIFIED, RETRY_AFTER, TRAILER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::rejection::challenge::Challenges;
use crate::rejection::grpc::{GrpcAnswers, MediaType};
use crate::rejection::responder::ResponseForRejection;
use crate::rejection::{Rejection, challenge, grpc};

/// What is kept of a request, so that a refusal can be written after its head was consumed. For a responder
/// that remembers nothing it costs no allocation.
pub(crate) enum Asked<M> {
    /// gRPC, with this `content-type`.
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

    /// The response that refuses this request.
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

/// Marks a response, in its extensions, whose refusal an authentication layer still has to write. A response
/// that is written carries only the [`Rejection`].
#[derive(Clone)]
struct Unwritten(Rejection);

/// The refusal of a service inside of an authentication layer, which replaces this response. Without a layer
/// the response is complete too: the status, and the challenge with the default realm.
pub(crate) fn unwritten<B>(rejection: Rejection, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = rejection.status();
    complete_headers(response.headers_mut(), &rejection, &Challenges::default_realm());
    response.extensions_mut().insert(rejection.clone());
    response.extensions_mut().insert(Unwritten(rejection));
    response
}

/// The refusal in a response that still has to be written; `None` for any other response. If a service in
/// between changed the status, it replaced the refusal by something else, such as a redirect: also `None`.
pub(crate) fn asks_for<B>(response: &Response<B>) -> Option<Rejection> {
    if response.extensions().is_empty() {
        return None;
    }
    if let Some(Unwritten(rejection)) = response.extensions().get() {
        return (response.status() == rejection.status()).then(|| rejection.clone());
    }
    #[cfg(feature = "tonic-0_14")]
    {
        crate::rejection::tonic_0_14::rejection_of(response.extensions().get()?)
    }
    #[cfg(not(feature = "tonic-0_14"))]
    None
}

/// Copies to the written refusal what services in between added to the replaced response: extensions, and
/// header fields such as `set-cookie` or those of CORS.
pub(crate) fn keep_what_was_added<B>(written: &mut Response<B>, replaced: Response<B>) {
    let (mut replaced, _) = replaced.into_parts();
    replaced.extensions.remove::<Unwritten>();
    replaced.extensions.extend(mem::take(written.extensions_mut()));
    *written.extensions_mut() = replaced.extensions;
    for name in OF_THE_ANSWER {
        replaced.headers.remove(name);
    }
    for name in written.headers().keys() {
        replaced.headers.remove(name);
    }
    for name in replaced.headers.keys() {
        for value in replaced.headers.get_all(name) {
            append(written.headers_mut(), name, value.clone());
        }
    }
}

/// Header fields that describe the replaced response or its body.
const OF_THE_ANSWER: [HeaderName; 14] = [
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    RETRY_AFTER,
    TRAILER,
    TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
    grpc::GRPC_STATUS,
    grpc::GRPC_MESSAGE,
];

/// Adds the header fields of every refusal that the response lacks.
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

/// Adds the fields of [`Rejection::with_header`] that the response lacks; challenges are always added.
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

/// A full map (32,768 fields) does not take the field.
fn append(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    let _ = headers.try_append(name, value);
}
