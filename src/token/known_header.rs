//! Headers of verified tokens, which are not parsed again. Most tokens of an issuer have the same header.

use std::cell::{Cell, RefCell};

use crate::crypto::Algorithm;
use crate::token::header::{JoseHeader, TEXTS};

/// How many headers each thread remembers.
const COUNT: usize = 4;
/// The longest header segment that is remembered, in bytes of base64url.
const MAX_LENGTH: usize = 256;
/// The most bytes that the texts of a header have together.
const MAX_TEXTS: usize = 128;
/// With all places taken, one in this many headers takes the place of another one.
const REPLACED: u32 = 64;

thread_local! {
    /// One for each thread, so that no thread waits for another one. It is part of the memory of the thread, and
    /// takes no other.
    static KNOWN: RefCell<KnownHeaders> = const { RefCell::new(KnownHeaders::new()) };
}

/// A buffer for the texts of a known header.
pub(super) type Texts = [u8; MAX_TEXTS];
pub(super) const NO_TEXTS: Texts = [0; MAX_TEXTS];

/// The remembered header of this segment.
#[inline]
pub(super) fn find<'t>(segment: &[u8], texts: &'t mut Texts) -> Option<JoseHeader<'t>> {
    KNOWN.with(|known| known.try_borrow().ok()?.find(segment, texts))
}

/// Remembers the header of a token whose signature is valid: so a client cannot fill the places with headers that
/// it makes up.
#[cold]
pub(super) fn remember(segment: &[u8], header: &JoseHeader<'_>) {
    KNOWN.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            known.insert(segment, header);
        }
    });
}

/// What a header segment says. That depends on its bytes alone: not on a key, a rule, or an earlier token.
struct KnownHeader {
    /// The whole segment, which is compared byte by byte.
    segment: [u8; MAX_LENGTH],
    length: usize,
    algorithm: Algorithm,
    /// The texts of the header, one after the other, their length, and the length of each.
    texts: Texts,
    total: usize,
    lengths: [Option<usize>; TEXTS],
    /// Whether it was found since a place was last looked for.
    is_used: Cell<bool>,
}

impl KnownHeader {
    /// `None` if the header is too long.
    fn new(segment: &[u8], header: &JoseHeader<'_>) -> Option<Self> {
        let mut known = Self {
            segment: [0; MAX_LENGTH],
            length: segment.len(),
            algorithm: header.algorithm,
            texts: NO_TEXTS,
            total: header.texts().into_iter().flatten().map(str::len).sum(),
            lengths: header.texts().map(|text| text.map(str::len)),
            is_used: Cell::new(false),
        };
        known.segment.get_mut(..segment.len())?.copy_from_slice(segment);
        let mut rest = known.texts.as_mut_slice();
        for text in header.texts().into_iter().flatten() {
            let (place, others) = rest.split_at_mut_checked(text.len())?;
            place.copy_from_slice(text.as_bytes());
            rest = others;
        }
        Some(known)
    }

    fn is_of(&self, segment: &[u8]) -> bool {
        self.length == segment.len() && self.segment.get(..self.length) == Some(segment)
    }

    #[inline]
    fn header<'t>(&self, texts: &'t mut Texts) -> Option<JoseHeader<'t>> {
        *texts = self.texts;
        let mut rest = std::str::from_utf8(texts.get(..self.total)?).ok()?;
        let mut next = |length: Option<usize>| {
            let (text, others) = rest.split_at_checked(length?)?;
            rest = others;
            Some(text)
        };
        let [kid, typ, x5t, x5t_s256] = self.lengths;
        let texts = [next(kid), next(typ), next(x5t), next(x5t_s256)];
        Some(JoseHeader::of(self.algorithm, texts))
    }
}

struct KnownHeaders {
    places: [Option<KnownHeader>; COUNT],
    /// The place that is looked at next.
    next: usize,
    /// The headers for which there was no free place.
    others: u32,
}

impl KnownHeaders {
    const fn new() -> Self {
        Self { places: [const { None }; COUNT], next: 0, others: 0 }
    }

