//! gRPC-Web by its frames, written from the protocol's description and not from a library.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The messages and the trailers of a response body.
#[derive(Debug, PartialEq)]
pub(crate) struct Frames {
    pub(crate) messages: Vec<Vec<u8>>,
    /// Only the last frame may have them.
    pub(crate) trailers: Option<Vec<(String, String)>>,
}

impl Frames {
    /// Reads a body in the binary form.
    pub(crate) fn read(mut body: &[u8]) -> Self {
        let mut frames = Self { messages: Vec::new(), trailers: None };
        while let [flag, a, b, c, d, rest @ ..] = body {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let (payload, rest) = rest.split_at(length);
            body = rest;
            assert_eq!(frames.trailers, None, "nothing may follow the trailers");
            match flag {
                0 => frames.messages.push(payload.to_vec()),
                0x80 => frames.trailers = Some(lines(payload)),
                other => panic!("{other} is no flag"),
            }
        }
        assert!(body.is_empty(), "a part of a frame: {body:?}");
        frames
    }

    /// Reads a body in base64: several texts, each of which may end in padding.
    pub(crate) fn read_text(body: &[u8]) -> Self {
        assert!(body.len().is_multiple_of(4), "{body:?}");
        let bytes = body.chunks(4).flat_map(|group| STANDARD.decode(group).unwrap());
        Self::read(&bytes.collect::<Vec<_>>())
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        let trailers = self.trailers.as_ref()?;
        trailers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

fn lines(payload: &[u8]) -> Vec<(String, String)> {
    let text = str::from_utf8(payload).unwrap();
    let lines = text.split_terminator("\r\n").map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        assert_eq!(name, name.to_ascii_lowercase());
        (name.to_owned(), value.trim().to_owned())
    });
    lines.collect()
}
