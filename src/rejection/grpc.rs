//! The refusal over gRPC and gRPC-Web: HTTP 200 and a trailers-only response, whose status is in the headers
//! (gRPC over HTTP/2, "Responses").

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, TE, WWW_AUTHENTICATE};
#[cfg(feature = "stream-expiry")]
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use crate::rejection::error_info::ErrorInfos;
use crate::rejection::{MAX_DESCRIPTION, Rejection};

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(super) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(super) const GRPC_STATUS_DETAILS: HeaderName =
    HeaderName::from_static("grpc-status-details-bin");
pub(super) const GRPC_RETRY_PUSHBACK: HeaderName =
    HeaderName::from_static("grpc-retry-pushback-ms");

/// The most bytes of the header of a refusal, as HTTP/2 counts them (RFC 9113 section 6.5.2). By default clients accept
/// 8 KiB; 256 bytes are left for the fields of the server.
const MAX_METADATA: usize = 8 * 1024 - 256;

/// The longest name of a media type: two names of 127 characters and the slash (RFC 6838 section 4.2).
const MAX_MEDIA_TYPE: usize = 255;

/// Which requests get a gRPC response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcAnswers {
    Never,
    Grpc,
    GrpcAndWeb,
}

/// The gRPC form of a layer: who gets a gRPC response, and what is in it.
#[derive(Clone)]
pub(crate) struct GrpcForm {
    pub(crate) answers: GrpcAnswers,
    pub(crate) error_infos: Option<Arc<ErrorInfos>>,
}

impl Default for GrpcForm {
    fn default() -> Self {
        Self { answers: GrpcAnswers::Grpc, error_infos: None }
    }
}

impl GrpcForm {
    /// Adds the fields that only a gRPC response has.
    pub(super) fn complete_headers(&self, headers: &mut HeaderMap, rejection: &Rejection) {
        if let Some(error_infos) = &self.error_infos {
            error_infos.add_to(headers, rejection);
        }
        add_pushback(headers, rejection);
    }
}

/// Makes the header of a refusal small enough for clients, as far as its own fields allow: a client drops the whole
/// header if it is too large, also the status.
pub(super) fn fit_to_clients(headers: &mut HeaderMap) {
    for name in [GRPC_STATUS_DETAILS, WWW_AUTHENTICATE, GRPC_MESSAGE] {
        if size(headers) <= MAX_METADATA {
            break;
        }
        headers.remove(name);
    }
}

/// The media type of a gRPC response. The usual ones are not copied.
pub(crate) struct MediaType(Cow<'static, str>);

impl MediaType {
    const USUAL: [&'static str; 7] = [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
    ];

    fn new(media_type: &[u8]) -> Option<Self> {
        let is_it = |usual: &&&str| usual.as_bytes() == media_type;
        Some(Self(match Self::USUAL.iter().find(is_it) {
            Some(usual) => Cow::Borrowed(*usual),
            None => Cow::Owned(String::from(str::from_utf8(media_type).ok()?)),
        }))
    }

    fn header_value(self) -> Option<HeaderValue> {
        match self.0 {
            Cow::Borrowed(usual) => Some(HeaderValue::from_static(usual)),
            Cow::Owned(other) => HeaderValue::try_from(other).ok(),
        }
    }
}

/// The media type of the response, if the request gets a gRPC response.
///
/// The test is strict, since the response is an HTTP 200. The request must be a POST with exactly one
/// `content-type`:
///
/// - gRPC: `application/grpc` or `application/grpc+X`, together with `te: trailers`.
/// - gRPC-Web, if the layer supports it: `application/grpc-web` or `application/grpc-web-text`, also with `+X`.
///
/// The version of HTTP is not checked: behind a gRPC-Web translator it is 1.1.
#[inline]
pub(crate) fn media_type(
    method: &Method,
    headers: &HeaderMap,
    answers: GrpcAnswers,
) -> Option<MediaType> {
    let may_be_grpc = answers != GrpcAnswers::Never && *method == Method::POST;
    if may_be_grpc { media_type_of_post(headers, answers) } else { None }
}

fn media_type_of_post(headers: &HeaderMap, answers: GrpcAnswers) -> Option<MediaType> {
    let media_type = without_parameters(single(headers, &CONTENT_TYPE)?)?;
    let is_grpc = match family(media_type)? {
        Family::Grpc => single(headers, &TE)?.eq_ignore_ascii_case(b"trailers"),
        Family::GrpcWeb | Family::GrpcWebText => answers == GrpcAnswers::GrpcAndWeb,
    };
    is_grpc.then(|| MediaType::new(media_type)).flatten()
}

/// The media type of a content type; `None` if it is too long to be one.
fn without_parameters(content_type: &[u8]) -> Option<&[u8]> {
    let media_type = match memchr::memchr(b';', content_type) {
        Some(end) => content_type.get(..end)?,
        None => content_type,
    };
    (media_type.len() <= MAX_MEDIA_TYPE).then(|| media_type.trim_ascii())
}

/// The family of a request, by the same test as for its refusal.
#[cfg(feature = "stream-expiry")]
pub(crate) fn family_of_request(head: &Parts) -> Option<Family> {
    family(media_type(&head.method, &head.headers, GrpcAnswers::GrpcAndWeb)?.0.as_bytes())
}

/// The family of a response, by its content type.
#[cfg(feature = "stream-expiry")]
pub(crate) fn family_of_content_type(content_type: &[u8]) -> Option<Family> {
    family(without_parameters(content_type)?)
}

/// The value of a header field that occurs exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Grpc,
    GrpcWeb,
    /// gRPC-Web in base64.
    GrpcWebText,
}