    #[inline]
    fn find<'t>(&self, segment: &[u8], texts: &'t mut Texts) -> Option<JoseHeader<'t>> {
        let known = self.places.iter().flatten().find(|known| known.is_of(segment))?;
        known.is_used.set(true);
        known.header(texts)
    }

    fn insert(&mut self, segment: &[u8], header: &JoseHeader<'_>) {
        let texts = || header.texts().into_iter().flatten().map(str::len).sum::<usize>();
        if segment.len() <= MAX_LENGTH
            && texts() <= MAX_TEXTS
            && let Some(place) = self.place()
        {
            *place = KnownHeader::new(segment, header);
        }
    }

    /// The place for another header: a free one, or one in [`REPLACED`] times the next one that was not used since.
    fn place(&mut self) -> Option<&mut Option<KnownHeader>> {
        if let Some(free) = self.places.iter().position(Option::is_none) {
            return self.places.get_mut(free);
        }
        self.others = self.others.wrapping_add(1);
        if !self.others.is_multiple_of(REPLACED) {
            return None;
        }
        // If all of them were used, it is the first one.
        for _ in 0..COUNT {
            let is_used = |known: &KnownHeader| known.is_used.replace(false);
            let place = self.places.get(self.next).and_then(Option::as_ref);
            if !place.is_some_and(is_used) {
                break;
            }
            self.next = self.next.wrapping_add(1) % COUNT;
        }
        let place = self.next;
        self.next = self.next.wrapping_add(1) % COUNT;
        self.places.get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers that are told apart by their `kid`, which also stands for their segment.
    fn headers_of(kids: &[&str]) -> KnownHeaders {
        let mut known = KnownHeaders::new();
        kids.iter().for_each(|kid| insert(&mut known, kid));
        known
    }

    fn insert(known: &mut KnownHeaders, kid: &str) {
        let json = format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"JWT"}}"#);
        known.insert(kid.as_bytes(), &JoseHeader::parse(json.as_bytes()).ok().unwrap());
    }

    fn finds(known: &KnownHeaders, kid: &str) -> bool {
        let mut texts = [0; MAX_TEXTS];
        let Some(header) = known.find(kid.as_bytes(), &mut texts) else { return false };
        assert_eq!(header.algorithm, Algorithm::HS256);
        assert_eq!((header.kid.as_deref(), header.typ.as_deref()), (Some(kid), Some("JWT")));
        true
    }

    #[test]
    fn header_is_found_by_its_whole_segment() {
        let known = headers_of(&["one", "two"]);
        assert!(finds(&known, "one") && finds(&known, "two"));
        for other in ["", "on", "onE", "one ", "three"] {
            assert!(!finds(&known, other), "{other}");
        }
    }

    #[test]
    fn known_header_says_what_the_parsed_one_says() {
        for json in [
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"RS256","kid":"","typ":"at+jwt"}"#,
            r#"{"alg":"ES256","x5t":"a","x5t#S256":"b"}"#,
            r#"{"alg":"EdDSA","kid":"\u00e4\n","x5t#S256":"ß","typ":"JWT","x5t":""}"#,
        ] {
            let parsed = JoseHeader::parse(json.as_bytes()).ok().unwrap();
            let mut known = KnownHeaders::new();
            known.insert(b"segment", &parsed);
            let mut texts = [0; MAX_TEXTS];
            let found = known.find(b"segment", &mut texts).unwrap();
            assert_eq!(found.algorithm, parsed.algorithm);
            assert_eq!(found.texts(), parsed.texts(), "{json}");
        }
    }

    #[test]
    fn long_header_is_not_remembered() {
        let header = JoseHeader::parse(br#"{"alg":"HS256"}"#).ok().unwrap();
        let (longest, longer) = ([b'A'; MAX_LENGTH], [b'A'; MAX_LENGTH + 1]);
        let mut known = KnownHeaders::new();
        known.insert(&longer, &header);
        known.insert(&longest, &header);
        assert!(known.find(&longest, &mut [0; MAX_TEXTS]).is_some());
        assert!(known.find(&longer, &mut [0; MAX_TEXTS]).is_none());
        let long_kid = headers_of(&[&"k".repeat(MAX_TEXTS)]);
        assert!(!finds(&long_kid, &"k".repeat(MAX_TEXTS)), "with `typ`, the texts are too long");
    }

    #[test]
    fn headers_that_come_again_outlive_a_stream_of_others() {
        let hot = ["a", "b", "c"];
        let mut known = headers_of(&["a", "b", "c", "cold"]);
        for other in 0..10_000 {
            assert!(hot.iter().all(|kid| finds(&known, kid)), "{other}");
            insert(&mut known, &other.to_string());
        }
        assert!(!finds(&known, "cold"));
    }

    #[test]
    fn new_header_is_remembered_soon_when_an_old_one_is_not_used_any_more() {
        let mut known = headers_of(&["a", "b", "c", "d"]);
        assert!(["a", "b", "d"].iter().all(|kid| finds(&known, kid)));
        let needed = (1..).find(|_| {
            insert(&mut known, "new");
            finds(&known, "new")
        });
        assert_eq!(needed, Some(REPLACED));
        assert!(!finds(&known, "c"));
    }

    #[test]
    fn new_header_is_remembered_soon_when_all_old_ones_are_used() {
        let mut known = headers_of(&["a", "b", "c", "d"]);
        assert!(["a", "b", "c", "d"].iter().all(|kid| finds(&known, kid)));
        (0..REPLACED).for_each(|_| insert(&mut known, "new"));
        assert!(finds(&known, "new"));
        assert_eq!(["a", "b", "c", "d"].iter().filter(|kid| finds(&known, kid)).count(), 3);
    }
}
