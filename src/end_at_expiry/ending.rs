//! The end of a body, in the form that its reader understands.

use std::error::Error;

use base64_simd::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Frame;

use crate::rejection::grpc::{self, Family};
use crate::rejection::{Rejection, RejectionKind};

/// The flag of a frame with trailers, and the length of the flag and the size of a frame (gRPC-Web, "Message framing").
const TRAILERS: u8 = 0x80;
const PREFIX: usize = 5;

pub(super) type BodyError = Box<dyn Error + Send + Sync>;

/// How a body ends.
pub(super) enum Ending {
    /// With an error, so that what was sent is not taken for the whole.
    Error,
    /// With the status in trailers.
    Grpc,
    /// With the status in the last frame of the data.
    GrpcWeb { messages: Messages, is_text: bool },
}

impl Ending {
    /// The ending of a response with this header.
    pub(super) fn of_response(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        match content_type.and_then(grpc::family_of_content_type) {
            None => Self::Error,
            Some(Family::Grpc) => Self::Grpc,
            Some(Family::GrpcWeb) => {
                Self::GrpcWeb { messages: Messages::default(), is_text: false }
            }
            Some(Family::GrpcWebText) => {
                Self::GrpcWeb { messages: Messages::default(), is_text: true }
            }
        }
    }

    /// Whether more may follow than the inner body says.
    pub(super) fn adds_to_the_body(&self) -> bool {
        !matches!(self, Self::Error)
    }

    /// Reads what is sent.
    pub(super) fn follow(&mut self, data: &[u8]) {
        match self {
            Self::Error | Self::Grpc => {}
            Self::GrpcWeb { messages, is_text: false } => messages.follow(data),
            Self::GrpcWeb { messages, is_text: true } => match STANDARD.decode_to_vec(data) {
                Ok(data) => messages.follow(&data),
                // Not in whole groups of four characters: it could be anywhere.
                Err(_) => messages.get_lost(),
            },
        }
    }

    /// The last frame: the token has expired.
    pub(super) fn frame(&self) -> Result<Frame<Bytes>, BodyError> {
        let rejection = Rejection::from(RejectionKind::ExpiredToken);
        match self {
            Self::Grpc => Ok(Frame::trailers(grpc::trailers(&rejection))),
            Self::GrpcWeb { messages, is_text } if messages.are_whole() => {
                let frame = trailers_frame(&grpc::trailers(&rejection));
                Ok(Frame::data(match is_text {
                    false => frame.into(),
                    true => STANDARD.encode_to_string(frame).into(),
                }))
            }
            // Within a message, a status would be taken for a part of it.
            Self::Error | Self::GrpcWeb { .. } => Err(rejection.into()),
        }
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

/// Follows the messages of a gRPC-Web body, to know where one ends.
#[derive(Default)]
pub(super) struct Messages {
    prefix: [u8; PREFIX],
    prefix_length: usize,
    /// What is missing of the message.
    rest: usize,
    is_lost: bool,
}

impl Messages {
    fn follow(&mut self, mut data: &[u8]) {
        while let [byte, after @ ..] = data {
            if self.rest > 0 {
                let taken = self.rest.min(data.len());
                self.rest = self.rest.saturating_sub(taken);
                data = data.get(taken..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.prefix.get_mut(self.prefix_length) {
                *place = *byte;
            }
            self.prefix_length = self.prefix_length.saturating_add(1);
            data = after;
            if self.prefix_length == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.rest = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.prefix_length = 0;
            }
        }
    }

    fn get_lost(&mut self) {
        self.is_lost = true;
    }

    fn are_whole(&self) -> bool {
        !self.is_lost && self.rest == 0 && self.prefix_length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of 3, 0 and 258 bytes.
    fn three_messages() -> Vec<u8> {
        let mut bytes = Vec::new();
        for length in [3_u32, 0, 258] {
            bytes.push(0);
            bytes.extend(length.to_be_bytes());
            bytes.extend(vec![b'x'; length as usize]);
        }
        bytes
    }

    #[test]
    fn messages_are_whole_at_their_ends_only() {
        let bytes = three_messages();
        let ends: Vec<usize> = (0..=bytes.len())
            .filter(|&length| {
                let mut messages = Messages::default();
                messages.follow(&bytes[..length]);
                messages.are_whole()
            })
            .collect();
        assert_eq!(ends, [0, 8, 13, 276]);
    }

    #[test]
    fn messages_are_followed_wherever_the_data_is_split() {
        let bytes = three_messages();
        for at in 0..bytes.len() {
            let mut messages = Messages::default();
            messages.follow(&bytes[..at]);
            messages.follow(&bytes[at..]);
            assert!(messages.are_whole(), "{at}");
        }
    }

    #[test]
    fn status_within_a_message_is_an_error() {
        let bytes = three_messages();
        for is_text in [false, true] {
            let mut ending = Ending::GrpcWeb { messages: Messages::default(), is_text };
            let send = |bytes: &[u8]| match is_text {
                false => bytes.to_vec(),
                true => STANDARD.encode_to_string(bytes).into_bytes(),
            };
            ending.follow(&send(&bytes[..8]));
            assert!(ending.frame().is_ok_and(|frame| frame.is_data()));
            ending.follow(&send(&bytes[8..12]));
            assert_eq!(ending.frame().unwrap_err().to_string(), "the token has expired");
        }
    }

    #[test]
    fn text_that_is_not_in_whole_groups_has_no_status() {
        let mut ending = Ending::GrpcWeb { messages: Messages::default(), is_text: true };
        let text = STANDARD.encode_to_string(&three_messages()[..8]);
        let (first, second) = text.as_bytes().split_at(5);
        ending.follow(first);
        ending.follow(second);
        assert!(ending.frame().is_err());
    }

    #[test]
    fn trailers_in_the_data_have_a_flag_and_a_length() {
        let ending = Ending::GrpcWeb { messages: Messages::default(), is_text: false };
        let frame = ending.frame().unwrap().into_data().unwrap();
        let lines = "grpc-status:16\r\ngrpc-message:the token has expired\r\n";
        assert_eq!(frame[..5], [0x80, 0, 0, 0, u8::try_from(lines.len()).unwrap()]);
        assert_eq!(&frame[5..], lines.as_bytes());
    }
}