fn family(media_type: &[u8]) -> Option<Family> {
    let base = match media_type.iter().position(|&byte| byte == b'+') {
        Some(plus) => {
            let (base, suffix) = media_type.split_at_checked(plus)?;
            let name = suffix.get(1..)?;
            let is_name = |o: &u8| o.is_ascii_alphanumeric() || b"-._".contains(o);
            if name.is_empty() || !name.iter().all(is_name) {
                return None;
            }
            base
        }
        None => media_type,
    };
    let is = |name: &str| base.eq_ignore_ascii_case(name.as_bytes());
    if is("application/grpc") {
        Some(Family::Grpc)
    } else if is("application/grpc-web") {
        Some(Family::GrpcWeb)
    } else if is("application/grpc-web-text") {
        Some(Family::GrpcWebText)
    } else {
        None
    }
}

/// The trailers-only response.
pub(crate) fn response<B>(
    rejection: &Rejection,
    media_type: MediaType,
    empty_body: B,
) -> Response<B> {
    let mut response = Response::new(empty_body);
    let headers = response.headers_mut();
    if let Some(media_type) = media_type.header_value() {
        headers.insert(CONTENT_TYPE, media_type);
    }
    add_status(headers, rejection);
    response
}

/// The trailers that end a stream.
#[cfg(feature = "stream-expiry")]
pub(crate) fn trailers(rejection: &Rejection, error_infos: Option<&ErrorInfos>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    add_status(&mut trailers, rejection);
    if let Some(error_infos) = error_infos {
        error_infos.add_to(&mut trailers, rejection);
    }
    trailers
}

fn add_status(headers: &mut HeaderMap, rejection: &Rejection) {
    headers.insert(GRPC_STATUS, HeaderValue::from(rejection.grpc_status()));
    if let Ok(message) = HeaderValue::try_from(percent_encode(&message(rejection))) {
        headers.insert(GRPC_MESSAGE, message);
    }
}

/// The message of the status, before it is encoded.
pub(super) fn message(rejection: &Rejection) -> String {
    rejection.description().chars().take(MAX_DESCRIPTION).collect()
}

/// Adds the time after which a client with a retry policy may try again, in milliseconds (gRPC A6, "Pushback").
fn add_pushback(headers: &mut HeaderMap, rejection: &Rejection) {
    if let Some(seconds) = rejection.retry_after_seconds()
        && !headers.contains_key(GRPC_RETRY_PUSHBACK)
    {
        let wait = i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX);
        // If the map is full (32,768 fields), the field is left out.
        let _ = headers.try_append(GRPC_RETRY_PUSHBACK, wait.into());
    }
}

/// The size of a header, as HTTP/2 counts it.
fn size(headers: &HeaderMap) -> usize {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len().saturating_add(value.len()).saturating_add(32));
    sizes.fold(0, usize::saturating_add)
}

/// The encoding of `grpc-message`: `%x20-24 / %x26-7E` are not encoded.
fn percent_encode(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => {
                // Writing into a `String` cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            byte => encoded.push(char::from(byte)),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encode("the token has expired"), "the token has expired");
        assert_eq!(percent_encode("100 % ü\n"), "100 %25 %C3%BC%0A");
    }

    #[test]
    fn usual_media_types_are_not_copied() {
        for usual in MediaType::USUAL {
            assert!(family(usual.as_bytes()).is_some());
            assert!(matches!(MediaType::new(usual.as_bytes()), Some(MediaType(Cow::Borrowed(_)))));
        }
        let other = MediaType::new(b"application/grpc+x").unwrap();
        assert!(matches!(other.0, Cow::Owned(_)));
        assert_eq!(other.header_value().unwrap(), "application/grpc+x");
    }

    #[test]
    fn only_grpc_is_grpc() {
        for yes in ["application/grpc", "application/grpc+proto", "APPLICATION/GRPC+json"] {
            assert!(matches!(family(yes.as_bytes()), Some(Family::Grpc)), "{yes}");
        }
        for yes in ["application/grpc-web", "application/grpc-web+proto"] {
            assert!(matches!(family(yes.as_bytes()), Some(Family::GrpcWeb)), "{yes}");
            let text = yes.replace("-web", "-web-text");
            assert!(matches!(family(text.as_bytes()), Some(Family::GrpcWebText)), "{text}");
        }
        for no in [
            "",
            "application/grpcx",
            "application/grpc+",
            "application/grpc+a b",
            "application/grpc-web-",
            "application/grpc-webtext",
            "application/grpc-",
            "application/grpc/x",
            "text/grpc",
            "application/json+grpc",
            "application/grpc,",
        ] {
            assert!(family(no.as_bytes()).is_none(), "{no}");
        }
    }
}
