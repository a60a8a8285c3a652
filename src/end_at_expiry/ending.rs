//! The end of a body, in the form that its reader understands.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use base64_simd::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body::Frame;

use crate::end_at_expiry::messages::Messages;
use crate::rejection::Rejection;
use crate::rejection::error_info::ErrorInfos;
use crate::rejection::grpc::{self, Family};

/// The flag of a frame with trailers (gRPC-Web, "Message framing").
const TRAILERS: u8 = 0x80;

pub(super) type BodyError = Box<dyn Error + Send + Sync>;

/// The form that a client understands, as its request shows.
pub(super) struct Understood {
    family: Option<Family>,
    error_infos: Option<Arc<ErrorInfos>>,
}

impl Understood {
    pub(super) fn by_sender(head: &Parts, error_infos: Option<Arc<ErrorInfos>>) -> Self {
        Self { family: grpc::family_of_request(head), error_infos }
    }
}

/// What to do with a frame of the inner body.
pub(super) enum Next {
    Pass,
    /// Send this data in its place, and then end.
    Cut(Bytes),
    End,
}

/// How the body of a response ends.
pub(super) struct Ending {
    /// `None` for HTTP.
    family: Option<Family>,
    /// Whether the header has the length of the body, so that nothing can be added.
    has_length: bool,
    messages: Messages,
    /// Whether a frame of data was sent.
    has_begun: bool,
    error_infos: Option<Arc<ErrorInfos>>,
}

impl Ending {
    /// The ending of a response with this header. A response is gRPC only if its request was: an uploaded file may have
    /// any content type.
    pub(super) fn of_response(understood: Understood, headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        let family = content_type.and_then(grpc::family_of_content_type);
        let is_grpc = |family| family == Family::Grpc;
        let family = family
            .filter(|it| understood.family.is_some_and(|asked| is_grpc(asked) == is_grpc(*it)));
        let messages = match family {
            None | Some(Family::Grpc) => Messages::default(),
            Some(Family::GrpcWeb | Family::GrpcWebText) => Messages::with_trailers(TRAILERS),
        };
        let has_length = headers.contains_key(CONTENT_LENGTH);
        let error_infos = understood.error_infos;
        Self { family, has_length, messages, has_begun: false, error_infos }
    }

    /// Whether the body can be longer than the inner body.
    pub(super) fn adds_to_the_body(&self) -> bool {
        self.family.is_some() && !self.has_length
    }

    /// Reads a frame of data, and decides about it. What is late is sent if it belongs to a call of one message, so
    /// that the client does not repeat a call that was executed. Over HTTP, the first frame is sent.
    pub(super) fn admit(&mut self, data: &Bytes, is_late: impl FnOnce() -> bool) -> Next {
        let read = match self.family {
            None => None,
            Some(Family::Grpc | Family::GrpcWeb) => Some(Cow::Borrowed(&**data)),
            // If the data is not whole groups of four characters, the end of a message could be anywhere.
            Some(Family::GrpcWebText) => STANDARD.decode_to_vec(data).ok().map(Cow::Owned),
        };
        let end = match &read {
            Some(read) => self.messages.end_of_one_message(read),
            None => self.has_begun.then_some(0),
        };
        if let Some(end) = end
            && is_late()
        {
            return self.cut(data, read.as_deref().and_then(|read| read.get(..end)));
        }
        self.has_begun = true;
        match read {
            Some(read) => self.messages.follow(&read),
            None => self.messages.get_lost(),
        }
        Next::Pass
    }

    /// Sends only this part of the data, as it was read.
    fn cut(&mut self, data: &Bytes, part: Option<&[u8]>) -> Next {
        let Some(part) = part.filter(|part| !part.is_empty()) else { return Next::End };
        self.messages.follow(part);
        if self.family == Some(Family::GrpcWebText) {
            return Next::Cut(STANDARD.encode_to_string(part).into());
        }
        let mut data = data.clone();
        data.truncate(part.len());
        Next::Cut(data)
    }

    /// Records that a frame of trailers was sent. Over gRPC, it has the status.
    pub(super) fn pass_trailers(&mut self) {
        if self.family == Some(Family::Grpc) {
            self.messages.end();
        }
    }

