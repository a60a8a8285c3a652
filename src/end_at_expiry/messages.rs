//! The messages of a gRPC or gRPC-Web body.

/// The length of the flag and the size of a frame (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// Follows the messages of a body, to find the end of each one.
#[derive(Clone, Default)]
pub(super) struct Messages {
    /// The bit of the flag that marks a frame of trailers. 0 if the data has no such frames.
    trailers: u8,
    /// The prefix that is being read. Its first byte is the flag of the last frame.
    prefix: [u8; PREFIX],
    prefix_length: usize,
    /// The number of bytes that are missing from the frame.
    rest: usize,
    /// Whether a whole message was read.
    has_one: bool,
    /// Whether the trailers were read, within the data or after it.
    has_trailers: bool,
    is_lost: bool,
}

impl Messages {
    /// The messages of a body whose trailers are in a frame with this bit in its flag.
    pub(super) fn with_trailers(trailers: u8) -> Self {
        Self { trailers, ..Self::default() }
    }

    /// Reads the data. Does nothing once the position in the body is not known.
    pub(super) fn follow(&mut self, mut data: &[u8]) {
        if self.is_lost {
            return;
        }
        while !data.is_empty() {
            data = self.step(data);
        }
    }

    /// Reads a byte of a prefix, or what the data has of a frame. Returns the data after it.
    fn step<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let Some((byte, mut after)) = data.split_first() else { return data };
        if self.rest > 0 {
            let taken = self.rest.min(data.len());
            self.rest = self.rest.saturating_sub(taken);
            after = data.get(taken..).unwrap_or_default();
        } else {
            if let Some(place) = self.prefix.get_mut(self.prefix_length) {
                *place = *byte;
            }
            self.prefix_length = self.prefix_length.saturating_add(1);
            if self.prefix_length == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.rest = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.prefix_length = 0;
            }
        }
        if self.is_between_frames() {
            let [flag, ..] = self.prefix;
            let is_trailers = self.are_trailers(flag);
            self.has_trailers |= is_trailers;
            self.has_one |= !is_trailers;
        }
        after
    }

    /// Records that the position in the body is not known from here on.
    pub(super) fn get_lost(&mut self) {
        self.is_lost = true;
    }

    /// Records that the trailers were sent after the data.
    pub(super) fn end(&mut self) {
        self.has_trailers = true;
    }

    /// Whether the body is at the end of a message, or at its beginning.
    pub(super) fn are_whole(&self) -> bool {
        !self.is_lost && self.is_between_frames()
    }

    /// Whether the trailers were read, so that nothing follows.
    pub(super) fn are_complete(&self) -> bool {
        self.has_trailers && !self.is_lost
    }

    /// The number of bytes after which the data no longer belongs to a call of one message. `None` if all of it does.
    pub(super) fn end_of_one_message(&self, data: &[u8]) -> Option<usize> {
        let mut messages = self.clone();
        let mut rest = data;
        while messages.are_of_one_message(rest) {
            rest = messages.step(rest);
            if rest.is_empty() {
                return None;
            }
        }
        Some(data.len().saturating_sub(rest.len()))
    }

    /// Whether the data begins in a call of one message: in the first message or in the trailers.
    fn are_of_one_message(&self, data: &[u8]) -> bool {
        let [flag, ..] = self.prefix;
        let flag = if self.is_between_frames() { data.first().copied() } else { Some(flag) };
        let is_in_trailers = flag.is_some_and(|flag| self.are_trailers(flag));
        !self.is_lost && !self.has_trailers && (!self.has_one || is_in_trailers)
    }

    fn is_between_frames(&self) -> bool {
        self.rest == 0 && self.prefix_length == 0
    }

    fn are_trailers(&self, flag: u8) -> bool {
        flag & self.trailers != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flag: u8, length: u32) -> Vec<u8> {
        [&[flag][..], &length.to_be_bytes(), &vec![b'x'; length as usize]].concat()
    }

    /// Messages of 3, 0 and 258 bytes.
    fn three_messages() -> Vec<u8> {
        [frame(0, 3), frame(0, 0), frame(1, 258)].concat()
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
    fn call_of_one_message_is_its_message_and_its_trailers() {
        let bytes = [frame(0, 3), frame(0x80, 4)].concat();
        for size in 1..=bytes.len() {
            let mut messages = Messages::with_trailers(0x80);
            for data in bytes.chunks(size) {
                assert!(!messages.are_complete());
                assert!(messages.are_of_one_message(data), "{size}");
                messages.follow(data);
            }
            assert!(messages.are_complete());
            assert!(!messages.are_of_one_message(&frame(0x80, 4)), "nothing follows the trailers");
        }
    }

    #[test]
    fn second_message_is_not_of_a_call_of_one_message() {
        for trailers in [0, 0x80] {
            let mut messages = Messages::with_trailers(trailers);
            messages.follow(&frame(0, 3));
            let second = frame(0, 2);
            for at in 0..second.len() {
                assert!(!messages.are_of_one_message(&second[at..]), "{at}");
                messages.follow(&second[at..=at]);
            }
        }
    }

    #[test]
    fn nothing_is_known_after_the_position_is_lost() {
        for before in [vec![], frame(0, 3), frame(0x80, 4)] {
            let mut messages = Messages::with_trailers(0x80);
            messages.follow(&before);
            messages.get_lost();
            for data in [frame(0, 3), frame(0x80, 4)] {
                assert!(!messages.are_of_one_message(&data));
                messages.follow(&data);
                assert!(!messages.are_whole() && !messages.are_complete());
            }
        }
    }

    #[test]
    fn call_of_one_message_ends_where_the_second_one_begins() {
        let bytes = [frame(0, 3), frame(0, 2), frame(0x80, 4)].concat();
        for at in 0..8 {
            let mut messages = Messages::with_trailers(0x80);
            messages.follow(&bytes[..at]);
            for end in at..=8 {
                assert_eq!(messages.end_of_one_message(&bytes[at..end]), None, "{at} {end}");
            }
            for end in 9..=bytes.len() {
                let data = &bytes[at..end];
                assert_eq!(messages.end_of_one_message(data), Some(8 - at), "{at} {end}");
            }
        }
    }

    #[test]
    fn grpc_has_no_trailers_in_its_data() {
        let mut messages = Messages::default();
        messages.follow(&frame(0, 3));
        assert!(!messages.are_of_one_message(&frame(0x80, 4)));
        messages.follow(&frame(0x80, 4));
        assert!(!messages.are_complete());
    }
}
