//! The response to a refused request: gRPC for a gRPC request, HTTP for all others.

use std::mem;

#[cfg(feature = "token-cache")]
use http::Method;
use http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, LINK, RETRY_AFTER, SET_COOKIE, VARY,
    WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::rejection::challenge::Challenges;
use crate::rejection::grpc::{GrpcAnswers, GrpcForm, MediaType};
use crate::rejection::responder::ResponseForRejection;
#[cfg(feature = "tonic-0_14")]
use crate::rejection::tonic_0_14;
use crate::rejection::{Rejection, challenge, grpc};
use crate::scheme::TokenScheme;

/// The data of a request that is needed to write a refusal after the head of the request was consumed. It needs
/// no allocation if the responder remembers nothing.
pub(crate) enum Asked<M> {
    /// gRPC, with this `content-type`.
    Grpc(MediaType),
    /// Plain HTTP, with what the responder remembers.
    Http(M),
}

impl<M> Asked<M> {
    #[inline(always)]
    pub(crate) fn new<B, R>(head: &Parts, answers: GrpcAnswers, responder: &R) -> Self
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        match grpc::media_type(&head.method, &head.headers, answers) {
            Some(media_type) => Self::Grpc(media_type),
            None => Self::Http(responder.remember(head)),
        }
    }

    /// The same without the head of the request, of which the responder keeps this.
    #[cfg(feature = "token-cache")]
    #[inline(always)]
    pub(crate) fn keeping(
        method: &Method,
        headers: &HeaderMap,
        answers: GrpcAnswers,
        kept: M,
    ) -> Self {
        grpc::media_type(method, headers, answers).map_or(Self::Http(kept), Self::Grpc)
    }

    /// The response that refuses this request, whose client has `used` this scheme, if there is one to choose. Inlined,
    /// so that the data of a request is not moved to refuse it at once.
    #[inline(always)]
    pub(crate) fn refuse<B, R>(
        self,
        rejection: Rejection,
        responder: &R,
        challenges: &Challenges,
        grpc: &GrpcForm,
        used: Option<TokenScheme>,
    ) -> Response<B>
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        match self {
            Self::Grpc(media_type) => {
                refuse_grpc(rejection, responder.empty_body(), media_type, challenges, grpc, used)
            }
            Self::Http(request) => refuse_http(rejection, responder, &request, challenges, used),
        }
    }
}

/// The response that refuses a request over gRPC.
#[inline(never)]
fn refuse_grpc<B>(
    rejection: Rejection,
    empty_body: B,
    media_type: MediaType,
    challenges: &Challenges,
    grpc: &GrpcForm,
    used: Option<TokenScheme>,
) -> Response<B> {
    let mut response = grpc::response(&rejection, media_type, empty_body);
    complete_headers(response.headers_mut(), &rejection, challenges, used);
    grpc.complete_headers(response.headers_mut(), &rejection);
    grpc::fit_to_clients(response.headers_mut());
    response.extensions_mut().insert(rejection);
    response
}

/// The response that refuses a request over plain HTTP.
#[inline]
fn refuse_http<B, R: ResponseForRejection<B>>(
    rejection: Rejection,
    responder: &R,
    request: &R::Remembered,
    challenges: &Challenges,
    used: Option<TokenScheme>,
) -> Response<B> {
    let mut response = responder.response_for_rejection(&rejection, request);
    let status = response.status();
    if status.is_informational() || status.is_success() {
        *response.status_mut() = rejection.status();
    }
    complete_headers(response.headers_mut(), &rejection, challenges, used);
    let extensions = response.extensions_mut();
    match challenges.extensions(&rejection) {
        Some(complete) if extensions.is_empty() => *extensions = complete.clone(),
        _ => {
            extensions.insert(rejection);
        }
    }
    response
}

/// A refusal that an authentication layer still has to write. It is in the extensions of a response. The
/// extensions of a written response contain only the [`Rejection`].
#[derive(Clone)]
pub(crate) struct Unwritten {
    pub(crate) rejection: Rejection,
    /// Whether the refusal was logged.
    is_logged: bool,
    /// Whether the observers of an inner layer were called with the refusal.
    is_told: bool,
}

impl Unwritten {
    /// A refusal that was neither logged nor passed to an observer.
    pub(crate) fn new(rejection: Rejection) -> Self {
        Self { rejection, is_logged: false, is_told: false }
    }

    /// The refusal of an authentication layer that has already logged it.
    pub(crate) fn of_a_layer(rejection: Rejection, is_told: bool) -> Self {
        Self { rejection, is_logged: true, is_told }
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.is_logged
    }

    pub(crate) fn is_told(&self) -> bool {
        self.is_told
    }
}

/// A response with the refusal of a service inside of an authentication layer. The layer replaces this
/// response. Without a layer the response is complete too: the status, and the challenge with the default
/// realm.
pub(crate) fn unwritten<B>(rejection: Rejection, body: B) -> Response<B> {
    unwritten_response(Unwritten::new(rejection), body)
}

pub(crate) fn unwritten_response<B>(unwritten: Unwritten, body: B) -> Response<B> {
    let rejection = &unwritten.rejection;
    let mut response = Response::new(body);
    *response.status_mut() = rejection.status();
    complete_headers(response.headers_mut(), rejection, &Challenges::default_realm(), None);
    response.extensions_mut().insert(rejection.clone());
    response.extensions_mut().insert(unwritten);
    response
}