    /// The last frame; `None` if the response has sent its own status.
    pub(super) fn frame(&self, rejection: Rejection) -> Option<Result<Frame<Bytes>, BodyError>> {
        if self.messages.are_complete() {
            return None;
        }
        let trailers = || grpc::trailers(&rejection, self.error_infos.as_deref());
        Some(match self.family {
            Some(Family::Grpc) if !self.has_length => Ok(Frame::trailers(trailers())),
            Some(Family::GrpcWeb) if self.has_room() => {
                Ok(Frame::data(trailers_frame(&trailers()).into()))
            }
            Some(Family::GrpcWebText) if self.has_room() => {
                let frame = trailers_frame(&trailers());
                Ok(Frame::data(STANDARD.encode_to_string(frame).into()))
            }
            // The client must not take what was sent for the whole.
            _ => Err(rejection.into()),
        })
    }

    /// Whether a frame can follow. Within a message, the client would read it as a part of the message.
    fn has_room(&self) -> bool {
        !self.has_length && self.messages.are_whole()
    }
}

/// Trailers as a frame of the data: in HTTP/1.1 form, with names in lower case.
fn trailers_frame(trailers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    let length = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    [&[TRAILERS][..], &length.to_be_bytes(), &lines].concat()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::rejection::RejectionKind;

    /// A message of 3 bytes, and a part of the next one.
    const BYTES: &[u8] = &[0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0];
    const WHOLE: usize = 8;

    fn ending(asked: Family, content_type: &'static str) -> Ending {
        let content_type = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        let understood = Understood { family: Some(asked), error_infos: None };
        Ending::of_response(understood, &headers)
    }

    fn follow(ending: &mut Ending, data: &[u8]) {
        assert!(matches!(ending.admit(&Bytes::copy_from_slice(data), || false), Next::Pass));
    }

    fn end(ending: &Ending) -> Result<Frame<Bytes>, BodyError> {
        ending.frame(RejectionKind::ExpiredToken.into()).unwrap()
    }

    #[test]
    fn status_within_a_message_is_an_error() {
        for (content_type, is_text) in
            [("application/grpc-web", false), ("application/grpc-web-text", true)]
        {
            // A client may send one form and accept the other one.
            let mut ending = ending(Family::GrpcWeb, content_type);
            let send = |bytes: &[u8]| match is_text {
                false => bytes.to_vec(),
                true => STANDARD.encode_to_string(bytes).into_bytes(),
            };
            follow(&mut ending, &send(&BYTES[..WHOLE]));
            assert!(end(&ending).is_ok_and(|frame| frame.is_data()));
            follow(&mut ending, &send(&BYTES[WHOLE..]));
            assert_eq!(end(&ending).unwrap_err().to_string(), "the token has expired");
        }
    }

    #[test]
    fn text_that_is_not_in_whole_groups_has_no_status() {
        let mut ending = ending(Family::GrpcWebText, "application/grpc-web-text");
        let text = STANDARD.encode_to_string(&BYTES[..WHOLE]);
        let (first, second) = text.as_bytes().split_at(5);
        follow(&mut ending, first);
        follow(&mut ending, second);
        assert!(end(&ending).is_err());
    }

    #[test]
    fn trailers_after_text_that_is_not_in_whole_groups_are_not_a_status() {
        let mut ending = ending(Family::GrpcWebText, "application/grpc-web-text");
        follow(&mut ending, b"AAAAA");
        follow(
            &mut ending,
            STANDARD.encode_to_string(trailers_frame(&HeaderMap::new())).as_bytes(),
        );
        assert!(end(&ending).is_err());
    }

    #[test]
    fn trailers_in_the_data_have_a_flag_and_a_length() {
        let frame = end(&ending(Family::GrpcWeb, "application/grpc-web")).unwrap();
        let frame = frame.into_data().unwrap();
        let lines = "grpc-status:16\r\ngrpc-message:the token has expired\r\n";
        assert_eq!(frame[..5], [0x80, 0, 0, 0, u8::try_from(lines.len()).unwrap()]);
        assert_eq!(&frame[5..], lines.as_bytes());
    }

    #[test]
    fn grpc_is_not_mixed_with_grpc_web() {
        for (asked, content_type) in [
            (Family::Grpc, "application/grpc-web"),
            (Family::GrpcWeb, "application/grpc"),
            (Family::GrpcWebText, "application/grpc+proto"),
        ] {
            let ending = ending(asked, content_type);
            assert!(end(&ending).is_err() && !ending.adds_to_the_body(), "{content_type}");
        }
    }
}