/// The refusal in a response that still has to be written; `None` for any other response. Also `None` if a
/// service in between changed the status: it has replaced the refusal with something else, such as a redirect.
#[inline]
pub(crate) fn asks_for<B>(response: &Response<B>) -> Option<Unwritten> {
    if response.extensions().is_empty() { None } else { unwritten_in(response) }
}

fn unwritten_in<B>(response: &Response<B>) -> Option<Unwritten> {
    if let Some(unwritten) = response.extensions().get::<Unwritten>() {
        let is_unchanged = response.status() == unwritten.rejection.status();
        return is_unchanged.then(|| unwritten.clone());
    }
    #[cfg(feature = "tonic-0_14")]
    {
        tonic_0_14::rejection_of(response).map(Unwritten::new)
    }
    #[cfg(not(feature = "tonic-0_14"))]
    None
}

/// Copies to the written refusal what services in between added to the replaced response: extensions, and
/// header fields such as `set-cookie` or those of CORS.
pub(crate) fn keep_what_was_added<B>(written: &mut Response<B>, replaced: Response<B>) {
    let (mut replaced, _) = replaced.into_parts();
    replaced.extensions.remove::<Unwritten>();
    // The source of this status would make an outer layer write the refusal again.
    #[cfg(feature = "tonic-0_14")]
    replaced.extensions.remove::<tonic::Status>();
    replaced.extensions.extend(mem::take(written.extensions_mut()));
    *written.extensions_mut() = replaced.extensions;

    let headers = written.headers_mut();
    let is_grpc = headers.contains_key(grpc::GRPC_STATUS);
    // Those of the application say more than those of the layer.
    if is_grpc && let Some(details) = replaced.headers.remove(grpc::GRPC_STATUS_DETAILS) {
        // If the map is full (32,768 fields), the field is left out.
        let _ = headers.try_insert(grpc::GRPC_STATUS_DETAILS, details);
    }
    for name in replaced.headers.keys() {
        let is_dropped = describes_the_response(name.as_str())
            || (!is_grpc && name.as_str().starts_with("grpc-"))
            || (headers.contains_key(name) && !is_list(name));
        if is_dropped {
            continue;
        }
        for value in replaced.headers.get_all(name) {
            let is_bearer =
                name == WWW_AUTHENTICATE && challenge::names(TokenScheme::Bearer, value.as_bytes());
            if !is_bearer && headers.get_all(name).iter().all(|there| there != value) {
                append(headers, name, value.clone());
            }
        }
    }
}

/// Makes the header of a refusal over gRPC small enough for clients, after fields were added to it. Other responses do
/// not change.
pub(crate) fn fit_to_clients<B>(response: &mut Response<B>) {
    let is_refusal = response.extensions().get::<Rejection>().is_some();
    if is_refusal && response.headers().contains_key(grpc::GRPC_STATUS) {
        grpc::fit_to_clients(response.headers_mut());
    }
}

/// Whether a field may have several values, from several services.
fn is_list(name: &HeaderName) -> bool {
    [SET_COOKIE, VARY, LINK, WWW_AUTHENTICATE, ACCESS_CONTROL_EXPOSE_HEADERS].contains(name)
}

/// Whether a header field describes the replaced response or its body.
fn describes_the_response(name: &str) -> bool {
    let of_the_body = name.starts_with("content-") && !name.starts_with("content-security-policy");
    of_the_body
        || matches!(
            name,
            "accept-ranges"
                | "age"
                | "cache-control"
                | "cdn-cache-control"
                | "digest"
                | "etag"
                | "expires"
                | "grpc-encoding"
                | "grpc-message"
                | "grpc-status"
                | "last-modified"
                | "repr-digest"
                | "retry-after"
                | "signature"
                | "signature-input"
                | "surrogate-control"
                | "trailer"
                | "transfer-encoding"
        )
}

/// Adds the header fields of every refusal that the response lacks.
pub(crate) fn complete_headers(
    headers: &mut HeaderMap,
    rejection: &Rejection,
    challenges: &Challenges,
    used: Option<TokenScheme>,
) {
    if headers.is_empty()
        && let Some(complete) = challenges.headers(rejection, used)
    {
        *headers = complete.clone();
        return;
    }
    add_own_headers(headers, rejection);
    for (scheme, challenge) in challenges.each(rejection, used) {
        let is_it = |value: &HeaderValue| challenge::names(scheme, value.as_bytes());
        if !headers.get_all(WWW_AUTHENTICATE).iter().any(is_it) {
            append(headers, &WWW_AUTHENTICATE, challenge);
        }
    }
    if !headers.contains_key(CACHE_CONTROL) {
        append(headers, &CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
    }
    if let Some(seconds) = rejection.retry_after_seconds()
        && !headers.contains_key(RETRY_AFTER)
    {
        append(headers, &RETRY_AFTER, HeaderValue::from(seconds));
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

/// Appends a header field. If the map is full (32,768 fields), the field is left out.
fn append(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    let _ = headers.try_append(name, value);
}
